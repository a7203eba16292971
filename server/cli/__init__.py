"""The bouncemx command. Each command is in a module of its own; each imports what it needs when it runs."""

import sys
from io import TextIOWrapper
from typing import NoReturn

import typer

from server.cli import (
    accounts,
    api_keys,
    blindspots,
    contact,
    doctor,
    erase,
    explain,
    export,
    import_suppressions,
    incidents,
    inspect_mails,
    journal,
    keys,
    link,
    listings,
    mint,
    reclassify,
    rules,
    serve,
    unbounce,
    webhooks,
)

app = typer.Typer(
    name="bouncemx",
    help="The MX of your return paths: captures bounces, ties each to what you sent, says why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(serve.serve)
app.command()(mint.mint)
app.command()(listings.captures)
app.command()(listings.bounces)
app.command()(listings.messages)
app.command()(listings.suppressions)
app.add_typer(accounts.app, name="accounts")
app.add_typer(api_keys.app, name="api-keys")
app.command()(inspect_mails.inspect)
app.command()(explain.explain)
app.command()(contact.contact)
app.command()(reclassify.reclassify)
app.command()(blindspots.blindspots)
app.command()(link.link)
app.command()(link.unlink)
app.command()(unbounce.unbounce)
app.add_typer(incidents.app, name="incidents")
app.command("import")(import_suppressions.import_suppressions)
app.add_typer(export.app, name="export")
app.command()(erase.erase)
app.command()(erase.erasures)
app.command()(doctor.doctor)
app.add_typer(journal.app, name="journal")
app.add_typer(keys.app, name="keys")
app.add_typer(rules.app, name="rules")
app.add_typer(webhooks.app, name="webhooks")


def main() -> NoReturn:
    """Runs a command. Exit codes: 0 done, 1 it failed and may work later, 2 something is to be mended first."""
    from server.trouble import explained

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that can't show a letter shows its number
    try:
        with explained():
            app(prog_name="bouncemx")
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
    sys.exit(0)
