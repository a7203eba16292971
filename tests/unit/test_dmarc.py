"""handlers.dmarc by the cases of RFC 9989: tree walk, policy discovery, alignment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.dmarc import (
    Identity,
    Verdict,
    author_domains,
    domain_name,
    evaluate,
    organizational_domain,
    parse_record,
    tree_walk,
)
from handlers.ports import LookupFailed, NoSuchName


class Names:
    """TXT records as a dictionary; what is not in it does not exist."""

    def __init__(self, records: dict[str, str | list[str]], *, failing: tuple[str, ...] = ()) -> None:
        self.records, self.failing = records, failing
        self.asked: list[str] = []

    def __call__(self, name: str) -> tuple[bytes, ...]:
        self.asked.append(name)
        if name in self.failing:
            raise LookupFailed(name)
        if name not in self.records:
            raise NoSuchName(name)
        found = self.records[name]
        return tuple(text.encode() for text in ([found] if isinstance(found, str) else found))


REJECT = "v=DMARC1; p=reject"


def spf(domain: str, result: str = "pass") -> Identity:
    return Identity("spf", domain, result)


def dkim(domain: str, result: str = "pass") -> Identity:
    return Identity("dkim", domain, result)


# 4.10 tree walk


def test_the_walk_goes_to_the_root_and_skips_no_label() -> None:
    names = Names({})
    assert tree_walk("a.mail.example.com", names) == ()
    assert names.asked == [
        "_dmarc.a.mail.example.com",
        "_dmarc.mail.example.com",
        "_dmarc.example.com",
        "_dmarc.com",
    ]


def test_a_long_name_costs_eight_queries() -> None:
    names = Names({})
    tree_walk("a.b.c.d.e.f.g.h.i.j.mail.example.com", names)
    assert names.asked == [
        "_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com",
        "_dmarc.g.h.i.j.mail.example.com",
        "_dmarc.h.i.j.mail.example.com",
        "_dmarc.i.j.mail.example.com",
        "_dmarc.j.mail.example.com",
        "_dmarc.mail.example.com",
        "_dmarc.example.com",
        "_dmarc.com",
    ]


@pytest.mark.parametrize("labels", range(2, 20))
def test_no_name_costs_more_than_eight(labels: int) -> None:
    names = Names({})
    tree_walk(".".join(["x"] * labels), names)
    assert len(names.asked) == len(set(names.asked)) == min(labels, 8)


def test_psd_n_stops_the_walk_anywhere() -> None:
    names = Names({"_dmarc.mail.example.com": "v=DMARC1; p=none; psd=n", "_dmarc.example.com": REJECT})
    found = tree_walk("a.mail.example.com", names)
    assert [record.domain for record in found] == ["mail.example.com"]
    assert tree_walk("mail.example.com", names) == found
    assert "_dmarc.com" not in names.asked


def test_psd_y_stops_the_walk_above_the_start_only() -> None:
    names = Names({"_dmarc.co.example": "v=DMARC1; p=none; psd=y", "_dmarc.example": REJECT})
    assert [r.domain for r in tree_walk("mail.co.example", names)] == ["co.example"]
    assert [r.domain for r in tree_walk("co.example", names)] == ["co.example", "example"]


@pytest.mark.parametrize(
    ("domain", "records", "organization"),
    [
        ("a.mail.example.com", {}, "a.mail.example.com"),
        ("a.mail.example.com", {"mail.example.com": "", "example.com": ""}, "example.com"),
        ("a.mail.example.com", {"a.mail.example.com": "", "com": "psd=y"}, "example.com"),
        ("a.mail.example.com", {"mail.example.com": "psd=n", "example.com": ""}, "mail.example.com"),
        ("giant.bank.example", {"giant.bank.example": "", "bank.example": "psd=y"}, "giant.bank.example"),
        ("mail.giant.bank.example", {"bank.example": "psd=y", "example": "psd=y"}, "giant.bank.example"),
        ("bank.example", {"bank.example": "psd=y"}, "bank.example"),
        ("x.y.example", {"example": ""}, "example"),  # 4.10.2 rule 3: whatever the shortest is
    ],
)
def test_organizational_domain(domain: str, records: dict[str, str], organization: str) -> None:
    names = Names({f"_dmarc.{name}": f"v=DMARC1; p=none; {tags}" for name, tags in records.items()})
    assert organizational_domain(domain, tree_walk(domain, names)) == organization


# 4.7 records


@pytest.mark.parametrize(
    "text",
    ["v=DMARC1", "v=DMARC1;p=reject", " v = DMARC1 ; p = Reject ;", "V=DMARC1; junk; =; p=reject; ;;"],
)
def test_records_are_read_leniently_after_their_version(text: str) -> None:
    record = parse_record("example.com", text.encode())
    assert record is not None
    assert record.tags.get("p", "reject") == "reject"


@pytest.mark.parametrize(
    "text",
    ["", ";", "v=dmarc1; p=reject", "p=reject; v=DMARC1", "v=DMARC1x", "v=DMARC2; p=none", "v=spf1 -all", "\xff"],
)
def test_other_records_are_none(text: str) -> None:
    assert parse_record("example.com", text.encode("latin-1")) is None


def test_the_first_of_two_equal_tags_holds() -> None:
    record = parse_record("example.com", b"v=DMARC1; p=reject; p=none")
    assert record is not None
    assert record.policy() == "reject"


# 4.10.1 policy discovery


@pytest.mark.parametrize(
    ("records", "policy"),
    [
        ({"_dmarc.mail.example.com": REJECT, "_dmarc.example.com": "v=DMARC1; p=none"}, "reject"),
        ({"_dmarc.example.com": "v=DMARC1; p=none; sp=quarantine"}, "quarantine"),
        ({"_dmarc.example.com": "v=DMARC1; p=quarantine"}, "quarantine"),
        ({"_dmarc.example.com": "v=DMARC1; p=none; sp=quarantine; np=reject"}, "reject"),
        ({"_dmarc.example.com": "v=DMARC1; p=none; np=reject", "mail.example.com": "here"}, "none"),
        ({"_dmarc.com": "v=DMARC1; p=reject; psd=y"}, "reject"),
        ({"_dmarc.com": "v=DMARC1; p=reject; psd=y", "_dmarc.example.com": "v=DMARC1; p=none"}, "none"),
        ({"_dmarc.mail.example.com": "v=DMARC1; rua=mailto:x@example.com"}, "none"),
        ({"_dmarc.mail.example.com": "v=DMARC1; p=wrong; rua=mailto:x@example.com"}, "none"),
    ],
)
def test_policy(records: dict[str, str | list[str]], policy: str) -> None:
    assert evaluate("mail.example.com", [], Names(records)) == Verdict("fail", "mail.example.com", policy)


@pytest.mark.parametrize(
    "records",
    [
        {},
        {"_dmarc.mail.example.com": "v=DMARC1"},  # no policy and nowhere to report
        {"_dmarc.mail.example.com": "v=DMARC1; p=wrong"},
        {"_dmarc.mail.example.com": [REJECT, REJECT]},
        {"_dmarc.mail.example.com": "v=spf1 -all"},
    ],
)
def test_no_policy(records: dict[str, str | list[str]]) -> None:
    assert evaluate("mail.example.com", [spf("mail.example.com")], Names(records)).result == "none"


def test_other_texts_beside_the_record_do_no_harm() -> None:
    names = Names({"_dmarc.example.com": ["v=spf1 -all", REJECT]})
    assert evaluate("example.com", [], names).policy == "reject"


# 4.4 alignment


@pytest.mark.parametrize(
    ("identity", "tags", "result"),
    [
        (spf("mail.example.com"), "", "pass"),
        (dkim("mail.example.com"), "", "pass"),
        (dkim("example.com"), "", "pass"),
        (dkim("other.example.com"), "", "pass"),
        (spf("deep.down.example.com"), "", "pass"),
        (dkim("example.com"), "adkim=r; aspf=s", "pass"),
        (dkim("example.com"), "adkim=s", "fail"),
        (spf("example.com"), "aspf=s", "fail"),
        (spf("example.com"), "adkim=s", "pass"),
        (dkim("mail.example.com"), "adkim=s", "pass"),
        (dkim("com"), "", "fail"),  # a parent is not enough
        (dkim("badexample.com"), "", "fail"),
        (dkim("example.com.attacker.test"), "", "fail"),
        (dkim("attacker.test"), "", "fail"),
        (dkim(""), "", "fail"),
        (dkim("mail.example.com", "fail"), "", "fail"),
        (spf("mail.example.com", "softfail"), "", "fail"),
        (spf("mail.example.com", "temperror"), "", "temperror"),
        (spf("attacker.test", "temperror"), "", "fail"),
    ],
)
def test_alignment(identity: Identity, tags: str, result: str) -> None:
    names = Names({"_dmarc.example.com": f"v=DMARC1; p=reject; {tags}"})
    assert evaluate("mail.example.com", [identity], names).result == result


def test_a_domain_with_its_own_organization_is_not_aligned() -> None:
    names = Names({"_dmarc.example.com": REJECT, "_dmarc.customer.example.com": "v=DMARC1; p=none; psd=n"})
    assert evaluate("example.com", [dkim("customer.example.com")], names).result == "fail"
    assert evaluate("customer.example.com", [dkim("example.com")], names).result == "fail"
    assert evaluate("a.customer.example.com", [dkim("customer.example.com")], names).result == "pass"


def test_siblings_under_a_public_suffix_are_not_aligned() -> None:
    names = Names({"_dmarc.co.example": "v=DMARC1; p=none; psd=y", "_dmarc.one.co.example": REJECT})
    assert evaluate("one.co.example", [dkim("two.co.example")], names).result == "fail"


def test_one_pass_beats_every_failure() -> None:
    names = Names({"_dmarc.example.com": REJECT})
    identities = [spf("example.com", "temperror"), dkim("x.test", "fail"), dkim("example.com")]
    assert evaluate("example.com", identities, names).result == "pass"


def test_the_same_domain_needs_no_walk() -> None:
    names = Names({"_dmarc.a.b.example.com": REJECT})
    assert evaluate("a.b.example.com", [dkim("x.test"), spf("a.b.example.com")], names).result == "pass"
    assert names.asked == ["_dmarc.a.b.example.com"]


def test_foreign_domains_are_not_asked_about() -> None:
    names = Names({"_dmarc.example.com": REJECT})
    evaluate("mail.example.com", [dkim(f"{i}.attacker.test") for i in range(10)], names)
    assert {name.removeprefix("_dmarc.") for name in names.asked} == {"mail.example.com", "example.com", "com"}


def test_failures_of_dns_come_through() -> None:
    with pytest.raises(LookupFailed):
        evaluate("example.com", [], Names({}, failing=("_dmarc.example.com",)))


# the author's domain


@pytest.mark.parametrize(
    ("value", "domains"),
    [
        ("MAILER-DAEMON@mail.example.com", ("mail.example.com",)),
        ("Mail Delivery System <MAILER-DAEMON@Mail.Example.COM>", ("mail.example.com",)),
        ('"a@x.test, b" <c@example.com> (d@y.test (e))', ("example.com",)),
        ("postmaster@x.test <c@example.com>", ("example.com",)),
        ("a@example.com, <b@example.com>", ("example.com",)),
        ("a@x.test, b@y.test", ("x.test", "y.test")),
        ("Doe, Jane <j@example.com>", ("example.com",)),
        ('"quoted@local"@example.com', ("example.com",)),
        ("<root@bücher.example>", ("xn--bcher-kva.example",)),
        ("<a@b@example.com>", ("example.com",)),
        ("Mail Delivery Subsystem", ()),
        ("<>", ()),
        ("root@localhost", ("",)),
        ("a@[192.0.2.1]", ("",)),
        ("a@192.0.2.1", ("",)),
        ("a@x..test", ("",)),
        ("(" * 5000 + "@" * 5000, ()),
    ],
)
def test_author_domains(value: str, domains: tuple[str, ...]) -> None:
    assert author_domains([value]) == domains


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "localhost",
        "a b.test",
        "x\r\ny.test",
        "[::1]",
        "a.test\x00",
        "-a.test",
        "x" * 64 + ".test",
        "a." * 130 + "test",
    ],
)
def test_what_is_no_domain_name(text: str) -> None:
    assert domain_name(text) == ""


@given(st.text(max_size=200), st.lists(st.binary(max_size=80), max_size=3))
def test_never_raises(text: str, records: list[bytes]) -> None:
    def txt(name: str) -> tuple[bytes, ...]:
        return tuple(b"v=DMARC1;" + record for record in records)

    for domain in (*author_domains([text]), "mail.example.com"):
        verdict = evaluate(domain, [dkim(domain_name(text)), spf("example.com")], txt)
        assert verdict.result in ("none", "pass", "fail")
