"""No sequence of captures without a proven failure ever suppresses an address or makes a delivery hard."""

from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlmodel import SQLModel

from storage import tables
from tests.integration.desk_fixture import ANN, BOB, Desk, crlf, dsn, text

EVE = "eve@other.example"
ADDRESSES = (ANN, BOB, EVE)
PLACES = (ANN, BOB, "base", "xverp", "forged", "expired")
ACTIONS = ("failed", "delayed", "delivered", "relayed", "expanded", "")
SENDERS = {"": True, "MAILER-DAEMON@x.example": True, "eve@x.example": False}  # reverse path: no person's
WORDS = (
    "550 5.1.1 <{}>: User unknown",
    "550 no such user here: {}",
    "{} does not exist",
    "452 4.2.2 <{}> mailbox full",
)
NAMED = ("", "Message-ID: {message_id}", "envid{base}", "Return-Path: <{bob}>")


class Sent(NamedTuple):
    """One mail, as it is drawn."""

    place: str
    form: str  # "dsn", "text", "auto_reply"
    stated: tuple[str, ...]
    action: str
    status: str
    words: str
    reverse_path: str
    back: str

    @property
    def proves(self) -> set[str]:
        """Whose failure this proves, by what docs/trust.md says of a mail whose sender nobody knows."""
        knows = {self.place, BOB} if self.place == "xverp" and "Return-Path" in self.back else {self.place}
        own = knows & set(self.stated)
        if self.form == "dsn":
            return own if self.action == "failed" and SENDERS[self.reverse_path] else set()
        return own if self.form == "text" and self.words[0].isdigit() and SENDERS[self.reverse_path] else set()


MAILS = st.builds(
    Sent,
    place=st.sampled_from(PLACES),
    form=st.sampled_from(["dsn", "dsn", "text", "auto_reply"]),
    stated=st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=3, unique=True).map(tuple),
    action=st.sampled_from(ACTIONS),
    status=st.sampled_from(["5.1.1", "5.0.0", "5.2.1", "4.2.2", "2.1.5"]),
    words=st.sampled_from(WORDS),
    reverse_path=st.sampled_from(list(SENDERS)),
    back=st.sampled_from(NAMED),
)


def to(mail: Sent, minted: dict[str, str]) -> str:
    token, _, domain = minted[ANN].partition("@")
    return {
        ANN: minted[ANN],
        BOB: minted[BOB],
        "base": f"bounces@{domain}",
        "xverp": f"{minted['base']}+{mail.stated[0].replace('@', '=')}@{domain}",
        "forged": f"{token[:-1]}{'b' if token.endswith('a') else 'a'}@{domain}",
        "expired": f"{token[::-1]}@{domain}",
    }[mail.place]


def raw(mail: Sent, minted: dict[str, str]) -> bytes:
    from_ = f"From: {mail.reverse_path or 'MAILER-DAEMON@x.example'}"
    words = "\n\n".join(mail.words.format(address) for address in mail.stated)
    back = mail.back.format(bob=minted[BOB], base=minted["base"], message_id=minted["message_id"])
    if mail.form == "dsn":
        return dsn(*mail.stated, action=mail.action, status=mail.status, back=back, head=from_)
    if mail.form == "text":
        return text("Your message could not be delivered.\n\n" + words, from_.removeprefix("From: "))
    return crlf(
        f"From: Eve <{EVE}>\nSubject: Automatic reply: News\nAuto-Submitted: auto-replied\n\nI am away.\n\n{words}\n"
    )


def take(desk: Desk, mails: list[Sent]) -> None:
    """All of them, on an empty database."""
    with desk.database.writer() as connection:
        for table in reversed(SQLModel.metadata.sorted_tables):
            if table is not tables.account:
                connection.execute(delete(table))
    minted = desk.mint("m1")
    for mail in mails:
        desk.take(raw(mail, minted), to(mail, minted), reverse_path=mail.reverse_path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mails=st.lists(MAILS, min_size=1, max_size=6))
def test_only_who_is_proven_to_have_failed(quiet_desk: Desk, mails: list[Sent]) -> None:
    take(quiet_desk, mails)
    proven = set[str]().union(*(mail.proves for mail in mails))
    assert set(quiet_desk.suppressed()) <= proven
    assert quiet_desk.hard() <= proven


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mails=st.lists(MAILS.filter(lambda mail: not mail.proves), min_size=1, max_size=8))
def test_without_any_proof_nothing_happens(quiet_desk: Desk, mails: list[Sent]) -> None:
    take(quiet_desk, mails)
    assert (quiet_desk.suppressed(), quiet_desk.hard()) == ([], set())
