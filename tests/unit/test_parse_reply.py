import pytest

from handlers.parse import reply


@pytest.mark.parametrize(
    ("text", "code", "status"),
    [
        ("550 5.1.1 <jo@dest.example>: no such user", 550, "5.1.1"),
        ("550-5.2.1 disabled", 550, "5.2.1"),
        ("550 #5.1.0 Address rejected", 550, "5.1.0"),
        ("550 [5.7.1] no", 550, "5.7.1"),
        ("554 delivery error: dd no such user", 554, None),
        ("User is over quota (#5.2.2)", None, "5.2.2"),
        ("554 4.4.7 expired <421 4.4.2 Connection timed out>", 421, "4.4.2"),  # the inner one is the remote's
        ("5.1.0 - Unknown address error 550-'5.1.1 <a@b.example>: unknown'", 550, "5.1.1"),
        ("250 2.1.5 Ok", 250, "2.1.5"),
        ("<-- 250 2.1.0 Ok --> RCPT To:<jo@dest.example> <-- 550 gone", 550, None),  # a session
        ("host mx [192.0.2.55] said: 421 too busy", 421, None),
        ("connect to 5.10.20.30:25 timed out", None, None),  # an address is no status
        ("Version 5.1.2600 of 4.2.2.1", None, None),
        ("see https://dest.example/550/5.1.1x", None, None),
        ("order 550123 of 2026", None, None),
        ("5.01.1 and 5.999999.1", None, None),
        ("ERROR_CODE :550, ERROR_CODE :5.1.1 gone", 550, "5.1.1"),
        ("451 4.4.1 reply: read error from mx.dest.example.", None, None),  # sendmail's words, nobody replied
        ("452 4.2.2 full. 451 reply: read error from mx.dest.example.", 452, "4.2.2"),
        ("550 5.0.0 sorry, no mailbox here by that name. (#5.1.1)", 550, "5.1.1"),  # x.0.0: the client's own
        ("550 5.0.0 sorry, see 4.2.2", 550, "5.0.0"),  # of another class
        ("", None, None),
    ],
)
def test_codes_are_read_as_they_stand(text: str, code: int | None, status: str | None) -> None:
    assert reply.read(text) == (code, status)


@pytest.mark.parametrize(
    ("field", "literal", "status"),
    [
        ("5.0.0", "5.2.2", "5.2.2"),
        ("5.1.1", "5.7.1", "5.7.1"),
        ("5.1.1", None, "5.1.1"),
        ("5.1.1", "5.0.0", "5.1.1"),
        ("5.1.1", "5.1.0", "5.1.1"),  # x.y.0 is "other" of its subject
        ("5.2.1", "5.1.0", "5.1.0"),
        ("5.1.0", "5.1.1", "5.1.1"),
        (None, "5.0.0", "5.0.0"),
        (None, None, None),
    ],
)
def test_the_remotes_own_code_wins_if_it_is_finer(field: str | None, literal: str | None, status: str | None) -> None:
    assert reply.decide(field, literal) == status


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("5.1.1 (bad mailbox)", "5.1.1"),
        ("4.4.7", "4.4.7"),
        ("9.9.9", None),
        ("999999.-1.NaN (5.1.1)", "5.1.1"),
        ("", None),
    ],
)
def test_status_fields(value: str, status: str | None) -> None:
    assert reply.status_of_field(value) == status


def test_a_reply_of_several_lines_says_its_code_once() -> None:
    folded = "452-4.2.2 The box is full. Please direct the 452-4.2.2 owner to 452 4.2.2 https://dest.example/full"
    assert reply.one_line(folded) == "452-4.2.2 The box is full. Please direct the owner to https://dest.example/full"
    assert reply.one_line("550-first 550-second 550 third").count("550-") == 1
    assert reply.one_line("no code at all 550-5.1.1 ") == "no code at all 550-5.1.1 "


@pytest.mark.parametrize(("code", "status"), [(550, "5.0.0"), (421, "4.0.0"), (250, None), (None, None)])
def test_a_reply_without_status_has_its_class(code: int | None, status: str | None) -> None:
    assert reply.class_of(code) == status
