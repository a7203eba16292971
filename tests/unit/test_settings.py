"""Settings out of the file and the environment, and what is said of those that can't be."""

import os
from pathlib import Path

import pytest

from handlers.verp import Expiry
from server.settings import FILE_NAME, Limits, Settings, UserError, load
from tests.docs_settings import PAGE, page
from tests.unit.sent import RING


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("BOUNCEMX_"):
            monkeypatch.delenv(name)


def written(folder: Path, toml: str | bytes) -> Path:
    (folder / FILE_NAME).write_bytes(toml if isinstance(toml, bytes) else toml.encode())
    return folder


def refused(folder: Path) -> str:
    with pytest.raises(UserError) as raised:
        load(folder)
    return str(raised.value)


def test_nothing_is_needed(tmp_path: Path) -> None:
    found = load(tmp_path / "not there yet")
    assert found == Settings(data_dir=tmp_path / "not there yet")
    assert found.journal == tmp_path / "not there yet" / "journal"


def test_the_file_and_the_environment_which_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(
        tmp_path,
        'return_path_domain = "RP.Example.com."\nprofile = "conservative"\nwatched_addresses = ["Info@Example.com"]\n'
        "[limits]\nerrors = 5\nguesses = 6\n",
    )
    monkeypatch.setenv("BOUNCEMX_PROFILE", "hubspot")
    monkeypatch.setenv("BOUNCEMX_TRUSTED_PROXIES", '["192.0.2.1/24", "::1"]')
    monkeypatch.setenv("BOUNCEMX_LIMITS__GUESSES", "7")
    monkeypatch.setenv("BOUNCEMX_TLS_REQUIRED", "true")
    monkeypatch.setenv("BOUNCEMX_DATA_DIR", "/elsewhere")  # the command line has read it
    monkeypatch.setenv("BOUNCEMX_TEST_PG_URL", "of our tests")
    found = load(tmp_path)
    assert (found.return_path_domain, found.profile) == ("rp.example.com", "hubspot")
    assert found.watched_addresses == ("info@example.com",)
    assert found.trusted_proxies == ("192.0.2.0/24", "::1/128")
    assert (found.limits.errors, found.limits.guesses, found.limits.recipients) == (5, 7, Limits().recipients)
    assert found.tls_required is True
    assert found.data_dir == tmp_path


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ('return_path_domain = "x y"', "return_path_domain = 'x y': give a domain name such as bounces.example.com"),
        ('return_path_domain = "-x.example"', "return_path_domain = '-x.example': give a domain name"),
        ('return_path_domain = "münchen.example"', "(internationalised ones as xn--...)"),
        ("return_path_domain = 7", "return_path_domain = 7: give a text in quotes"),
        ('hostname = ""', "hostname = '': give a domain name"),
        ('base_local_part = "A B"', "base_local_part = 'A B': give 1 to 31 characters of a-z, 0-9"),
        ('watched_addresses = "a@b"', "watched_addresses = 'a@b': give a list"),
        ('watched_addresses = ["a@b", "c"]', "watched_addresses.1 = 'c': give an address pattern such as"),
        ('trusted_proxies = ["192.0.2.0/33"]', "trusted_proxies.0 = '192.0.2.0/33': give an address or a network"),
        ('dns_servers = ["dns.example"]', "dns_servers.0 = 'dns.example': give an IP address such as"),
        ("dns_port = 0", "dns_port = 0: it should be greater than or equal to 1"),
        ('profile = "x"', "profile = 'x': it should be 'hubspot' or 'conservative'"),
        ('separate_notices = "x"', "separate_notices = 'x': it should be 'match' or 'flag'"),
        ('tls_required = "maybe"', "tls_required = 'maybe': give true or false"),
        ("rules = [1]", "rules.0 = 1: give a path"),
        ("limits = 7", "limits = 7: give a table: [limits]"),
        ("[limits]\nmessage_octets = 1", "limits.message_octets = 1: it should be greater than or equal to 65536"),
        ("[limits]\nerrors = 1.5", "limits.errors = 1.5: it should be a valid integer"),
        ('tls_key = "k.pem"', "tls_certificate = None, tls_key = k.pem: they go together, give both"),
        ("token_valid_days = 10\ntoken_late_days = 5", "token_late_days = 5: it counts from the same day"),
        ('retun_path_domain = "x"', "retun_path_domain is not a setting; did you mean return_path_domain?"),
        ("[limits]\nmesage_octets = 1", "limits.mesage_octets is not a setting; did you mean message_octets?"),
        ("zzz = 1", "zzz is not a setting; there are: return_path_domain, base_local_part"),
        ('data_dir = "x"', "say --data-dir or BOUNCEMX_DATA_DIR instead"),
        ("a =\n", f"{FILE_NAME} is not TOML: Invalid value (at line 1, column 4)"),
        (b"\xff\xfe", f"{FILE_NAME} is not TOML: "),
    ],
)
def test_what_is_wrong_in_the_file(tmp_path: Path, toml: str | bytes, told: str) -> None:
    assert told in refused(written(tmp_path, toml))


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        (
            "BOUNCEMX_WATCHED_ADDRESSES",
            "a@b",
            "BOUNCEMX_WATCHED_ADDRESSES = 'a@b': lists and tables in the environment",
        ),
        ("BOUNCEMX_LIMITS", "{", "BOUNCEMX_LIMITS = '{': lists and tables in the environment are JSON"),
        ("BOUNCEMX_LIMITS__MESSAGE_OCTETS", "12", "limits.message_octets = '12': it should be greater"),
        ("BOUNCEMX_LIMITS__MESAGE_OCTETS", "12", "limits.mesage_octets is not a setting; did you mean message_octets?"),
        ("BOUNCEMX_PROFILE", "", "profile = '': it should be 'hubspot' or 'conservative'"),
        ("BOUNCEMX_LIMTS", "{}", "BOUNCEMX_LIMTS in the environment is not a setting; did you mean limits?"),
        ("BOUNCEMX_PROFILE__X", "1", "BOUNCEMX_PROFILE__X in the environment is not a setting"),
        ("BOUNCEMX_", "1", "BOUNCEMX_ in the environment is not a setting; there are: "),
    ],
)
def test_what_is_wrong_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert told in refused(tmp_path)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    told = refused(written(tmp_path, 'profile = "x"\ndns_port = 0\nlimits.errors = 0\n')).splitlines()
    assert [line.partition(" ")[0] for line in told] == ["profile", "dns_port", "limits.errors"]


def test_the_tokens_are_of_the_settings(tmp_path: Path) -> None:
    found = load(written(tmp_path, 'return_path_domain = "rp.example"\ntoken_valid_days = 3\ntoken_late_days = 4'))
    tokens = found.tokens(lambda: RING)
    assert (tokens.domain, tokens.expiry, tokens.ring()) == ("rp.example", Expiry(3, 4), RING)


def test_the_page_says_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.docs_settings"


def test_every_setting_says_what_it_means() -> None:
    for model in (Settings, Limits):
        for name, field in model.model_fields.items():
            assert field.description or field.annotation is Limits, name
