"""The settings as their page shows them: in groups, a sentence each, in units that people read."""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

from webhooks.catalogue import HIDDEN, counted, in_seconds
from webhooks.settings import SECRET_FIELDS, Settings, variable
from webhooks.web.ui.filters import size

# Each group: its title, and its fields of ``Settings`` with a sentence each.
_GROUPS: Final[dict[str, dict[str, str]]] = {
    "Addresses": {
        "public_url": "What links and pages start with.",
        "host": "The address that the web server listens at.",
        "port": "The port that the web server listens at.",
        "trusted_proxies": "Proxies whose X-Forwarded headers count.",
    },
    "Deliveries": {
        "timeout": "How long one attempt may take, where a webhook says nothing else.",
        "retry_schedule": "The waits before each further attempt, give or take a fifth.",
        "workers": "Processes that deliver.",
        "worker_threads": "Attempts at a time of each of them.",
        "proxy": "The proxy that deliveries go through.",
        "allow_nets": "Networks that may be sent to although the rules refuse them.",
        "deny_nets": "Networks that may not be sent to.",
    },
    "Events and recordings": {
        "retention_days": "After this time finished deliveries, their events and recordings are removed.",
        "media_link_ttl": "How long a download link works.",
        "max_body": "The largest event or batch that is accepted.",
        "max_media": "The largest recording that is accepted.",
        "max_media_total": "The most that all recordings may take: beyond it the oldest are removed.",
        "spool_dirs": "Folders from which an event may name a recording.",
        "x_accel_prefix": "The path under which nginx sends recordings.",
    },
    "Zoho PhoneBridge": {
        "zoho_link_ttl": "How long a link to a recording works that Zoho gets: it fetches when it likes.",
        "zoho_accounts": "The address to log in at, in place of the data centre's own.",
        "zoho_api": "A further address that Zoho may name for its API.",
    },
    "Security": {
        "admin_password": "The password of admin, where it is set here.",
        "secret_key": "Signs sessions and links, encrypts secrets.",
        "old_secret_keys": "Earlier secret keys, still good for reading.",
    },
    "This machine": {
        "data_dir": "Database, recordings and keys.",
        "database_url": "The database, where it is not SQLite in the data folder.",
        "redis_url": "Your own Redis or Valkey, in place of the built-in one.",
        "redis_server": "The program to run as the built-in Redis.",
        "tz": "The time zone of these pages.",
        "log": "The form of log lines.",
    },
}
_SECONDS: Final = frozenset({"timeout", "media_link_ttl", "zoho_link_ttl"})
_BYTES: Final = frozenset({"max_body", "max_media", "max_media_total"})
_STEPS: Final = (("day", 86_400), ("hour", 3_600), ("minute", 60))


class SettingRow(NamedTuple):
    """A setting as the page shows it: of a secret only whether it is set. ``source``: where it is set."""

    variable: str
    sentence: str
    value: str
    source: str


class SettingGroup(NamedTuple):
    title: str
    rows: Sequence[SettingRow]


def setting_groups(settings: Settings) -> list[SettingGroup]:
    """Every setting, in the groups of the page."""
    return [
        SettingGroup(title, [_row(settings, field, sentence) for field, sentence in fields.items()])
        for title, fields in _GROUPS.items()
    ]


def _row(settings: Settings, field: str, sentence: str) -> SettingRow:
    source = "default"
    if field in settings.model_fields_set:
        source = "environment" if variable(field) in os.environ else ".env"
    return SettingRow(variable(field), sentence, _shown(settings, field), source)


def _shown(settings: Settings, field: str) -> str:
    """A setting's value for people; "" where there is none."""
    value: Any = {"data_dir": settings.data, "public_url": settings.base_url}.get(
        field, getattr(settings, field)
    )
    if value is None or value == ():
        return ""
    if field in SECRET_FIELDS:
        return HIDDEN
    if field in _BYTES:
        return size(value)
    if field == "retention_days":
        return counted(value, "day")
    if field in _SECONDS:
        return span_of(value)
    if field == "retry_schedule":
        return ", ".join(map(span_of, value))
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def span_of(seconds: float) -> str:
    """A setting's time: "5 seconds", "1 day", "1 hour 30 minutes"."""
    left, parts = timedelta(seconds=seconds).total_seconds(), []
    for unit, length in _STEPS:
        if left >= length:
            parts.append(counted(int(left // length), unit))
            left %= length
    if left or not parts:
        parts.append(in_seconds(left))
    return " ".join(parts)
