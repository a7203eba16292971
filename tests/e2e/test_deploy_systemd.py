"""The units, as systemd reads them, and what the intake's unit claims: it works without a network of its own."""

import configparser
import os
import re
import shutil
import smtplib
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from handlers.keys import account_key
from handlers.verp import mint
from storage.keyring import open_or_create

DEPLOY = Path(__file__).parents[2] / "deploy" / "systemd"
SERVICES = sorted(path.name for path in DEPLOY.glob("*.service"))
UNITS = sorted(path.name for path in DEPLOY.iterdir() if path.suffix in {".service", ".socket", ".target"})
WORST = {
    "bouncemx-intake.service": 6,
    "bouncemx-worker.service": 14,
    "bouncemx-web.service": 14,
    "bouncemx-webhooks.service": 14,
}  # tenths

needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze: apt-get install systemd"
)


def run(*command: str | Path) -> str:
    done = subprocess.run(command, check=False, text=True, timeout=60, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """A copy whose commands exist on this machine."""
    folder = tmp_path / "units"
    shutil.copytree(DEPLOY, folder)
    for name in SERVICES:
        text = (folder / name).read_text()
        assert text.count("/opt/bouncemx/bin/bouncemx ") == 1
        (folder / name).write_text(text.replace("/opt/bouncemx/bin/bouncemx", shutil.which("true") or ""))
    return folder


def merged(name: str) -> dict[str, list[str]]:
    """Every setting of a service with its drop-in."""
    found: dict[str, list[str]] = {}
    for path in (DEPLOY / name, DEPLOY / "bouncemx-.service.d" / "10-hardening.conf"):
        for line in path.read_text().splitlines():
            if match := re.fullmatch(r"(\w+)=(.*)", line):
                found.setdefault(match[1], []).append(match[2])
    return found


@needs_systemd
def test_systemd_finds_no_fault(units: Path) -> None:
    assert run("systemd-analyze", "verify", *(units / name for name in UNITS)) == ""


@needs_systemd
def test_systemd_would_find_a_fault(units: Path) -> None:
    """So that the test above can fail: an unknown setting in the drop-in, which every service must have read."""
    with (units / "bouncemx-.service.d" / "10-hardening.conf").open("a") as drop_in:
        drop_in.write("ProtectEverything=yes\n")
    for name in SERVICES:
        done = subprocess.run(
            ["systemd-analyze", "verify", units / name], check=False, capture_output=True, text=True, timeout=60
        )
        assert "ProtectEverything" in done.stderr


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_little_is_exposed(units: Path, name: str) -> None:
    run("systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={WORST[name]}", units / name)


@needs_systemd
@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs_root: users of another root folder")
def test_the_user_and_its_folders_are_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    run("systemd-sysusers", f"--root={tmp_path}", DEPLOY / "bouncemx.sysusers")
    assert "bouncemx:" in (tmp_path / "etc/passwd").read_text()
    run("systemd-tmpfiles", f"--root={tmp_path}", "--create", DEPLOY / "bouncemx.tmpfiles")
    made = {p: (tmp_path / p).stat().st_mode & 0o777 for p in ("var/lib/bouncemx", "etc/bouncemx/environment")}
    assert made == {"var/lib/bouncemx": 0o700, "etc/bouncemx/environment": 0o640}


@pytest.mark.parametrize("name", SERVICES)
def test_a_filter_begins_with_what_is_allowed(name: str) -> None:
    """The first SystemCallFilter decides whether the list allows or forbids; a unit is read before its drop-in."""
    assert merged(name)["SystemCallFilter"][0] == "@system-service"
    assert len(merged(name)["RestrictAddressFamilies"]) == 1


def test_the_target_starts_every_unit() -> None:
    target = configparser.ConfigParser(interpolation=None)
    target.read(DEPLOY / "bouncemx.target")
    assert sorted(target["Unit"]["Wants"].split()) == [name for name in UNITS if name != "bouncemx.target"]


def test_the_commands_are_ours() -> None:
    for name in SERVICES:
        (command,) = merged(name)["ExecStart"]
        task = name.removeprefix("bouncemx-").removesuffix(".service")
        assert f"serve --only {task} " in command + " "
        assert command.endswith("--data-dir ${STATE_DIRECTORY}")
        options = {word for word in command.split() if word.startswith("--")}
        assert options <= set(re.findall(r"--[a-z-]+", bouncemx("serve", "--help")))


@cache
def bouncemx(*arguments: str) -> str:
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(
        [sys.executable, "-m", "server", *arguments],
        check=True, text=True, timeout=60, env=environment, stdout=subprocess.PIPE,
    )  # fmt: skip
    return done.stdout


CONFINED = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
assert libc.unshare(0x40000000) == 0  # CLONE_NEWNET: PrivateNetwork=yes
libc.prctl(65, 1, 0, 0, 0)  # PR_SET_MDWE: MemoryDenyWriteExecute=yes, from Linux 6.3 on
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs_root: a network of its own")
@pytest.mark.skipif(
    not shutil.which("systemd-socket-activate"), reason="systemd-socket-activate: apt-get install systemd"
)
def test_the_intake_takes_mail_without_a_network_of_its_own(tmp_path: Path) -> None:
    domain, today = "bounces.example.test", datetime.now(UTC).date()
    token = mint(account_key(open_or_create(tmp_path), 1), domain, "jane@shop.example", today)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(tmp_path / "notify"))
    told.settimeout(30)
    intake = subprocess.Popen(
        ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", "-E", f"BOUNCEMX_RETURN_PATH_DOMAIN={domain}",
         "-E", "PYTHONPATH", "-E", f"NOTIFY_SOCKET={tmp_path}/notify", sys.executable, "-c", CONFINED,
         sys.executable, "-m", "server", "serve", "--only", "intake", "--data-dir", str(tmp_path)],
        cwd=DEPLOY.parents[1],
    )  # fmt: skip
    try:
        with connected(port) as client:
            refused = client.sendmail("", [f"{token}@{domain}"], "Subject: failed\r\n\r\n5.1.1\r\n")
            assert refused == {}
            assert told.recv(100) == b"READY=1"
            assert os.readlink(f"/proc/{intake.pid}/ns/net") != os.readlink("/proc/self/ns/net")
    finally:
        intake.terminate()
        assert intake.wait(30) == 0
        told.close()
    assert any(token.encode() in path.read_bytes() for path in (tmp_path / "journal").iterdir())


def connected(port: int) -> smtplib.SMTP:
    give_up = time.monotonic() + 30
    while True:
        try:
            return smtplib.SMTP("127.0.0.1", port, timeout=30)
        except ConnectionRefusedError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)
