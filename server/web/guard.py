"""What holds for every answer, whatever made it: methods, the Host field, and the headers that keep mail inert."""

import ipaddress
from collections.abc import Callable, Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server import sockets

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
_METHODS = ("GET", "HEAD")


class Guard:
    """Stands around the whole site, so that its error pages are under the same rules."""

    def __init__(
        self, app: ASGIApp, hosts: frozenset[str], refuse: Callable[[int, str], Response], writable: str | None = None
    ) -> None:
        """`hosts`: the names to answer to, all of them where it is empty; `refuse`: makes an error page.

        `writable`: the path below which methods that write are let through.
        """
        self._app = app
        self._hosts = hosts
        self._refuse = refuse
        self._writable = f"{writable}/" if writable else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        app: ASGIApp = self._refusal(scope) or self._app
        answer = _Answer(send, head=scope["method"] == "HEAD")
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        await app({**scope, "method": method}, receive, answer.send)

    def _refusal(self, scope: Scope) -> Response | None:
        writable = self._writable is not None and scope["path"].startswith(self._writable)
        if scope["method"] not in _METHODS and not writable:
            response = self._refuse(405, "These pages only read: GET and HEAD.")
            response.headers["allow"] = ", ".join(_METHODS)
            return response
        host = Headers(scope=scope).get("host", "")
        if self._hosts and _host_name(host) not in self._hosts:
            # RFC 9110 7.4. A foreign name that leads here is how a web site reads what listens on loopback
            return self._refuse(421, "This service is not known by that name. Open it as localhost or 127.0.0.1.")
        return None


class _Answer:
    """Adds the headers; and HEAD is GET without the content (RFC 9110 9.3.2)."""

    def __init__(self, send: Send, *, head: bool) -> None:
        self._send = send
        self._head = head

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        elif self._head and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)


def allowed_hosts(address: str, bound: Iterable[str]) -> frozenset[str]:
    """The names that a service bound to these addresses answers to; none named means all.

    On loopback only: whoever binds to more has a name that we don't know.
    """
    addresses = [ipaddress.ip_address(each.partition("%")[0]) for each in bound]
    if not addresses or not all(each.is_loopback for each in addresses):
        return frozenset()
    given, _ = sockets.split(address)
    return frozenset({"localhost", "127.0.0.1", "::1", given.lower(), *map(str, addresses)} - {""})


def _host_name(host: str) -> str:
    """HOST:PORT, HOST or [HOST]:PORT as the Host field has it (RFC 9110 7.2) -> HOST."""
    name = host.rpartition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    return name.lower().removesuffix(".")
