"""bouncemx webhooks: the endpoints that are told what happens, and what became of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir, Json, refuse_data_dir
from server.cli.transactions import reading, writing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from handlers.events import EventType
    from server.settings import Settings
    from server.webhooks.post import Answer

app = typer.Typer(invoke_without_command=True, help="Endpoints that are told what happens.")
Id = Annotated[int, typer.Argument(metavar="ID", help="The webhook, as the list has it.")]
Limit = Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="At most so many.")]


@app.callback()
def webhooks(context: typer.Context, json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """The endpoints that are told what happens, without their secrets; or one of the commands below."""
    if context.invoked_subcommand is not None:
        refuse_data_dir(context)
        return
    from server import settings
    from server.cli.output import fields, print_table
    from storage.webhooks import listing

    with reading(settings.load(data_dir)) as connection:
        columns = [
            *fields("id", "account", "url"),
            ("events", lambda row: _short(row["events"])),
            *fields("state", "queued", "dead", "delivered", "why"),
        ]
        print_table(listing(connection), json=json, columns=columns)


@app.command("add")
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where events are sent to, https://...")],
    account: Annotated[str, typer.Option(metavar="A", help="The account that is told; without it the operator.")] = "",
    events: Annotated[str, typer.Option(metavar="TYPES", help="The types wanted, with commas; all if not given.")] = "",
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Tell an endpoint what happens from now on; prints its secret, which is shown only this once."""
    from server import settings
    from server import webhooks as sending
    from server.cli.output import print_lines
    from server.settings import UserError
    from server.webhooks import signature, target
    from storage import webhooks as stored

    loaded = settings.load(data_dir)
    types = _types(events)
    secret = signature.new_secret()
    try:
        target.read(url, sending.policy(loaded))
        with writing(loaded) as connection:
            made = stored.add(connection, _account(connection, account), url, types, secret, _now())
    except ValueError as refused:
        raise UserError(f"{url}: {refused}") from None
    print_lines(
        [{**made, "secret": secret}],
        json=json,
        plain=lambda row: f"Webhook {row['id']}; its secret, shown only now: {row['secret']}",
    )


@app.command("remove")
def remove(webhook: Id, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Forget an endpoint, with its queue and history."""
    from storage import webhooks as stored

    with _changing(webhook, data_dir) as connection:
        stored.remove(connection, None, webhook)
    print(f"Webhook {webhook} is removed.")


@app.command("enable")
def enable(webhook: Id, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Try a broken or disabled endpoint again, at once."""
    from storage import webhooks as stored

    with _changing(webhook, data_dir) as connection:
        stored.enable(connection, None, webhook)
    print(f"Webhook {webhook} is enabled.")


@app.command("disable")
def disable(webhook: Id, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Send nothing more to an endpoint; what happens meanwhile is not queued for it."""
    from storage import webhooks as stored

    with _changing(webhook, data_dir) as connection:
        stored.disable(connection, None, webhook, "by command")
    print(f"Webhook {webhook} is disabled.")


@app.command("rotate")
def rotate(
    webhook: Id,
    hours: Annotated[float, typer.Option(metavar="N", min=0, help="How long the old secret signs along.")] = 24,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Sign with a new secret, and with the old one too for some hours; prints the new one."""
    from datetime import timedelta

    from server.webhooks.signature import new_secret
    from storage import webhooks as stored

    secret = new_secret()
    with _changing(webhook, data_dir) as connection:
        stored.rotate(connection, None, webhook, secret, _now(), timedelta(hours=hours))
    print(f"The new secret of webhook {webhook}, shown only now: {secret}")
    print(f"The old one signs along for {hours:g} hours.")


@app.command("history")
def history(webhook: Id, limit: Limit = 50, json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """The tries, newest first."""
    from server.cli.output import fields, print_table
    from storage import webhook_tries

    with _known(webhook, data_dir) as connection:
        columns = [
            *fields("at", "event", "type", "delivery", "state", "status", "milliseconds"),
            ("answer", lambda row: row["error"] or " ".join((row["excerpt"] or "").split())[:60]),
        ]
        print_table(webhook_tries.history(connection, None, webhook, limit=limit), json=json, columns=columns)


@app.command("queue")
def queue(
    webhook: Id,
    state: Annotated[str, typer.Option(metavar="S", help="queued, delivered, superseded or dead.")] = "",
    limit: Limit = 50,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """The events for an endpoint and what became of each, newest first."""
    from server.cli.output import fields, print_table
    from server.settings import UserError
    from storage import webhook_tries

    if state and state not in webhook_tries.DISPATCH_STATES:
        raise UserError(f"--state {state}: there are {', '.join(webhook_tries.DISPATCH_STATES)}")
    with _known(webhook, data_dir) as connection:
        found = webhook_tries.dispatches(connection, None, webhook, state=state or None, limit=limit)
        columns = fields("event", "type", "delivery", "state", "tries", "due_at", "superseded_by", "why")
        print_table(found, json=json, columns=columns)


@app.command("redeliver")
def redeliver(
    webhook: Id,
    events: Annotated[list[str] | None, typer.Argument(metavar="EVENT", help="Such as evt_12.")] = None,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="All that happened since, such as 2026-03-04T05:00Z.")
    ] = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Send again under the same ids: the dead letters, or these events, or all since a time."""
    from storage import webhook_tries

    ids = [_event_id(name) for name in events or ()] or None
    moment = _moment(since) if since else None
    with _changing(webhook, data_dir) as connection:
        count = webhook_tries.redeliver(connection, None, webhook, _now(), event_ids=ids, since=moment)
    print(f"{count} events are queued again.")


@app.command("test")
def try_out(
    webhook: Id,
    event: Annotated[str, typer.Option(metavar="TYPE", help="The type of the example.")] = "bounce.hard",
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Send an example to an endpoint now, and show the answer; it stands in no history."""
    from server import settings
    from server.cli.output import print_lines
    from storage import webhooks as stored

    kind = _types(event)[0]
    with _known(webhook, data_dir) as connection:
        endpoint = stored.get(connection, None, webhook) or {}
        secrets = stored.secrets(connection, None, webhook, _now())
    answer = _send(settings.load(data_dir), endpoint, secrets, kind)
    row = {
        "status": answer.status,
        "milliseconds": answer.milliseconds,
        "taken": answer.is_taken,
        "error": None if answer.is_taken else answer.detail or answer.why,
        "excerpt": answer.excerpt,
    }
    print_lines([row], json=json, plain=_told)
    if not answer.is_taken:
        raise typer.Exit(1)


def _told(row: dict[str, Any]) -> str:
    said = f"HTTP {row['status']}" if row["taken"] else row["error"]
    return f"{'Taken' if row['taken'] else 'Not taken'}: {said}, {row['milliseconds']} ms"


def _send(loaded: "Settings", endpoint: dict[str, Any], secrets: "Sequence[str]", kind: "EventType") -> "Answer":
    import asyncio
    from json import dumps

    from server import webhooks as sending
    from server.webhooks import examples

    now = _now()
    content = examples.content(kind, endpoint["account"], now)

    async def send() -> "Answer":
        async with sending.post(loaded) as post:
            return await post.send(endpoint["url"], secrets, content["id"], dumps(content, ensure_ascii=False), now)

    return asyncio.run(send())


@contextmanager
def _known(webhook: int, data_dir: "Path") -> "Iterator[Connection]":
    """A transaction that reads. Raises UserError where there is no such webhook."""
    from server import settings

    with reading(settings.load(data_dir)) as connection:
        _check(connection, webhook)
        yield connection


@contextmanager
def _changing(webhook: int, data_dir: "Path") -> "Iterator[Connection]":
    """A transaction that writes. Raises UserError where there is no such webhook."""
    from server import settings

    with writing(settings.load(data_dir)) as connection:
        _check(connection, webhook)
        yield connection


def _check(connection: "Connection", webhook: int) -> None:
    from server.settings import UserError
    from storage import webhooks as stored

    if not 0 < webhook < 2**31 or stored.get(connection, None, webhook) is None:
        raise UserError(f"there is no webhook {webhook}: `bouncemx webhooks` shows them")


def _account(connection: "Connection", name: str) -> int | None:
    from server.settings import UserError
    from storage import accounts

    if not name:
        return None
    found = accounts.find(connection, name)
    if found is None:
        raise UserError(f"there is no account {name!r}: `bouncemx accounts` lists them, `bouncemx mint` makes one")
    return found.id


def _types(words: str) -> "list[EventType]":
    from handlers.events import EventType
    from server.settings import UserError

    try:
        return [EventType(word.strip()) for word in words.split(",") if word.strip()]
    except ValueError as unknown:
        raise UserError(f"{unknown}; there are {', '.join(EventType)}") from None


def _event_id(name: str) -> int:
    from server.settings import UserError

    number = name.removeprefix("evt_")
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise UserError(f"{name!r} is no event: give an id such as evt_12")
    return int(number)


def _moment(text: str) -> "datetime":
    from datetime import UTC, datetime

    from server.settings import UserError

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"{text!r} is no time: give one such as 2026-03-04T05:06:07Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _now() -> "datetime":
    from datetime import UTC, datetime

    return datetime.now(UTC)


def _short(types: "Sequence[str]") -> str:
    from handlers.events import EventType

    return "all" if len(types) == len(EventType) else ", ".join(types)
