"""DMARC (RFC 9989): whose policy holds for the author's domain, and whether what passed aligns with it."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from handlers.ports import NoSuchName

Txt = Callable[[str], tuple[bytes, ...]]
"""TXT records of a name; raises NoSuchName, and LookupFailed, which evaluate() lets through."""

_POLICIES = ("none", "quarantine", "reject")
_MOST_QUERIES = 8  # RFC 9989 4.10: names longer than this are cut to 7 labels after the first query
_LONGEST_FROM = 4096

_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+(?=[a-z0-9-]*[a-z])[a-z0-9-]{1,63}\Z")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_COMMENT = re.compile(r"\([^()]*\)")
_ANGLE = re.compile(r"<([^<>]*)>")


@dataclass(frozen=True, slots=True)
class Identity:
    """A domain that SPF or DKIM was asked about, with the answer (RFC 8601 words)."""

    method: str  # "spf" or "dkim"
    domain: str
    result: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result (RFC 8601 2.7.1 words), and the policy that the domain owner asks for."""

    result: str
    author: str = ""  # domain of the From field
    policy: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A DMARC policy record (RFC 9989 4.7), its tags in lower case."""

    domain: str
    tags: dict[str, str]

    def policy(self, *names: str) -> str | None:
        """The first valid value of these tags; None where DMARC must not be applied.

        RFC 9989 4.10.1: a record without a valid policy counts as p=none if it asks for reports.
        """
        for name in (*names, "p"):
            if self.tags.get(name) in _POLICIES:
                return self.tags[name]
        return "none" if "mailto:" in self.tags.get("rua", "") else None


def domain_name(text: str) -> str:
    """The domain in lower case and A-labels (RFC 5890), or "" where it is no name with a dot in it."""
    text = text.strip().removesuffix(".").lower()
    if len(text) > 253:
        return ""
    if not text.isascii():
        try:
            text = text.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    return text if _HOST.match(text) else ""


def author_domains(values: Iterable[str]) -> tuple[str, ...]:
    """The distinct domains of these From field bodies (RFC 5322 3.6.2), "" for what is none.

    Lenient: quoted names and comments are dropped, then each mailbox between commas counts, and where it
    has angle brackets only what they hold.
    """
    domains: dict[str, None] = {}
    for value in values:
        for mailbox in _without_words(value).split(","):
            angle = _ANGLE.search(mailbox)
            _, at, domain = (angle[1] if angle else mailbox).rpartition("@")
            if at:
                domains[domain_name(domain)] = None
    return tuple(domains)


def _without_words(value: str) -> str:
    value = _QUOTED.sub("", value[:_LONGEST_FROM])
    for _ in range(8):  # nested comments, RFC 5322 3.2.2
        value, found = _COMMENT.subn("", value)
        if not found:
            break
    return value


def parse_record(domain: str, text: bytes) -> Record | None:
    """RFC 9989 4.7 and 4.8: v=DMARC1 comes first and exactly so; other faults make a tag ignored."""
    pairs = [part.partition("=") for part in text.decode("utf-8", "replace").split(";")]
    if pairs[0][0].strip().lower() != "v" or pairs[0][2].strip() != "DMARC1":
        return None
    return Record(domain, {name.strip().lower(): value.strip().lower() for name, _, value in reversed(pairs)})


def record_at(domain: str, txt: Txt) -> Record | None:
    """The one policy record of exactly this domain; several cancel each other (RFC 9989 4.10)."""
    try:
        texts = txt(f"_dmarc.{domain}")
    except NoSuchName:
        return None
    records = [record for record in (parse_record(domain, text) for text in texts) if record]
    return records[0] if len(records) == 1 else None


def tree_walk(domain: str, txt: Txt) -> tuple[Record, ...]:
    """The policy records from the domain towards the root, longest name first (RFC 9989 4.10)."""
    found = []
    for name in _targets(domain):
        record = record_at(name, txt)
        if record is None:
            continue
        found.append(record)
        psd = record.tags.get("psd")
        if psd == "n" or (psd == "y" and name != domain):
            break
    return tuple(found)


def _targets(domain: str) -> Iterator[str]:
    yield domain
    labels = domain.split(".")
    for count in range(min(len(labels), _MOST_QUERIES) - 1, 0, -1):
        yield ".".join(labels[-count:])


def organizational_domain(domain: str, found: Sequence[Record]) -> str:
    """RFC 9989 4.10.2: of what the tree walk from this domain found."""
    for record in found:
        if record.tags.get("psd") == "n":
            return record.domain
        if record.tags.get("psd") == "y" and record.domain != domain:
            below = record.domain.count(".") + 2
            return ".".join(domain.split(".")[-below:])
    return found[-1].domain if found else domain


def evaluate(author: str, identities: Iterable[Identity], txt: Txt) -> Verdict:
    """Does any identity that passed align with the author's domain? Raises what txt raises.

    "none" means that no policy applies, "temperror" that an aligned identity could not be checked.
    """
    record, policy = _policy(author, txt)
    if record is None or policy is None:
        return Verdict("none", author)
    open_ones = [i for i in identities if i.result in ("pass", "temperror")]
    aligned = partial(_aligned, author=author, record=record, txt=txt)
    # the plain ones first: they need no tree walk
    open_ones.sort(key=lambda i: (i.result, i.domain != author))
    first = next((i.result for i in open_ones if aligned(i)), "fail")
    return Verdict(first, author, policy)


def _policy(author: str, txt: Txt) -> tuple[Record | None, str | None]:
    """RFC 9989 4.10.1: the author's own record, else its organizational domain's, else the public suffix's."""
    own = record_at(author, txt)
    if own:
        return own, own.policy()
    found = tree_walk(author, txt)
    if not found:
        return None, None
    organization = organizational_domain(author, found)
    record = next((r for r in found if r.domain == organization), found[-1])
    names = ("np", "sp") if "np" in record.tags and not _exists(author, txt) else ("sp",)
    return record, record.policy(*names)


def _exists(domain: str, txt: Txt) -> bool:
    try:
        txt(domain)
    except NoSuchName:
        return False
    return True


def _aligned(identity: Identity, *, author: str, record: Record, txt: Txt) -> bool:
    """RFC 9989 4.4: the same domain, or (relaxed, the default) the same organizational domain."""
    if identity.domain == author:
        return True
    mode = record.tags.get("adkim" if identity.method == "dkim" else "aspf")
    if mode == "s" or not identity.domain:
        return False
    organization = organizational_domain(author, tree_walk(author, txt))
    if identity.domain != organization and not identity.domain.endswith("." + organization):
        return False
    return organizational_domain(identity.domain, tree_walk(identity.domain, txt)) == organization
