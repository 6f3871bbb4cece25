"""Phone systems that post to doors of their own: a location's settings for them, and the way of their events.

What is certain is stored at once. A record that may be one leg's view of a call waits until the call's other
records are there (``waiting_calls``).
"""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from pydantic import AfterValidator, Field
from sqlalchemy import orm

from webhooks.db.models import Location, PhoneSite, UnknownKind
from webhooks.db.store import Store
from webhooks.events.intake import Intake
from webhooks.events.storage import Accepted
from webhooks.pbx.finished import Site, Told
from webhooks.pbx.numbers import is_country, with_numbers
from webhooks.services.lookup import note, now, row_or_404, unless_deleted
from webhooks.services.parsing import Input, parse
from webhooks.services.waiting_calls import WaitingCalls, as_events
from webhooks.settings import Settings

_KINDS: Final = 30  # unknown kinds that are told apart for a system; the others count as one
_OTHER_KINDS: Final = "others"


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(f"has to be a name such as Europe/Berlin, not {name!r}") from None
    return name


def _country(code: str) -> str:
    code = code.upper()
    if not is_country(code):
        raise ValueError(f"has to be two letters such as DE or US, not {code[:60]!r}")
    return code


Country = Annotated[str, AfterValidator(_country), Field(title="Country", max_length=60)]


class SiteInput(Input):
    """What a location says of its phone system."""

    time_zone: Annotated[str, AfterValidator(_time_zone), Field(title="Time zone", max_length=60)] = ""
    internal: bool = Field(default=False, title="Internal calls")
    country: Country = ""


class SecretInput(Input):
    """The secret that Yeastar signs with."""

    secret: Annotated[str, Field(title="Secret", min_length=8, max_length=200)]


@dataclass(frozen=True)
class Sender:
    """Who knocks at a door: the location of a token, and what it says of its phone system."""

    location_id: int
    token_hash: bytes
    namespace: uuid.UUID
    site: Site
    country: str
    signing_secret: str | None


@dataclass(frozen=True)
class Taken:
    """What came of a message: events that were stored, and records that wait for their call's others."""

    accepted: Sequence[Accepted]
    waiting: int


class PhoneSystems:
    """The doors' services. Raises NotFound for an unknown location, and Unavailable as the Store does."""

    def __init__(self, settings: Settings, store: Store, intake: Intake) -> None:
        self._settings, self._store, self._intake = settings, store, intake
        self._waiting = WaitingCalls(store, intake)

    # --- a location's settings ---

    def settings_of(self, location_id: int) -> PhoneSite:
        """Read what a location says of its phone system."""
        with self._store.read() as session:
            site = session.get(PhoneSite, location_id)
        return site or PhoneSite(location_id=location_id, time_zone="", internal=False, country="")

    def country_of(self, location_id: int) -> str:
        """Read the country of a location's numbers, "" where it names none."""
        return self.settings_of(location_id).country

    def save(self, location_id: int, given: SiteInput) -> None:
        """Change a location's settings."""
        self._change(location_id, "phone system's settings changed", **given.model_dump())

    def set_country(self, location_id: int, country: str) -> None:
        """Change the country of a location's numbers alone. Raises Invalid."""
        given = parse(SiteInput, {"country": country})
        self._change(location_id, "country of its numbers changed", country=given.country)

    def set_signing_secret(self, location_id: int, secret: str | None) -> None:
        """Set the secret that messages have to be signed with; None takes unsigned ones again."""
        text = "messages have to be signed" if secret else "messages need no signature any more"
        self._change(location_id, f"phone system's {text}", signing_secret=secret)

    def _change(self, location_id: int, text: str, **values: object) -> None:
        with self._store.write() as session:
            location = row_or_404(
                unless_deleted(session.get(Location, location_id)), f"location {location_id}"
            )
            site = session.get(PhoneSite, location_id)
            if site is None:
                site = PhoneSite(location_id=location_id, time_zone="", internal=False, country="")
                session.add(site)
            for name, value in values.items():
                setattr(site, name, value)
            note(session, location, text)

    def sender(self, token_hash: bytes, namespace: uuid.UUID) -> Sender:
        """Read the location of a token. ``namespace`` is that of its events' ids.

        Raises:
            Unauthorised: the token was rotated meanwhile. LocationPaused: the location takes no events now.
        """
        location_id = self._intake.location(token_hash)
        given = self.settings_of(location_id)
        return Sender(
            location_id,
            token_hash,
            namespace,
            Site(self._zone(given.time_zone), given.internal),
            given.country,
            given.signing_secret,
        )

    def _zone(self, name: str) -> tzinfo:
        own = name or self._settings.tz
        return ZoneInfo(own) if own else datetime.now().astimezone().tzinfo or UTC

    # --- messages ---

    def told(self, location_id: int, thread: str) -> set[tuple[str, str]]:
        """Read which events of a call were stored: (type, status)."""
        return self._waiting.told(location_id, thread)

    def take(self, sender: Sender, system: str, told: Told) -> Taken:
        """Store what a message tells; return once it is on disk.

        Raises:
            InvalidEvent: an event of it that cannot be one. Unavailable: as the intake does.
        """
        now_told, later = (
            [with_numbers(event, sender.country) for event in events] for events in (told.now, told.later)
        )
        certain, views = as_events(now_told, sender.namespace), as_events(later, sender.namespace)
        accepted = self._intake.submit(sender.token_hash, certain) if certain else []
        if views:
            keys = [event.thread_key for event in views]
            self._waiting.keep(sender.location_id, list(zip(keys, later, strict=True)))
        if told.unknown:
            self.count(sender.location_id, system, Counter(told.unknown))
        return Taken(accepted, len(later))

    def count(self, location_id: int, system: str, words: Mapping[str, int]) -> None:
        """Add to how often words came that are not known: {word: times}."""
        with self._store.write() as session:
            for word, times in words.items():
                row = _unknown_kind(session, location_id, system, word[:60])
                row.count += times
                row.last_at = now()

    def unknown_kinds(self, location_id: int, system: str | None = None) -> Sequence[UnknownKind]:
        """Read which words of its phone systems were not known, the latest first."""
        query = sa.select(UnknownKind).where(UnknownKind.location_id == location_id)
        if system is not None:
            query = query.where(UnknownKind.system == system)
        with self._store.read() as session:
            return session.scalars(query.order_by(UnknownKind.last_at.desc())).all()


def _unknown_kind(session: orm.Session, location_id: int, system: str, word: str) -> UnknownKind:
    """Read or make the row of a word; that of all others, where there are many already."""
    row = session.get(UnknownKind, (location_id, system, word))
    if row is None:
        mine = sa.select(sa.func.count()).where(
            UnknownKind.location_id == location_id, UnknownKind.system == system
        )
        if (session.scalar(mine) or 0) >= _KINDS:
            word = _OTHER_KINDS
            row = session.get(UnknownKind, (location_id, system, word))
    if row is None:
        row = UnknownKind(location_id=location_id, system=system, kind=word, count=0, last_at=now())
        session.add(row)
    return row
