import pytest

from handlers.parse import dates, parse, phrases


def suggestion(
    text: str, date: str = "Tue, 3 Nov 2026 10:00:00 +0100", subject: str = "Automatic reply: Hello", **fields: str
) -> dict[str, object] | None:
    head = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in fields.items())
    raw = (
        f"From: Jo <jo@dest.example>\nTo: b+1@rp.sender.example\nDate: {date}\nSubject: {subject}\n"
        f"{head}Content-Type: text/plain; charset=utf-8\n\n{text}\n"
    )
    found = parse(raw.encode(), "").suggestion
    return dict(found) if found is not None else None


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("I am out of the office until 13 November 2026.", "2026-11-13"),
        ("I am out of the office from November 9th to November 13th and back on November 16th.", "2026-11-16"),
        ("I am on vacation until 2026-12-01.", "2026-12-01"),
        ("I am on vacation and will be back on January 7.", "2027-01-07"),  # the year turns
        ("Ich bin bis 13.11. nicht im Büro, ab dem 16.11. bin ich wieder da.", "2026-11-16"),
        ("Je suis absent du bureau jusqu'au 13 novembre, de retour le 16 novembre.", "2026-11-16"),
        ("Olen lomalla 9.11.2026-13.11.2026, palaan 16.11.2026.", "2026-11-16"),
        ("11月13日まで休暇をいただいております。", "2026-11-13"),
        ("11월 13일까지 휴가 중입니다.", "2026-11-13"),
        ("Jsem na dovolené do 13. listopadu.", "2026-11-13"),
        ("Jestem poza biurem do 13 listopada, wracam 16 listopada.", "2026-11-16"),
        ("Я в отпуске, вернусь 16 ноября.", "2026-11-16"),
    ],
)
def test_returns_on(text: str, day: str) -> None:
    assert suggestion(text) == {"returns_on": day}


def test_month_first_where_the_sender_lives_in_america() -> None:
    text = "I am out of the office until 12/11/2026."
    assert suggestion(text, "Tue, 3 Nov 2026 10:00:00 -0500") == {"returns_on": "2026-12-11"}
    assert suggestion(text) == {"returns_on": "2026-11-12"}


@pytest.mark.parametrize(
    "text",
    [
        "I am out of the office. My extension is 11.30, the room 3/4.",
        "I am out of the office since 1 January 2020.",
        "I am out of the office until 45 November and 99.99.2026.",
        "I am out of the office.",
    ],
)
def test_no_date_is_made_up(text: str) -> None:
    assert suggestion(text) is None


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ("Ann no longer works here. Please write to office@dest.example.", "office@dest.example"),
        ("Frau Muster ist nicht mehr bei uns im Unternehmen tätig.", None),
        ("Kari har sluttet hos oss. Kontakt post@dest.example.", "post@dest.example"),
        ("山田は退職いたしました。", None),
    ],
)
def test_left(text: str, new: str | None) -> None:
    assert suggestion(text) == {"left": True, "new_address": new}


def test_the_day_on_which_a_mailbox_goes_is_no_day_of_return() -> None:
    text = "Ich bin nicht mehr bei uns tätig, das Postfach wird zum 31.12.2026 gelöscht. Neu: office@dest.example"
    assert suggestion(text, subject="Abwesenheitsnotiz") == {"left": True, "new_address": "office@dest.example"}


def test_a_colleague_is_no_new_address() -> None:
    assert suggestion("I am out of the office until 13 November. In urgent cases write to bo@dest.example.") == {
        "returns_on": "2026-11-13"
    }


@pytest.mark.parametrize(
    "text",
    [
        "Please remove me from your list.",
        "Bitte nehmen Sie mich aus dem Verteiler.",
        "配信停止をお願いします。",
        "Ota minut pois listalta, poista minut.",
    ],
)
def test_unsubscribe(text: str) -> None:
    assert suggestion(text, subject="Hello") == {"unsubscribe": True}


def test_a_newsletter_that_speaks_of_it_wants_nothing() -> None:
    assert suggestion("To unsubscribe click here.", subject="News", List_Unsubscribe="<https://list.example/u>") is None


def test_dates_without_a_sent_date_need_a_year() -> None:
    assert dates.returns_on(phrases.fold("back on 5 May"), "", "en") is None
    assert dates.returns_on(phrases.fold("back on 5 May 2026"), "", "en") == "2026-05-05"
