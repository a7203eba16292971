"""Who sent a mail: the steps that ask DNS, over one resolver, for a batch at a time."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from ipaddress import ip_network
from itertools import chain

from dns.resolver import NoResolverConfiguration

from handlers import exchangers, generated
from handlers.authenticate import authenticate, stamp
from handlers.authenticated import Authenticated
from handlers.envelope import Mail
from handlers.generated import Network
from handlers.trust import Claim
from handlers.words import TrustReason
from server.resolver import DnsResolver
from server.settings import Settings, UserError

_THREADS = 8  # that wait for DNS


@dataclass(frozen=True, slots=True)
class Senders:
    """The steps that ask DNS, over one resolver; without one they know nothing."""

    name: str  # authserv-id (RFC 8601 2.2)
    resolver: DnsResolver | None
    threads: ThreadPoolExecutor
    own_relays: tuple[Network, ...] = ()

    def authenticate(self, mails: Sequence[Mail]) -> list[Authenticated]:
        if self.resolver is None:
            return self._some(mails)
        size = -(-len(mails) // _THREADS) or 1  # handing over one by one costs more than most need
        parts = [mails[start : start + size] for start in range(0, len(mails), size)]
        return list(chain.from_iterable(self.threads.map(self._some, parts)))

    def _some(self, mails: Sequence[Mail]) -> list[Authenticated]:
        return [self._one(mail) for mail in mails]

    def _one(self, mail: Mail) -> Authenticated:
        found = authenticate(mail, self.resolver, self.name) if self.resolver else None
        own_relay = generated.by_own_relay(mail.envelope, mail.raw, self.own_relays) if self.own_relays else ""
        stamped = stamp(mail, found, self.name)
        return replace(stamped, own_relay=own_relay) if own_relay else stamped

    def look_up(self, claims: Sequence[Claim]) -> list[TrustReason | None]:
        resolver = self.resolver
        if resolver is None:
            return [None] * len(claims)
        return list(self.threads.map(lambda claim: exchangers.answer(claim, resolver), claims))


def of(settings: Settings) -> Senders:
    """The steps that ask DNS. Raises UserError where they are to, and can't."""
    name = settings.hostname or settings.return_path_domain
    own_relays = tuple(ip_network(network) for network in settings.own_relays)
    return Senders(name, _resolver(settings), ThreadPoolExecutor(_THREADS, thread_name_prefix="dns"), own_relays)


def _resolver(settings: Settings) -> DnsResolver | None:
    if not settings.authenticate:
        return None
    try:
        return DnsResolver(settings.dns_servers, settings.dns_port)
    except ValueError as error:
        raise UserError(f"dns_servers = {list(settings.dns_servers)}: {error}") from None
    except NoResolverConfiguration:
        raise UserError("this host names no DNS server: give dns_servers, or authenticate = false") from None
