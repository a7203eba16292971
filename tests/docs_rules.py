"""docs/rules.md and docs/profiles.md, made from handlers/rules/: `python -m tests.docs_rules` writes them."""

from itertools import groupby
from pathlib import Path

from handlers import profiles
from handlers.rule import Rule
from handlers.ruleset import TABLES, Ruleset, load
from handlers.words import Profile, Reason

DOCS = Path(__file__).parents[1] / "docs"
RULES, PROFILES = DOCS / "rules.md", DOCS / "profiles.md"

_RULES_HEAD = """# Rules

What a reply or a notice's text means. The tables in `handlers/rules/` are asked in the order of this page, and
the first rule that matches wins; `bouncemx explain` shows which ones were tried. This page is made from the
tables by `python -m tests.docs_rules`.

## How it is read

1. The recipient's reply (`Diagnostic-Code`, or the reply that a text notice prints). Where another server wrapped it
   ("host mx said: ...", "Remote server returned ... ->"), the inner reply is read first.
2. The notice's own words, where the reply told nothing and the Status field names no clear case. Rules marked *reply*
   are left out here: a notice says such words of anything.
3. Words that say little (`vague.toml`), then the status (`status.toml`), then the reply code (`codes.toml`).
4. The guess: a small model over the words (`handlers/guess.py`). It says how sure it is, never leads to a suppression,
   and says nothing when it is not sure enough. Then the reason is `unknown`. A guess that is sure goes before a
   status that names no case (5.7.1, or "other" of any subject) and before a code without a status.

So labels of providers beat words, words beat the status, and the status beats the reply code. `5.0.0` is no evidence:
many servers write it when they were given no status.

Text is folded before it is matched: lower case, no accents, no quotes; brackets, dashes and marks become spaces (a dot
inside of a host name stays); e-mail addresses, reply codes and statuses are left out.

## How to add a rule in five lines

```toml
[[rule]]
id = "acme.unknown"
reason = "user_unknown"
match = ["we do not know (him|her|this person)"]
example = "550 We do not know this person"
```

Put it into a file of your own and name the file in the settings: your rules are asked first. `bouncemx rules check
FILE` says what is wrong with it: a bad pattern, a reason that does not exist, an example that another rule wins.

| field | meaning |
|---|---|
| `id` | who.what; unique |
| `reason` | one of the reasons in `docs/words.md` |
| `match` | patterns, one of which must be found in whole words of the folded text |
| `squeezed` | or texts without spaces, for Domino, which folds its diagnostics in the middle of words |
| `status`, `code` | conditions: "5.1.1", "x.2.2" (4 or 5), "5.7.501-503", "none" (no status); 550, "4xx" |
| `provider` | condition: the host that answered belongs to this table `[provider.NAME]` |
| `phase` | condition: connect, helo, mail, rcpt, data or end, where the notice tells it, or unknown |
| `names_address` | condition: whether the reply prints an address |
| `own` | condition: the notice comes from the recipient's own domain |
| `weak` | true: not for the notice's own words |
| `permanence` | "permanent" or "temporary", where the status or the code says otherwise |
| `example` | a reply that this rule must win; a table with `text`, `status`, `remote_mta`, `phase` where needed |
| `counter_example` | a reply that looks alike and that this rule must not win |
| `source`, `note` | where the fact is from, and what to know |

Patterns are regular expressions of a small subset that cannot be made slow: `(a|b)`, `x?`, `[abc]`, `\\d \\w \\S` and a
dot with `{m,n}` (up to 80), `(the |your ){0,3}` for words that may stand there, `... ` for a few words or none, `^` and
`$` for the ends of the text, and a dot in front for the end of a host name. There is no `*` and no `+`. An accented
letter also matches without its accent, as two letters (`ü`, `ue`), or lost.
"""
_TITLES = {
    "labels": "Labels of providers", "providers": "Mailbox providers",
    "gateways": "Gateways, blocklists, sending services", "servers": "Mail servers",
    "causes": "Causes in many languages", "languages": "Other languages", "phrases": "What most servers say",
    "vague": "Words that say little", "status": "Status", "codes": "Reply code",
}  # fmt: skip
_PROFILES_HEAD = """# Profiles

A profile says which type and category a reason comes to, for a permanent and for a temporary refusal. `hubspot` is the
default and uses HubSpot's own words: a strict filter is a hard bounce, and so is a full mailbox. `conservative` is
hard only where the reply says that the address itself is dead. Choose with `profile` in the settings or `--profile`.

Temporary is what a status or a reply code with a leading 4 says, or the rule itself; a notice without any code that
names its cause has given up for good. A delay is `pending` whatever its reason, with the category of the temporary
column. `global` comes from several accounts, never from one reply. A recipient that did not bounce (delivered,
relayed, expanded) has the reason `unknown` and the type `soft`, which leads to nothing by itself.

This page is made from `handlers/rules/profiles.toml` by `python -m tests.docs_rules`.
"""


def rules_page(ruleset: Ruleset) -> str:
    """The whole of docs/rules.md."""
    tables = groupby(ruleset.rules, key=lambda rule: rule.table.removesuffix(".toml"))
    sections = "".join(_section(name, list(rules)) for name, rules in tables)
    return f"{_RULES_HEAD}\n## The {len(ruleset.rules)} rules\n{sections}"


def _section(name: str, rules: list[Rule]) -> str:
    head = f"\n### {_TITLES[name]} (`{name}.toml`)\n\n| rule | reason | only if | example |\n|---|---|---|---|\n"
    return head + "".join(map(_row, rules))


def _row(rule: Rule) -> str:
    note = f"<br>{_cell(rule.note)}" if rule.note else ""
    return f"| `{rule.id}` | {rule.reason} | {_conditions(rule)} | {_cell(rule.example.text)}{note} |\n"


def _conditions(rule: Rule) -> str:
    status = rule.status if len(rule.status) < 5 else (rule.status[0], "to", rule.status[-1])
    named = (
        ("status", " ".join(status)), ("code", " ".join(rule.codes)), ("from", rule.provider or ""),
        ("at", " ".join(rule.phases)), ("reply", " " if rule.weak else ""),
        ("no address", " " if rule.names_address is False else ""), ("own domain", " " if rule.own else ""),
        ("permanent" if rule.permanent else "temporary", " " if rule.permanent is not None else ""),
    )  # fmt: skip
    return ", ".join(f"{name} {value}".strip() for name, value in named if value)


def _cell(text: str) -> str:
    return text.replace("|", "&#124;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")


def profiles_page() -> str:
    """The whole of docs/profiles.md."""
    return _PROFILES_HEAD + "".join(map(_profile, Profile))


def _profile(profile: Profile) -> str:
    table = profiles.table(profile)
    rows = "".join(
        f"| {reason} | {_effect(table[reason].permanent)} | {_effect(table[reason].temporary)} |\n" for reason in Reason
    )
    return f"\n## {profile}\n\n| reason | permanent | temporary |\n|---|---|---|\n{rows}"


def _effect(effect: profiles.Effect) -> str:
    return f"{effect.type}, {effect.category}"


def main() -> None:
    RULES.write_text(rules_page(load()), "utf-8")
    PROFILES.write_text(profiles_page(), "utf-8")


assert set(_TITLES) == set(TABLES), "every table has a title"

if __name__ == "__main__":
    main()
