"""bouncemx explain: why a mail was judged as it was."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir, Json, Language

if TYPE_CHECKING:
    from handlers.bounce import Verdict
    from server.settings import Settings


def explain(
    what: Annotated[str, typer.Argument(metavar="CAPTURE|FILE", help="A capture's id, or a mail in a file.")],
    language: Language = "en",
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Say why a mail was judged as it was.

    For each recipient: the rule that decided, the words that it matched, what nearly won. Of a capture also how far
    it is believed, and why (docs/trust.md).
    """
    from handlers.parse import parse
    from handlers.report import KIND_GUESSED
    from server import settings
    from server.cli.output import print_lines
    from server.rulebook import classifier

    loaded = settings.load(data_dir)
    raw, capture = _mail(what, loaded)
    linked = capture and capture["linked_by_hand"]
    report = parse(raw, capture["envelope"]["reverse_path"] if capture else None)
    guessed = KIND_GUESSED in report.faults
    found = classifier(loaded.rules, loaded.profile).explain(report)
    rows = [
        {
            "address": recipient.final_recipient,
            "reply": each.reply,
            "status": each.status,
            "smtp_code": each.smtp_code,
            "reason": each.verdict.reason,
            "type": each.verdict.type,
            "category": each.verdict.category,
            "rule": each.verdict.rule,
            "span": each.verdict.span,
            "guess": each.verdict.guess,
            "confidence": each.verdict.confidence,
            "kind_guessed": guessed,
            "nearly": [{"rule": rule, "span": span} for rule, span in each.nearly],
            "trust": capture and capture["trust"],
            "trust_reasons": capture["trust_reasons"] if capture else [],
            "linked_by_hand": linked,
            "advice": _advice(each.verdict, language),
        }
        for recipient, each in zip(report.recipients, found, strict=True)
    ]
    if not rows and not json:
        print(f"It is of kind {report.kind} (read as {report.dialect or 'nothing known'}) and names no recipient.")
    print_lines(rows, json=json, plain=_told)
    if guessed and not json:
        print(f"That it is of kind {report.kind} is a guess from how its words sound: no phrase and no field tells it.")
    if capture and capture["trust"] and not json:
        print(_believed(capture))
    if linked and not json:
        print(_linked(linked))


def _advice(verdict: "Verdict", language: str) -> dict[str, str] | None:
    """None of what did not bounce."""
    from dataclasses import asdict

    from handlers.advice import advice
    from handlers.bounce import NO_BOUNCE

    return None if verdict.rule in NO_BOUNCE else asdict(advice(verdict.category, verdict.type, language))


def _mail(what: str, loaded: "Settings") -> tuple[bytes, dict[str, Any] | None]:
    """The octets, and what is stored of a capture."""
    from server.settings import UserError

    if Path(what).is_file():
        return Path(what).read_bytes(), None
    if not re.fullmatch(r"[0-9]{1,19}", what):
        raise UserError(f"{what}: there is no such file, and a capture's id is a number")
    from server.cli.transactions import reading
    from storage import captures

    with reading(loaded) as connection:
        found, raw = captures.get(connection, int(what)), captures.raw(connection, int(what))
    if found is None or raw is None:
        raise UserError(f"there is no capture {what}; `bouncemx captures` shows them")
    return raw, found


def _believed(capture: dict[str, Any]) -> str:
    return f"Trust: {capture['trust']} ({', '.join(capture['trust_reasons'])})"


def _linked(linked: dict[str, Any]) -> str:
    message = linked["message"]
    return (
        f"Linked by hand to delivery {linked['delivery']} ({message['message_id']} to {message['recipient']})\n"
        f"  by {linked['who']}, {linked['when'][:19]}: {linked['why']}"
    )


def _told(row: dict[str, Any]) -> str:
    lines = [
        f"{row['address']}: {row['type']}, {row['category']}, {row['reason']}",
        f"  because  {row['rule']}" + (f" (a guess, confidence {row['confidence']:.2f})" if row["guess"] else ""),
        f"  matched  {row['span']!r}" if row["span"] else "  matched  no words: the code decided",
        f"  in       {row['reply'][:300]!r}",
        f"  status   {row['status'] or 'none'}, reply code {row['smtp_code'] or 'none'}",
    ]
    if row["advice"]:
        lines += [f"  means    {row['advice']['means']}", f"  do       {row['advice']['do']}"]
    lines += [f"  nearly   {near['rule']}: {near['span']!r}" for near in row["nearly"][:5]]
    return "\n".join(lines)
