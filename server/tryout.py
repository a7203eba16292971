"""What `make serve` prints: a fresh return path and a line to try it with."""

import shlex
import shutil
import sys
from pathlib import Path
from textwrap import dedent

from server import minting
from server.settings import Settings

_RECIPIENT = "somebody@recipient.example"


def hint(settings: Settings, smtp: str, http: str) -> str:
    """Mints a return path, writes a notice that could come back for it, and says how to send that."""
    minted = minting.mint(settings, minting.Request((_RECIPIENT,), account="try", subject="Try it"))[0]
    notice = settings.data_dir / "try.eml"
    notice.write_text(_notice(minted["return_path"], minted["message_id"]), newline="")
    return dedent(f"""
        bouncemx takes mail at {smtp} and shows it at http://{http}/

        A return path, minted for {_RECIPIENT}:
          {minted["return_path"]}

        Let it bounce (the notice is in {notice}):
          swaks --server {smtp} --from '<>' --to {minted["return_path"]} --data {_shown(f"@{notice}")}

        See what became of it:
          {_command()} captures --data-dir {_shown(settings.data_dir)}
    """)


def _command() -> str:
    """How the user can call us: as this was called, where it is not on the search path."""
    return "bouncemx" if shutil.which("bouncemx") else _shown(Path(sys.executable).with_name("bouncemx"))


def _shown(path: Path | str) -> str:
    return shlex.quote(str(path))


def _notice(return_path: str, message_id: str) -> str:
    """A delivery status notification (RFC 3464)."""
    lines = f"""\
        From: Mail Delivery System <mailer-daemon@mx.recipient.example>
        To: {return_path}
        Subject: Undelivered Mail Returned to Sender
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status; boundary="=_try"

        --=_try
        Content-Type: text/plain; charset=us-ascii

        Your message to {_RECIPIENT} could not be delivered.

        --=_try
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.recipient.example

        Final-Recipient: rfc822; {_RECIPIENT}
        Action: failed
        Status: 5.1.1
        Diagnostic-Code: smtp; 550 5.1.1 <{_RECIPIENT}>: Recipient address rejected: User unknown

        --=_try
        Content-Type: text/rfc822-headers

        From: news@sender.example
        To: {_RECIPIENT}
        Subject: Try it
        Message-ID: {message_id}

        --=_try--
        """
    return dedent(lines).replace("\n", "\r\n")
