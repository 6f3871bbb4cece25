"""The call that a recording or a voicemail of Asterisk is of: its thread and its parties.

A recording names the channel that was recorded, by ``uniqueid`` and ``linkedid``; the call's ``thread_id`` is
made from these, so that it is right before the call's end, long after it, and where no event of it was told.
A voicemail names its mailbox alone; its call is found by the caller and the time.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa

from webhooks.db.models import Event, EventNumber, Location, PbxConnection
from webhooks.db.store import Store
from webhooks.events.indexer import catch_up
from webhooks.events.phone_numbers import number_key
from webhooks.events.schema import MediaEvent, thread_key
from webhooks.pbx.asterisk.book import thread_id
from webhooks.pbx.asterisk.media import Told, call_of_message, parties_in_name
from webhooks.services.pbx import source_of

_PARTIES: Final = ("to", "from", "to_name", "from_name")
_OPEN: Final = ("ringing", "answered")
_LONGEST: Final = timedelta(hours=12)  # of a call
_LATE: Final = timedelta(hours=1)  # for the end of a call that was found out after a lost connection
_READ: Final = 200  # events of a caller in that time


class RecordedCalls:
    """Raises Unavailable as the Store does."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def relate(self, token_hash: bytes, event: MediaEvent) -> MediaEvent:
        """Give a media event the thread and the parties of its call, where it says which call that is.

        What the event has itself stays: one with a ``thread_id`` is related already.
        """
        if event.text("thread_id"):
            return event
        ids = [name for name in (event.text("linkedid"), event.text("uniqueid")) if name]
        if ids:
            return self._by_channel(token_hash, event, ids)
        if event.type == "voicemail" and event.text("mailbox") and event.text("timestamp"):
            return self._by_caller(token_hash, event)
        return event

    def _by_channel(self, token_hash: bytes, event: MediaEvent, ids: list[str]) -> MediaEvent:
        location = sa.select(Location.id).where(Location.token_hash == token_hash)
        connected = sa.select(PbxConnection.id, PbxConnection.location_id).where(
            PbxConnection.location_id.in_(location)
        )
        with self._store.read() as session:
            row = session.execute(connected).first()
        threads = list(ids)  # a dialplan, or the PBX itself, tells of calls by these
        if row is not None:
            source = source_of(row.location_id, row.id)
            threads = [str(thread_id(source, name)) for name in ids] + threads
        told = self._told_of(token_hash, threads)
        thread = next((name for name in threads if thread_key(name) in told), threads[0])
        parties = told.get(thread_key(thread)) or parties_in_name(event.filename or "")
        return event.filled({"thread_id": thread, **parties})

    def _told_of(self, token_hash: bytes, threads: Sequence[str]) -> dict[str, dict[str, str]]:
        """Read the parties of calls by their threads' keys, as the latest event of each tells them."""
        query = (
            sa.select(Event.thread_key, Event.body)
            .join(Location)
            .where(
                Event.thread_key.in_(map(thread_key, threads)),
                Location.token_hash == token_hash,
                Event.subtype != "",
            )
            .order_by(Event.id)
        )
        with self._store.read() as session:
            return {key: _parties(json.loads(body)) for key, body in session.execute(query)}

    def _by_caller(self, token_hash: bytes, event: MediaEvent) -> MediaEvent:
        began_at = _moment(event.text("timestamp"))
        mailbox, caller = event.text("mailbox").partition("@")[0], event.text("from")
        key = number_key(caller) or number_key(mailbox)
        if began_at is None or key is None:
            return event
        seconds = event.value("duration_seconds")
        ended_at = began_at + timedelta(
            seconds=seconds if type(seconds) is int and 0 < seconds < 86_400 else 0
        )
        catch_up(self._store)
        query = (
            sa.select(Event.thread_key, Event.subtype, Event.accepted_at, Event.body)
            .join(EventNumber, EventNumber.event_id == Event.id)
            .join(Location)
            .where(
                EventNumber.number == key,
                Location.token_hash == token_hash,
                Event.subtype != "",
                Event.accepted_at.between(began_at - _LONGEST, ended_at + _LATE),
            )
            .order_by(EventNumber.event_id.desc())
            .limit(_READ)
        )
        with self._store.read() as session:
            rows = session.execute(query).all()
        bodies = {row.thread_key: json.loads(row.body) for row in reversed(rows)}
        told = [
            Told(
                row.thread_key,
                _moment(fields["timestamp"]) or row.accepted_at,
                fields["to"],
                row.subtype not in _OPEN,
            )
            for row, fields in ((row, json.loads(row.body)) for row in rows)
            if number_key(fields["from"]) == number_key(caller)
        ]
        key_of_call = call_of_message(told, mailbox, began_at, ended_at)
        if key_of_call is None:
            return event
        call = bodies[key_of_call]
        named = {"to_name": call["to_name"]} if call["to"] == event.text("to") else {}
        return event.filled({"thread_id": call["thread_id"], "from_name": call["from_name"], **named})


def _parties(fields: dict[str, str]) -> dict[str, str]:
    return {name: fields[name] for name in _PARTIES}


def _moment(text: str) -> datetime | None:
    """Read a time that an event has. None: it is written in a way that is not read here."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
