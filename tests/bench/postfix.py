"""A private Postfix that takes mail into its queue and discards it: durable intake, nothing delivered."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.example.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relay_domains = {domain}
transport_maps = inline:{{ {domain}=discard: }}
smtpd_recipient_restrictions = reject_unauth_destination
local_recipient_maps =
alias_maps =
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
mynetworks = 127.0.0.0/8
"""
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def present() -> bool:
    return shutil.which("postfix", path="/usr/sbin:/usr/bin:/sbin:/bin") is not None and os.geteuid() == 0


@contextmanager
def running(folder: Path, port: int, domain: str) -> Iterator[int]:
    """The pid of its master."""
    config = folder / "etc"
    for name in ("etc", "queue", "data"):
        (folder / name).mkdir(parents=True)
    shutil.chown(folder / "data", "postfix")
    for each in (folder, folder.parent):
        each.chmod(0o755)
    (config / "main.cf").write_text(_MAIN.format(folder=folder, domain=domain))
    (config / "master.cf").write_text(_MASTER.format(port=port))
    command = ["/usr/sbin/postfix", "-c", str(config)]
    # `start` checks the queue folder and makes what is missing in it
    subprocess.run([*command, "start"], check=True, capture_output=True)
    try:
        yield int((folder / "queue/pid/master.pid").read_text())
    finally:
        subprocess.run([*command, "stop"], check=False, capture_output=True)
