"""A real DNS server on loopback, UDP and TCP, whose zone a test writes."""

import threading
from collections.abc import Iterator

import pytest
from dnslib import QTYPE, RCODE, RR, DNSError, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer


class Zone(BaseResolver):
    """Answers from `records`; names listed elsewhere misbehave."""

    def __init__(self) -> None:
        self.port = 0
        self.clear()

    def clear(self) -> None:
        self.records: list[RR] = []
        self.queries: list[tuple[str, str, str]] = []  # name, type, protocol
        self.servfail: set[str] = set()
        self.silent: set[str] = set()
        self.truncated: set[str] = set()
        self.waiting: dict[str, threading.Event] = {}

    def add(self, text: str) -> None:
        """Records in zone file format, with absolute names."""
        self.records += RR.fromZone(text)

    def txt(self, name: str, text: str) -> None:
        strings = " ".join(f'"{text[i : i + 250]}"' for i in range(0, len(text), 250))
        self.add(f"{name}. 60 IN TXT {strings}")

    def names(self) -> list[str]:
        return [name for name, _, _ in self.queries]

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        name, kind = str(request.q.qname).lower().rstrip("."), QTYPE[request.q.qtype]
        self.queries.append((name, kind, handler.protocol))
        if name in self.waiting:
            self.waiting[name].wait(30)
        if name in self.silent:
            raise DNSError("says nothing")
        reply = request.reply()
        if name in self.servfail:
            reply.header.rcode = RCODE.SERVFAIL
        elif name in self.truncated and handler.protocol == "udp":
            reply.header.tc = 1
        else:
            self._answer(reply, name, kind)
        return reply

    def _answer(self, reply: DNSRecord, name: str, kind: str) -> None:
        owned = [r for r in self.records if str(r.rname).lower().rstrip(".") == name]
        alias = next((r for r in owned if QTYPE[r.rtype] == "CNAME"), None)
        if alias:
            reply.add_answer(alias)
            self._answer(reply, str(alias.rdata.label).lower().rstrip("."), kind)
            return
        reply.add_answer(*(r for r in owned if QTYPE[r.rtype] == kind))
        if not owned:
            reply.header.rcode = RCODE.NXDOMAIN


@pytest.fixture(scope="session")
def dns_server() -> Iterator[Zone]:
    zone = Zone()
    logger = DNSLogger("-recv,-send,-request,-reply,-truncated,-error,-data")
    udp = DNSServer(zone, address="127.0.0.1", port=0, logger=logger)
    zone.port = udp.server.server_address[1]
    tcp = DNSServer(zone, address="127.0.0.1", port=zone.port, tcp=True, logger=logger)
    servers = (udp.server, tcp.server)
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,)) for server in servers]
    for thread in threads:
        thread.start()
    yield zone
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def zone(dns_server: Zone) -> Iterator[Zone]:
    dns_server.clear()
    yield dns_server
    for event in dns_server.waiting.values():
        event.set()
