"""Bounds a request before anything reads it: its octets and its kind."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.api import problems

_WITH_CONTENT = ("POST", "PUT", "PATCH")


class Bounded:
    """Stands before the application; refuses content that is too large or no JSON."""

    def __init__(self, app: ASGIApp, octets: int) -> None:
        self._app = app
        self._octets = octets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope["method"], Headers(scope=scope))
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        content = _Content(receive, send, self._octets)
        await self._app(scope, content.receive, content.send)
        if content.too_large:
            await self._too_large()(scope, receive, send)

    def _refusal(self, method: str, headers: Headers) -> ASGIApp | None:
        length = headers.get("content-length", "0")
        if int(length) > self._octets:  # h11 takes digits alone
            return self._too_large()
        has_content = length != "0" or "transfer-encoding" in headers
        if method in _WITH_CONTENT and has_content and not _is_json(headers.get("content-type", "")):
            given = headers.get("content-type", "")[:200]
            return problems.answer(415, f"Content-Type = {given!r}: send application/json")
        return None

    def _too_large(self) -> ASGIApp:
        return problems.answer(413, f"the content has more than {self._octets} octets: send it in several requests")


class _Content:
    """Counts what comes in: without a Content-Length nobody knows before how much it is."""

    def __init__(self, receive: Receive, send: Send, octets: int) -> None:
        self._receive = receive
        self._send = send
        self._left = octets

    @property
    def too_large(self) -> bool:
        return self._left < 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self.too_large:
            raise ValueError("too large")  # ends the reading; the answer to it is not sent
        return message

    async def send(self, message: Message) -> None:
        if not self.too_large:
            await self._send(message)


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"
