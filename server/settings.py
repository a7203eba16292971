"""The settings: bouncemx.toml in the data folder, or BOUNCEMX_NAME in the environment, which wins.

Lists and tables in the environment are JSON. An unknown name is an error that tells the known ones.
"""

import difflib
import ipaddress
import os
import re
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from handlers.causes import default_days
from handlers.effects import Policy
from handlers.keys import Keys
from handlers.tokens import Tokens
from handlers.verp import Expiry
from handlers.words import Profile, Reason

FILE_NAME = "bouncemx.toml"


class UserError(Exception):
    """Something the user can mend; its text names the field, the value and the way out."""


def _domain(value: str) -> str:
    value = value.strip().rstrip(".").lower()
    if not re.fullmatch(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", value):
        raise ValueError("give a domain name such as bounces.example.com (internationalised ones as xn--...)")
    return value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise ValueError("give an address or a network such as 192.0.2.0/24") from None


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError("give an IP address such as 192.0.2.53") from None


def _pattern(value: str) -> str:
    if value.count("@") != 1:
        raise ValueError("give an address pattern such as postmaster@example.com or *@example.com")
    return value.lower()


Domain = Annotated[str, AfterValidator(_domain)]
Network = Annotated[str, AfterValidator(_network)]
Address = Annotated[str, AfterValidator(_address)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Port = Annotated[int, Field(ge=1, le=65535)]
Days = Annotated[int, Field(ge=1, le=36500)] | Literal["forever"]


class Limits(BaseModel):
    """What one client may take, and all together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    message_octets: int = Field(25 << 20, ge=65536, le=1 << 30, description="Largest message, as SIZE says it")
    in_flight_octets: int = Field(256 << 20, ge=1 << 20, description="Mail being received at once, all sessions")
    recipients: int = Field(100, ge=1, le=1000, description="Recipients of one message")
    connections: int = Field(1000, ge=1, description="Connections at once")
    connections_per_address: int = Field(50, ge=1, description="Connections at once from one address")
    connections_per_network: int = Field(200, ge=1, description="Connections at once from one /24 or /64")
    idle_commands: int = Field(100, ge=10, description="NOOP, RSET, EHLO and the like between two messages")
    errors: int = Field(20, ge=1, description="Refused commands in one session")
    guesses: int = Field(30, ge=1, description="Forged tokens from one address within guess_window seconds")
    guess_window: float = Field(60, gt=0, description="Seconds")
    idle_timeout: float = Field(300, gt=0, description="Seconds without progress (RFC 5321 4.5.3.2.7)")
    data_timeout: float = Field(600, gt=0, description="Seconds for one message")
    session_timeout: float = Field(3600, gt=0, description="Seconds for one session")
    drain_timeout: float = Field(10, gt=0, description="Seconds that a stop waits for messages being received")
    reserve_octets: int = Field(4 << 20, ge=0, description="Room on the disk that must stay free")
    parse_seconds: float = Field(10, gt=0, description="Seconds that reading one mail may take")
    api_requests: int = Field(1200, ge=1, description="Requests to the API a minute, with one key")
    api_body_octets: int = Field(8 << 20, ge=1024, description="Content of one request to the API")
    parse_octets: int = Field(1 << 30, ge=256 << 20, description="Memory that reading one mail may take")


class Settings(BaseSettings):
    """Every setting. The docs' table is made from this."""

    model_config = SettingsConfigDict(env_prefix="BOUNCEMX_", env_nested_delimiter="__", extra="forbid", frozen=True)

    return_path_domain: Domain = Field("bounces.example.test", description="Domain of the return paths; its MX is here")
    base_local_part: str = Field("bounces", pattern=r"^[a-z0-9][a-z0-9._-]{0,30}$", description="Base return path")
    hostname: Domain | None = Field(None, description="What we call ourselves; the host's name where not given")
    watched_addresses: tuple[Pattern, ...] = Field(
        (), description="Patterns of addresses where detached notices arrive"
    )
    separate_notices: Literal["match", "flag"] = Field(
        "match", description="A separate e-mail at a return path: matched, or flagged"
    )
    profile: Profile = Field(Profile.HUBSPOT, description="Mapping of reasons to types")
    database_url: str | None = Field(
        None, description="SQLAlchemy URL; an SQLite file in the data folder where not given"
    )
    trusted_proxies: tuple[Network, ...] = Field((), description="Networks that must speak the PROXY protocol")
    tls_certificate: Path | None = Field(None, description="PEM file with the chain; offers STARTTLS")
    tls_key: Path | None = Field(None, description="PEM file with the key")
    tls_required: bool = Field(False, description="Refuse mail without TLS")
    dns_servers: tuple[Address, ...] = Field(
        (), description="Addresses of DNS servers; those of the host where not given"
    )
    dns_port: int = Field(53, ge=1, le=65535, description="Port of the DNS servers")
    authenticate: bool = Field(True, description="Check SPF, DKIM and DMARC of captures")
    own_relays: tuple[Network, ...] = Field(
        (), description="Networks of your own MTAs that take mail from your programs alone; see docs/trust.md"
    )
    rules: tuple[Path, ...] = Field((), description="Your own rule files, in front of ours")
    token_valid_days: int = Field(90, ge=1, le=3650, description="Days that a return path is good")
    token_late_days: int = Field(180, ge=1, le=3650, description="Days until it is refused; late in between")
    pending_hours: float = Field(72, gt=0, le=24 * 365, description="Hours from the first delay until it is soft")
    journal_keep_seconds: float = Field(60, ge=0, description="Seconds that a stored mail stays in the journal")
    webhook_networks_allowed: tuple[Network, ...] = Field(
        (), description="Networks that webhooks may reach though they are not public, by http too and at any port"
    )
    webhook_ports: tuple[Port, ...] = Field((443, 8443), description="Ports that webhooks may reach elsewhere")
    webhook_timeout: float = Field(15, gt=0, le=60, description="Seconds that an endpoint has for its answer")
    webhook_pause: float = Field(5, gt=0, le=3600, description="Seconds until an event is sent again; then longer")
    webhook_days: float = Field(3, gt=0, le=30, description="Days until an event that no try delivers is a dead letter")
    webhook_history_days: float = Field(30, gt=0, description="Days that the history of webhooks is kept")
    event_days: float = Field(365, ge=1, le=36500, description="Days that events are kept, for cursors and redelivery")
    suppression_days: dict[Reason, Days] = Field(
        {}, description="Days that an address is suppressed for a reason, or forever; see docs/suppressions.md"
    )
    unbounce_per_day: int = Field(1000, ge=0, description="Suppressions that an account may lift within a day")
    global_accounts: int = Field(3, ge=2, le=1000, description="Accounts in which an address must bounce to be global")
    global_window_days: int = Field(60, ge=1, le=3650, description="Days within which these must be")
    global_account_days: int = Field(7, ge=0, le=3650, description="Days that an account must be old for that")
    incident_addresses: int = Field(20, ge=2, description="Addresses that one provider must refuse for an incident")
    incident_window_minutes: int = Field(
        60, ge=1, le=10080, description="Minutes within which, and that a refusal waits"
    )
    incident_quiet_minutes: int = Field(360, ge=1, le=43200, description="Minutes without another that end it")
    limits: Limits = Limits()
    data_dir: Path = Field(Path("data"), description="The data folder", exclude=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        values = init_settings()
        file = Path(values["data_dir"]) / FILE_NAME
        toml = TomlConfigSettingsSource(settings_cls, file)
        if "data_dir" in toml.toml_data:
            raise UserError(f"data_dir stands in {file}, which is in it: say --data-dir or BOUNCEMX_DATA_DIR instead")
        return init_settings, env_settings, toml

    def tokens(self, ring: Callable[[], Keys]) -> Tokens:
        """The tokens of our return paths, verified with these keys."""
        expiry = Expiry(self.token_valid_days, self.token_late_days)
        return Tokens(self.return_path_domain, ring, lambda: datetime.now(UTC).date(), expiry)

    @property
    def policy(self) -> Policy:
        """What follows from bounces."""
        given = {reason: None if days == "forever" else days for reason, days in self.suppression_days.items()}
        return Policy(
            suppression_days={**default_days(), **given},
            global_accounts=self.global_accounts,
            global_window=timedelta(days=self.global_window_days),
            global_account_age=timedelta(days=self.global_account_days),
            incident_addresses=self.incident_addresses,
            incident_window=timedelta(minutes=self.incident_window_minutes),
            incident_quiet=timedelta(minutes=self.incident_quiet_minutes),
        )

    @property
    def journal(self) -> Path:
        return self.data_dir / "journal"


def load(data_dir: Path) -> Settings:
    """The settings for this data folder. Raises UserError that names every wrong field, its value and the way out."""
    _refuse_unknown_environment()
    file = data_dir / FILE_NAME
    try:
        settings = Settings(data_dir=data_dir)
    except ValidationError as error:
        raise UserError("\n".join(_explain(fault) for fault in error.errors())) from None
    except SettingsError as error:
        raise UserError(_explain_environment(error)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file} is not TOML: {error}") from None
    _check_pairs(settings)
    return settings


def _check_pairs(settings: Settings) -> None:
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        given = f"tls_certificate = {settings.tls_certificate}, tls_key = {settings.tls_key}"
        raise UserError(f"{given}: they go together, give both or none")
    valid, late = settings.token_valid_days, settings.token_late_days
    if late < valid:
        raise UserError(
            f"token_late_days = {late}: it counts from the same day as token_valid_days = {valid}, give at least that"
        )
    if settings.event_days < settings.webhook_days:
        raise UserError(
            f"event_days = {settings.event_days:g}: an event is tried again for webhook_days = "
            f"{settings.webhook_days:g}, give at least that"
        )
    room, message = settings.limits.in_flight_octets, settings.limits.message_octets
    if room < 2 * message:
        raise UserError(
            f"limits.in_flight_octets = {room}: give at least twice limits.message_octets = {message}, "
            "or no message of that size finds room"
        )


# where pydantic's own words name no way out, or speak of Python
_WAYS = {
    "tuple_type": 'give a list such as ["..."]',
    "model_type": "give a table: [limits] and below it one setting a line",
    "path_type": "give a path",
    "string_type": "give a text in quotes",
    "string_pattern_mismatch": "give 1 to 31 characters of a-z, 0-9 and . _ -, a letter or digit first",
    "bool_parsing": "give true or false",
    "bool_type": "give true or false",
}


def _explain(fault: Any) -> str:
    name = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{name} is not a setting{_nearest(name.rpartition('.')[2])}"
    way = _WAYS.get(fault["type"], fault["msg"].removeprefix("Value error, "))
    return f"{name} = {fault['input']!r}: {way.replace('Input', 'it', 1)}"


def _explain_environment(error: SettingsError) -> str:
    named = re.search(r'field "(\w+)"', str(error))
    variable = f"BOUNCEMX_{named[1].upper()}" if named else ""
    value = next((value for name, value in os.environ.items() if name.upper() == variable), None)
    told = f"{variable} = {value!r}" if value is not None else str(error)
    return f"{told}: lists and tables in the environment are JSON, such as '[\"*@example.com\"]'"


def _refuse_unknown_environment() -> None:
    # pydantic-settings looks up the names it knows, so a misspelt variable would be passed over in silence
    for variable in os.environ:
        name, inner, _ = variable.removeprefix("BOUNCEMX_").lower().partition("__")
        known = name == "limits" if inner else name in Settings.model_fields
        if variable.startswith("BOUNCEMX_") and not variable.startswith("BOUNCEMX_TEST_") and not known:
            raise UserError(f"{variable} in the environment is not a setting{_nearest(name)}")


def _nearest(name: str) -> str:
    known = [*Settings.model_fields, *Limits.model_fields]
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known)}"
