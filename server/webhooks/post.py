"""One try: an event, signed, to its endpoint, over a connection to an address that was looked at.

The name is resolved once, and the connection goes to exactly what was found and allowed. Nothing is followed, no
proxy is asked, no cookie is kept, and of the answer only the beginning is read.
"""

import asyncio
import ssl
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx2

from server.webhooks import signature, target
from server.webhooks.addresses import Address
from server.webhooks.lookup import Lookup, NotFound
from server.webhooks.target import NotPublic, Policy, Refused, Target

_CONNECT_SECONDS = 5.0  # for one address
_EXCERPT_SECONDS = 2.0  # the status stands before; whoever dribbles the rest is not waited for
_EXCERPT_OCTETS = 1000
_MOST_ADDRESSES = 3  # of one name, tried one after the other
_MOST_KEPT = 500  # URLs whose connections are kept
_KEEP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one try."""

    at: datetime
    milliseconds: int
    status: int | None = None
    error: str | None = None  # why there is no status
    excerpt: str | None = None
    retry_after: timedelta | None = None
    detail: str | None = None  # more of the error, for the operator alone: an account must not learn what our DNS says

    @property
    def ended(self) -> datetime:
        """A slow failure is no reason to come back at once."""
        return self.at + timedelta(milliseconds=self.milliseconds)

    @property
    def is_taken(self) -> bool:
        """Only 2xx says so; a redirect does not."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """RFC 9110 15.5.11: the endpoint wants nothing any more."""
        return self.status == 410

    @property
    def why(self) -> str:
        """The failure in words."""
        if self.status is None:
            return self.error or ""
        return f"HTTP {self.status}" + (", redirects are not followed" if 300 <= self.status < 400 else "")


class Post:
    """Sends to many endpoints; one that is slow keeps nobody else waiting."""

    def __init__(self, policy: Policy, lookup: Lookup, seconds: float) -> None:
        self._policy, self._lookup, self._seconds = policy, lookup, seconds
        self._connections = _Connections()

    async def send(self, url: str, secrets: Sequence[str], name: str, body: str, at: datetime) -> Answer:
        """Tries once; raises nothing: what went wrong stands in the answer."""
        start = time.monotonic()
        headers = signature.headers(secrets, name, at, body)
        try:
            async with self._connections.of(url) as transport:
                async with asyncio.timeout(self._seconds):
                    response = await self._respond(transport, url, headers, body.encode())
                return await _read(response, at, _milliseconds(start))
        except TimeoutError:
            error = f"no answer within {self._seconds:g} seconds"
        except _NoAddress as nowhere:
            return Answer(at, _milliseconds(start), error=str(nowhere), detail=str(nowhere.__cause__))
        except Refused as refused:
            error = str(refused)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as failure:
            error = f"{type(failure).__name__}: {failure}".rstrip(": ")
        return Answer(at, _milliseconds(start), error=error[:_EXCERPT_OCTETS])

    async def close(self) -> None:
        await self._connections.close()

    async def _respond(
        self, transport: httpx2.AsyncHTTPTransport, url: str, headers: dict[str, str], body: bytes
    ) -> httpx2.Response:
        where = target.read(url, self._policy)
        found = [where.address] if where.address else await self._find(where)
        *others, last = found[:_MOST_ADDRESSES]
        for address in others:
            with suppress(httpx2.ConnectError, httpx2.ConnectTimeout):
                return await transport.handle_async_request(_request(where, address, headers, body))
        return await transport.handle_async_request(_request(where, last, headers, body))

    async def _find(self, where: Target) -> list[Address]:
        """Where a name leads, all of it looked at. Raises _NoAddress or Refused."""
        try:
            found = await self._lookup.addresses(where.host)
            target.check(where, found, self._policy)
        except (NotFound, NotPublic) as nowhere:
            raise _NoAddress(f"{where.host} has no address that webhooks may reach") from nowhere
        return found


class _NoAddress(Exception):
    """The cause says more."""


class _Connections:
    """Those of one URL are its own: TLS has proved one name, and another one may be at the same address."""

    def __init__(self) -> None:
        self._tls = ssl.create_default_context()
        self._transports: OrderedDict[str, httpx2.AsyncHTTPTransport] = OrderedDict()
        self._users: Counter[str] = Counter()

    @asynccontextmanager
    async def of(self, url: str) -> AsyncIterator[httpx2.AsyncHTTPTransport]:
        self._users[url] += 1
        try:
            yield self._transport(url)
        finally:
            self._users[url] -= 1
            await self._forget_some()

    async def close(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()

    def _transport(self, url: str) -> httpx2.AsyncHTTPTransport:
        if url not in self._transports:
            limits = httpx2.Limits(max_connections=None, max_keepalive_connections=8, keepalive_expiry=_KEEP_SECONDS)
            self._transports[url] = httpx2.AsyncHTTPTransport(verify=self._tls, trust_env=False, limits=limits)
        self._transports.move_to_end(url)
        return self._transports[url]

    async def _forget_some(self) -> None:
        surplus = len(self._transports) - _MOST_KEPT
        idle = [url for url in self._transports if not self._users[url]] if surplus > 0 else []
        for url in idle[:surplus]:
            del self._users[url]
            await self._transports.pop(url).aclose()


def _request(where: Target, address: Address, headers: dict[str, str], body: bytes) -> httpx2.Request:
    host = f"[{address}]" if address.version == 6 else str(address)
    return httpx2.Request(
        "POST",
        f"{where.scheme}://{host}:{where.port}{where.path}",
        headers={
            "host": where.authority,
            "content-type": "application/json",
            "user-agent": "bouncemx",
            "accept-encoding": "identity",
            **headers,
        },
        content=body,
        extensions={"sni_hostname": where.host, "timeout": {"connect": _CONNECT_SECONDS}},
    )


async def _read(response: httpx2.Response, at: datetime, milliseconds: int) -> Answer:
    beginning = b""
    try:
        async with asyncio.timeout(_EXCERPT_SECONDS):
            async for chunk in response.aiter_raw():
                beginning += chunk[:_EXCERPT_OCTETS]
                if len(beginning) >= _EXCERPT_OCTETS:
                    break
    except (TimeoutError, httpx2.HTTPError, OSError):
        pass  # the status has come, and says what counts
    finally:
        await response.aclose()
    excerpt = beginning[:_EXCERPT_OCTETS].decode("utf-8", "replace")
    return Answer(at, milliseconds, response.status_code, None, excerpt, _retry_after(response))


def _retry_after(response: httpx2.Response) -> timedelta | None:
    """RFC 9110 10.2.3, in seconds; the other form, a date, is left out."""
    given = response.headers.get("retry-after", "")
    return timedelta(seconds=int(given)) if given.isascii() and given.isdecimal() and len(given) < 7 else None


def _milliseconds(start: float) -> int:
    return round((time.monotonic() - start) * 1000)
