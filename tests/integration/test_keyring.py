"""The key file: made once, private, never replaced by accident."""

import json
import logging
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from handlers.keys import KIDS, account_key
from handlers.verp import mint, verify
from storage.keyring import KeyFile, KeyFileBroken, open_or_create, rotate

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 21)
NOW = datetime(2026, 11, 21, tzinfo=UTC)
OPEN = """
import sys
from pathlib import Path
from storage.keyring import open_or_create, rotate
print("ready", flush=True)
sys.stdin.readline()
ring = (rotate if sys.argv[2] == "rotate" else open_or_create)(Path(sys.argv[1]))
print(ring.active, ring.masters[ring.active].secret.hex())
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def at_once(folder: Path, what: str, processes: int = 6) -> list[str]:
    """What each of several processes says that were let go at the same moment."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(folder), what],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(processes)
    ]
    for process in started:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    with ThreadPoolExecutor(processes) as pool:
        answers = list(pool.map(lambda process: process.communicate("go\n", timeout=60)[0], started))
    assert [process.returncode for process in started] == [0] * processes
    return answers


def test_a_new_folder_gets_a_private_file(tmp_path: Path) -> None:
    ring = open_or_create(tmp_path / "data" / "deep")
    path = tmp_path / "data" / "deep" / "keys.json"
    assert mode(path) == 0o600
    assert open_or_create(path.parent) == ring
    assert os.listdir(path.parent) == ["keys.json"]


def test_two_folders_have_different_keys(tmp_path: Path) -> None:
    one, two = open_or_create(tmp_path / "1"), open_or_create(tmp_path / "2")
    assert one.masters[one.active].secret != two.masters[two.active].secret


def test_processes_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    answers = at_once(tmp_path, "open")
    assert len(set(answers)) == 1
    assert os.listdir(tmp_path) == ["keys.json"]


def test_rotations_at_once_lose_no_key(tmp_path: Path) -> None:
    first = open_or_create(tmp_path)
    answers = at_once(tmp_path, "rotate", processes=4)
    ring = open_or_create(tmp_path)
    assert sorted(ring.masters) == [0, 1, 2, 3, 4]
    assert ring.masters[0].secret == first.masters[0].secret
    made = {f"{kid} {master.secret.hex()}\n" for kid, master in ring.masters.items() if kid}
    assert set(answers) == made


def test_after_a_rotation_the_new_key_signs_and_the_old_one_verifies(tmp_path: Path) -> None:
    before = open_or_create(tmp_path)
    old = mint(account_key(before, 7), "rp.example.com", "jane@example.org", TODAY)
    after = rotate(tmp_path, NOW)
    new = mint(account_key(after, 7), "rp.example.com", "jane@example.org", TODAY)
    assert open_or_create(tmp_path) == after
    assert mode(tmp_path / "keys.json") == 0o600
    assert after.masters[before.active].retired == NOW
    assert verify(old, "rp.example.com", after, TODAY).accepted
    assert verify(new, "rp.example.com", after, TODAY).accepted
    assert not verify(new, "rp.example.com", before, TODAY).accepted


def test_a_retired_key_leaves_when_its_tokens_have_expired(tmp_path: Path) -> None:
    open_or_create(tmp_path)
    rotate(tmp_path, NOW)
    assert sorted(rotate(tmp_path, NOW + timedelta(days=189)).masters) == [0, 1, 2]
    assert sorted(rotate(tmp_path, NOW + timedelta(days=191), keep_days=300).masters) == [0, 1, 2, 3]
    assert sorted(rotate(tmp_path, NOW + timedelta(days=191)).masters) == [1, 2, 3, 4]


def test_key_ids_run_out_and_come_round(tmp_path: Path) -> None:
    for _ in range(KIDS - 1):
        ring = rotate(tmp_path, NOW)
    assert ring.active == KIDS - 1
    with pytest.raises(KeyFileBroken, match="all 32 key ids are in use"):
        rotate(tmp_path, NOW)
    assert open_or_create(tmp_path) == ring
    assert rotate(tmp_path, NOW + timedelta(days=200)).active == 0


def test_a_running_process_sees_a_rotation(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path)
    first = keys.ring()
    assert keys.ring() is first  # not read again
    assert rotate(tmp_path) == keys.ring() != first


@pytest.mark.parametrize("damage", ["missing", "broken"])
def test_a_running_process_goes_on_when_the_file_breaks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    path, keys = tmp_path / "keys.json", KeyFile(tmp_path)
    good, text = keys.ring(), path.read_text()
    if damage == "missing":
        path.unlink()
    else:
        path.write_text("{")
    with caplog.at_level(logging.ERROR):
        assert keys.ring() == keys.ring() == good
    assert [record.levelname for record in caplog.records] == ["ERROR"]  # said once
    assert str(path) in caplog.text
    path.write_text(text)
    path.chmod(0o600)
    rotate(tmp_path)
    assert keys.ring().active == 1


def document(folder: Path) -> dict:
    return json.loads((folder / "keys.json").read_text())


def broken_texts() -> dict[str, object]:
    key = {"kid": "a", "secret": "00" * 32, "created": "2026-11-21T00:00:00+00:00", "retired": None}
    whole = {"version": 1, "active": "a", "keys": [key]}
    return {
        "empty": "",
        "cut off": json.dumps(whole)[:-9],
        "no object": "[]",
        "no keys": {**whole, "keys": []},
        "keys no list": {**whole, "keys": "aa"},
        "key no object": {**whole, "keys": ["a"]},
        "later version": {**whole, "version": 2},
        "other active": {**whole, "active": "b"},
        "bad kid": {**whole, "keys": [{**key, "kid": "1"}]},
        "kid of two letters": {**whole, "keys": [{**key, "kid": "aa"}]},
        "short secret": {**whole, "keys": [{**key, "secret": "00"}]},
        "no hex": {**whole, "keys": [{**key, "secret": "zz" * 32}]},
        "no zone": {**whole, "keys": [{**key, "created": "2026-11-21T00:00:00"}]},
        "twice": {**whole, "keys": [key, key]},
        "not ascii": '{"version": "é"}',
    }


@pytest.mark.parametrize("damage", broken_texts())
def test_a_broken_file_is_told_and_left_alone(tmp_path: Path, damage: str) -> None:
    found = broken_texts()[damage]
    text = found if isinstance(found, str) else json.dumps(found)
    path = tmp_path / "keys.json"
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    for attempt in (open_or_create, rotate, KeyFile):
        with pytest.raises(KeyFileBroken, match="Put it back from a backup") as broken:
            attempt(tmp_path)
        assert str(path) in str(broken.value)
    assert path.read_text("utf-8") == text


def test_the_whole_document_of_those_is_good(tmp_path: Path) -> None:
    """So that each of the broken ones is broken by what its name says."""
    whole = {**broken_texts()["no keys"], "keys": [broken_texts()["twice"]["keys"][0]]}  # type: ignore[dict-item,index]
    (tmp_path / "keys.json").write_text(json.dumps(whole))
    (tmp_path / "keys.json").chmod(0o600)
    assert open_or_create(tmp_path).masters[0].secret == bytes(32)


@pytest.mark.parametrize(("found", "usable"), [(0o400, True), (0o440, True), (0o644, False), (0o660, False)])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, found: int, usable: bool) -> None:
    open_or_create(tmp_path)
    (tmp_path / "keys.json").chmod(found)
    if usable:
        assert open_or_create(tmp_path).active == 0
    else:
        with pytest.raises(KeyFileBroken, match="chmod 600"):
            open_or_create(tmp_path)


def test_a_link_to_nowhere_is_not_followed_to_a_new_file(tmp_path: Path) -> None:
    (tmp_path / "keys.json").symlink_to(tmp_path / "secrets" / "keys.json")
    with pytest.raises(KeyFileBroken, match="No such file"):
        open_or_create(tmp_path)


def test_secrets_stand_in_the_file_and_nowhere_else(tmp_path: Path) -> None:
    ring = open_or_create(tmp_path)
    secret = document(tmp_path)["keys"][0]["secret"]
    assert bytes.fromhex(secret) == ring.masters[0].secret
    assert secret not in repr(ring)
