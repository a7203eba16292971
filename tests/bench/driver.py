"""Sends many mails in parallel sessions: smtp-source (Postfix) where it is installed, else this. One process."""

import shutil
import socket
import subprocess
import sys
import threading
import time

OCTETS = 4096


def send(port: int, recipient: str, number: int, sessions: int, *, one_a_connection: bool) -> float:
    """Seconds that it took."""
    tool = shutil.which("smtp-source")
    if tool:
        many = [] if one_a_connection else ["-d"]
        command = [tool, *many, "-s", str(sessions), "-m", str(number), "-l", str(OCTETS), "-f", "", "-t", recipient]
    else:
        each = "1" if one_a_connection else str(number)
        command = [sys.executable, __file__, str(port), recipient, str(number), str(sessions), each]
    start = time.perf_counter()
    subprocess.run([*command, f"127.0.0.1:{port}"] if tool else command, check=True)
    return time.perf_counter() - start


def name() -> str:
    return "smtp-source" if shutil.which("smtp-source") else "own driver"


def _sessions(port: int, recipient: str, number: int, sessions: int, a_connection: int) -> None:
    threads = [
        threading.Thread(target=_session, args=(port, recipient, number // sessions, a_connection))
        for _ in range(sessions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _session(port: int, recipient: str, number: int, a_connection: int) -> None:
    mail = b"Subject: bench\r\n\r\n" + (b"x" * 78 + b"\r\n") * (OCTETS // 80) + b".\r\n"
    envelope = (b"MAIL FROM:<>\r\n", b"RCPT TO:<%b>\r\n" % recipient.encode(), b"DATA\r\n", mail)
    while number > 0:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _expect(client, b"220")
            _say(client, b"HELO bench.example\r\n", b"250")
            for _ in range(min(number, a_connection)):
                for line, code in zip(envelope, (b"250", b"250", b"354", b"250"), strict=True):
                    _say(client, line, code)
                number -= 1
            _say(client, b"QUIT\r\n", b"221")


def _say(client: socket.socket, line: bytes, code: bytes) -> None:
    client.sendall(line)
    _expect(client, code)


def _expect(client: socket.socket, code: bytes) -> None:
    answer = client.recv(1024)
    if not answer.startswith(code):
        sys.exit(f"expected {code!r}, got {answer!r}")


if __name__ == "__main__":
    _sessions(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:6]))
