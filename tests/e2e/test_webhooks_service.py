"""From a bounce over SMTP to a signed request, with the command as it is installed."""

import json
import smtplib
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from tests.e2e.service import dsn, free_port, running

SETTINGS = """\
authenticate = false
webhook_networks_allowed = ["127.0.0.1"]
"""


def test_a_bounce_is_told(tmp_path: Path) -> None:
    port, taken = free_port(), tmp_path / "taken"
    with running(tmp_path, SETTINGS) as service:
        minted = service.mint("jane@shop.example", "--message-id", "<m@news.example>", "--account", "acme")
        url, only = f"http://127.0.0.1:{port}/", ["--account", "acme", "--events", "bounce.hard"]
        secret = json.loads(service.run("webhooks", "add", url, *only, "--json"))["secret"]
        receiver = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.webhook_receiver", str(port), str(taken), secret, "0"]
        )
        try:
            with smtplib.SMTP("127.0.0.1", service.smtp, timeout=20) as client:
                client.sendmail("", [minted["return_path"]], dsn("jane@shop.example", "<m@news.example>"))
            end = time.monotonic() + 60
            while not (taken.exists() and taken.read_text()):
                assert time.monotonic() < end, (tmp_path / "serve.log").read_text()[-2000:]
                time.sleep(0.05)
        finally:
            receiver.kill()
            receiver.wait()
    (told,) = (json.loads(line) for line in taken.read_text().splitlines())
    assert (told["type"], told["account"], told["sequence"]) == ("bounce.hard", "acme", 1)
    assert told["data"]["recipient"] == "jane@shop.example"
    assert told["data"]["message_id"] == "<m@news.example>"
    assert (told["data"]["reason"], told["data"]["status"]) == ("user_unknown", "5.1.1")


def test_an_endpoint_that_never_answers_holds_no_mail_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, running(tmp_path, SETTINGS) as service, ExitStack() as open_:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        webhook = json.loads(service.run("webhooks", "add", url, "--json"))
        recipients = [f"{name}@shop.example" for name in ("ann", "bob", "eve")]
        for line in service.run("mint", *recipients, "--message-id", "<m@news.example>", "--json").splitlines():
            minted = json.loads(line)
            with smtplib.SMTP("127.0.0.1", service.smtp, timeout=20) as client:
                assert client.sendmail("", [minted["return_path"]], dsn(minted["recipient"], "<m@news.example>")) == {}
            silent.settimeout(30)
            open_.enter_context(silent.accept()[0])  # a try is under way now
        assert len(service.wait_for_captures(3)) == 3
        (shown,) = (json.loads(line) for line in service.run("webhooks", "--json").splitlines())
        assert (shown["id"], shown["delivered"]) == (webhook["id"], 0)
        assert shown["queued"] >= 3
