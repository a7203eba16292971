"""Mail as clients really send it: smtplib and swaks against the running service."""

import shutil
import smtplib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.service import Service, dsn, running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("senders")) as found:
        yield found


def assert_matched(capture: dict[str, Any], minted: dict[str, Any]) -> None:
    """The capture is tied to the minted message, and says why it bounced."""
    assert capture["kind"] == "failure"
    assert capture["detectability"] == "matched"
    assert capture["message"]["message_id"] == minted["message_id"]
    assert capture["message"]["recipient"] == minted["recipient"]
    assert capture["envelope"]["reverse_path"] == ""
    [recipient] = capture["recipients"]
    assert (recipient["type"], recipient["reason"]) == ("hard", "user_unknown")
    assert recipient["rule"]


def test_smtplib(service: Service) -> None:
    minted = service.mint("jane@shop.example", "--message-id", "june-1@news.example")
    with smtplib.SMTP("127.0.0.1", service.smtp, timeout=30) as client:
        refused = client.sendmail(
            "", [minted["return_path"]], dsn("jane@shop.example", minted["message_id"], "m-smtplib")
        )
    assert refused == {}
    [capture] = service.wait_for_captures(1, "--contains", "m-smtplib")
    assert_matched(capture, minted)


@pytest.mark.needs_swaks
@pytest.mark.skipif(not shutil.which("swaks"), reason="needs_swaks: apt-get install swaks")
@pytest.mark.parametrize("options", [[], ["--pipeline"], ["--protocol", "SMTP"]], ids=["esmtp", "pipelining", "helo"])
def test_swaks(service: Service, tmp_path: Path, options: list[str]) -> None:
    marker = "m-swaks-" + "-".join(options)
    minted = service.mint("john@shop.example")
    notice = tmp_path / "notice.eml"
    notice.write_bytes(dsn("john@shop.example", minted["message_id"], marker))
    done = subprocess.run(
        ["swaks", "--server", f"127.0.0.1:{service.smtp}", "--from", "<>", "--to", minted["return_path"],
         "--data", f"@{notice}", *options],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "250 2.0.0 Ok: captured as" in done.stdout
    [capture] = service.wait_for_captures(1, "--contains", marker)
    assert_matched(capture, minted)


@pytest.mark.needs_swaks
@pytest.mark.skipif(not shutil.which("swaks"), reason="needs_swaks: apt-get install swaks")
def test_swaks_is_told_that_an_address_is_none_of_ours(service: Service) -> None:
    done = subprocess.run(
        ["swaks", "--server", f"127.0.0.1:{service.smtp}", "--from", "<>", "--to", "nobody@bounces.example.test"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "550 5.1.1 No such address" in done.stdout
    assert done.returncode != 0
