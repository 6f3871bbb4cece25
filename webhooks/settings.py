"""Settings: environment variables, and a ``.env`` beside app.py, as a frozen and validated object."""

import difflib
import hashlib
import ipaddress
import os
import socket
import tomllib
import zoneinfo
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote, urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from webhooks.errors import SettingsError
from webhooks.faults import need

ROOT: Final = Path(__file__).resolve().parent.parent
VERSION: Final[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
DAY: Final = 86_400
MIN_SECRET: Final = 16  # characters

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _parts(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _networks(values: list[str]) -> tuple[Network, ...]:
    return tuple(_plain(ipaddress.ip_network(value, strict=False)) for value in values)


def _plain(network: Network) -> Network:
    """Unmap a network such as ``::ffff:10.0.0.0/104``, which is 10.0.0.0/8 (RFC 4291, section 2.5.5.2)."""
    first = network.network_address
    if isinstance(first, ipaddress.IPv6Address) and first.ipv4_mapped and network.prefixlen >= 96:
        return ipaddress.IPv4Network((first.ipv4_mapped, network.prefixlen - 96))
    return network


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError("has to be an http:// or https:// address, without a user name")
    try:
        parts.port  # noqa: B018  # urlsplit checks the port when it is read
    except ValueError:
        raise ValueError("has a port that is no number from 0 to 65535") from None
    if parts.query or parts.fragment:
        raise ValueError("has to be without ? and #")
    return value.rstrip("/")


def _zone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("has to be a time zone such as Europe/Berlin") from error
    return value


def _expanded(value: Path) -> Path:
    try:
        return value.expanduser()
    except RuntimeError:
        raise ValueError("names a user who has no home") from None


def _folder(value: Path) -> Path:
    if not value.is_absolute() or not value.is_dir():
        raise ValueError(f"{value} is no existing folder with an absolute path")
    return value


Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(lambda value: _networks(_parts(value)))]
Schedule = Annotated[tuple[Annotated[int, Field(ge=1, le=30 * DAY)], ...], NoDecode, BeforeValidator(_parts)]
Folders = Annotated[tuple[Annotated[Path, AfterValidator(_folder)], ...], NoDecode, BeforeValidator(_parts)]


def _proxy(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme == "http" and parts.hostname and parts.path in ("", "/") and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("has to be http://HOST:PORT, with user:password@ before the host if it wants them")
    return value


def _location(value: str) -> str:
    if not value.startswith("/") or not value.endswith("/") or not value.isprintable() or " " in value:
        raise ValueError("has to be a path such as /protected-media/, with a slash at both ends")
    return value


Secrets = Annotated[
    tuple[Annotated[str, Field(min_length=MIN_SECRET)], ...], NoDecode, BeforeValidator(_parts)
]
HttpUrl = Annotated[str, AfterValidator(_http_url)]


class Settings(BaseSettings):
    """All settings, as docs/reference.md lists them. Durations are in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(
        env_prefix="SPOKE_",
        env_file=ROOT / ".env",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    data_dir: Annotated[Path, AfterValidator(_expanded)] = Path("data")
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    public_url: HttpUrl | None = None
    trusted_proxies: Networks = ()
    admin_password: str | None = Field(default=None, min_length=8)
    secret_key: str | None = Field(default=None, min_length=MIN_SECRET)
    database_url: str | None = Field(default=None, validation_alias="DATABASE_URL")
    redis_url: str | None = Field(default=None, validation_alias="REDIS_URL")
    redis_server: Path | None = None
    workers: int = Field(default=max(2, os.cpu_count() or 2), ge=1, le=64)
    worker_threads: int = Field(default=2048, ge=16, le=16_384)
    retry_schedule: Schedule = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    timeout: float = Field(default=15, ge=1, le=25)
    allow_nets: Networks = ()
    deny_nets: Networks = ()
    proxy: Annotated[str, AfterValidator(_proxy)] | None = None
    media_link_ttl: int = Field(default=DAY, ge=60, le=10 * 366 * DAY)
    spool_dirs: Folders = ()
    zoho_accounts: HttpUrl | None = None
    zoho_api: HttpUrl | None = None
    zoho_link_ttl: int = Field(default=7 * DAY, ge=60, le=10 * 366 * DAY)
    retention_days: int = Field(default=30, ge=1, le=36_600)
    max_body: int = Field(default=1 << 20, ge=1024)
    max_media: int = Field(default=256 << 20, ge=1024)
    max_media_total: int | None = Field(default=None, ge=1 << 20)
    x_accel_prefix: Annotated[str, AfterValidator(_location)] | None = None
    old_secret_keys: Secrets = ()
    tz: Annotated[str, AfterValidator(_zone)] | None = None
    log: Literal["text", "json"] = "text"

    @model_validator(mode="after")
    def _retention_outlasts_retries(self) -> "Settings":
        # Jitter may stretch every step by a fifth.
        if self.retention_days * DAY < sum(self.retry_schedule) * 1.2:
            days = -(-sum(self.retry_schedule) * 12 // 10 // DAY)
            raise ValueError(
                f"SPOKE_RETENTION_DAYS={self.retention_days} is shorter than the retry schedule: "
                f"set at least {days}, or shorten SPOKE_RETRY_SCHEDULE"
            )
        return self

    @model_validator(mode="after")
    def _known_servers(self) -> "Settings":
        url = self.database_url
        if url and not url.startswith(
            ("postgresql://", "postgres://", "postgresql+psycopg://", "sqlite:///")
        ):
            raise ValueError("DATABASE_URL has to start with postgresql:// (or be left out for SQLite)")
        if self.redis_url and not self.redis_url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("REDIS_URL has to start with redis://, rediss:// or unix://")
        for name, address in (("DATABASE_URL", url), ("REDIS_URL", self.redis_url)):
            try:
                urlsplit(address or "").port  # noqa: B018  # checked when it is read
            except ValueError:
                raise ValueError(f"{name} has a port that is no number from 0 to 65535") from None
        return self

    @cached_property
    def data(self) -> Path:
        """The data dir, absolute; a relative path counts from the folder of app.py."""
        return (ROOT / self.data_dir).resolve()

    @cached_property
    def base_url(self) -> str:
        """The start of links, without a slash at its end."""
        if self.public_url:
            return self.public_url
        host = socket.gethostname() if self.wildcard_host else self.host
        return _server_url(host, self.port)

    @property
    def own_url(self) -> str:
        """The address of this machine's own web server, past any proxy."""
        host = {"0.0.0.0": "127.0.0.1", "*": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(
            self.host, self.host
        )
        return _server_url(host, self.port)

    @property
    def wildcard_host(self) -> bool:
        return self.host in ("0.0.0.0", "::", "*", "")

    @cached_property
    def sqlite_file(self) -> Path:
        """The path of the SQLite database."""
        if self.database_url is None:
            return self.data / "spoke.sqlite3"
        return (ROOT / self.database_url.removeprefix("sqlite:///")).resolve()

    @cached_property
    def redis_socket(self) -> Path:
        """The socket of the embedded Redis: under /tmp if its path would be longer than 107 bytes."""
        path = self.data / "redis" / "redis.sock"
        if len(bytes(path)) <= 107:
            return path
        return Path(f"/tmp/spoke-{hashlib.sha256(bytes(path)).hexdigest()[:16]}/redis.sock")

    @property
    def redis_address(self) -> str:
        return self.redis_url or f"unix://{quote(str(self.redis_socket))}"

    @property
    def sqlite(self) -> bool:
        return self.database_url is None or self.database_url.startswith("sqlite:")


def _server_url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def variable(field: str) -> str:
    """The environment variable of a field of ``Settings``."""
    alias = Settings.model_fields[field].validation_alias if field in Settings.model_fields else None
    return str(alias) if alias else field if field.isupper() else f"SPOKE_{field.upper()}"


# Shown nowhere. A proxy is one for its password, which few have.
SECRET_FIELDS: Final = frozenset(
    {"admin_password", "secret_key", "old_secret_keys", "database_url", "redis_url", "proxy"}
)


def unknown_variables() -> list[str]:
    """Name each ``SPOKE_…`` variable of the environment or ``.env`` that is no setting, in a sentence."""
    known = [variable(name) for name in Settings.model_fields]
    given = {name.upper() for name in (*os.environ, *dotenv_values(ROOT / ".env"))}
    return [
        f"{name} is no setting and is ignored. Did you mean "
        f"{difflib.get_close_matches(name, known, n=1, cutoff=0)[0]}?"
        for name in sorted(given)
        if name.startswith("SPOKE_") and name not in known
    ]


def load_settings(**given: Any) -> Settings:
    """Read the environment.

    Raises:
        SettingsError: one sentence that names the variable, the value and what would be right.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    message = need(first)
    if not first["loc"]:
        raise SettingsError(message)
    name = variable(str(first["loc"][0]))
    given_value = os.environ.get(name, first.get("input", ""))
    hidden = {variable(field) for field in SECRET_FIELDS}
    secret = name in hidden and (name != "SPOKE_PROXY" or "@" in str(given_value))
    value = "" if secret else f"={given_value}"
    if len(first["loc"]) > 1 and not secret:  # one of several
        message = f"{str(first['input']).strip()!r} {message}"
    raise SettingsError(f"{name}{value} cannot be used: {message[0].lower()}{message[1:]}")
