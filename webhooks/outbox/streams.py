"""Streams, a webhook and a state each: their deliveries in order, from the index by state alone.

SQLite knows no statistics, and takes the right index for equalities. PostgreSQL does not: told equalities and
an order by id, it walks the primary key over all that is not wanted. With a range of states that has one in
it, only the index by state has the order that is asked for; the equality of the webhook lets the scan end
where the state does, where whole rows compared would read on through the webhook's other states.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

RETRYING: Final = "retrying"  # not a state: those pending ones that have failed before

_SQLITE: Final = ("webhook_id = {webhook} AND state = {state} AND id {beyond} {bound}{more}", "id{way}")
_POSTGRESQL: Final = (
    "webhook_id = {webhook} AND state {until} {state} AND (state, id) {beyond} ({state}, {bound}){more}",
    "state{way}, id{way}",
)
_ONLY_RETRYING: Final = " AND state = 'pending' AND tries > 0"
_TOP: Final = """
    SELECT {number} AS stream, id FROM (
        SELECT id FROM delivery WHERE {rows} ORDER BY {order} LIMIT :each) AS top_{number}
"""
# Planned once, where a hundred selects would be planned one by one.
_TOPS: Final = """
    SELECT s.stream, top.id FROM (VALUES {streams}) AS s (stream, webhook, state) CROSS JOIN LATERAL (
        SELECT id FROM delivery WHERE {rows} ORDER BY {order} LIMIT :each) AS top
"""


class Stream(NamedTuple):
    """A webhook's deliveries of one of ``catalogue.STATES``, or ``RETRYING``."""

    webhook: int
    state: str


class Part(NamedTuple):
    """SQL of a part of a stream: what its rows meet, and their order."""

    rows: str
    order: str


def above(state: str, bound: str = "0", *, sqlite: bool, webhook: str = ":webhook_id") -> Part:
    """The rows with ids above a bound, oldest first."""
    return _part(sqlite, state, webhook=webhook, bound=bound, beyond=">", until="<=", way="")


def below(state: str, bound: str, *, sqlite: bool, webhook: str = ":webhook_id") -> Part:
    """The rows with ids below a bound, newest first."""
    return _part(sqlite, state, webhook=webhook, bound=bound, beyond="<", until=">=", way=" DESC")


def newest(streams: Iterable[tuple[int, Stream]], *, sqlite: bool) -> str:
    """Select number and id of at most ``:each`` deliveries below ``:before`` of each numbered stream."""
    if sqlite:
        return " UNION ALL ".join(_top(number, stream) for number, stream in streams)
    plain: list[str] = []
    retrying: list[str] = []
    for number, (webhook, state) in streams:
        chosen = retrying if state == RETRYING else plain
        chosen.append(f"({number}, {webhook}::bigint, {_column(state)})")
    return " UNION ALL ".join(_tops(rows, kind) for rows, kind in ((plain, ""), (retrying, RETRYING)) if rows)


def _top(number: int, stream: Stream) -> str:
    rows, order = below(stream.state, ":before", sqlite=True, webhook=str(stream.webhook))
    return _TOP.format(number=number, rows=rows, order=order)


def _tops(streams: list[str], kind: str) -> str:
    rows, order = _filled(_POSTGRESQL, kind, "s.state", webhook="s.webhook", bound=":before", beyond="<",
                          until=">=", way=" DESC")  # fmt: skip
    return _TOPS.format(streams=", ".join(streams), rows=rows, order=order)


def _part(sqlite: bool, state: str, **words: str) -> Part:
    return _filled(_SQLITE if sqlite else _POSTGRESQL, state, _column(state), **words)


def _filled(template: tuple[str, str], state: str, column: str, **words: str) -> Part:
    more = _ONLY_RETRYING if state == RETRYING else ""
    rows, order = (text.format(state=column, more=more, **words) for text in template)
    return Part(rows, order)


def _column(state: str) -> str:
    """The state as it stands in the rows. Written out: bound, it would rule out the index of retried ones."""
    return "'pending'" if state == RETRYING else f"'{state}'"
