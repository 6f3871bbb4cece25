"""A webhook's newest deliveries of one state, from the index by state alone.

Told equalities and an order by id, PostgreSQL walks the primary key instead, over all that is not wanted: it
took 1.1 s with 300,000 rows. Whole rows compared leave it no choice. SQLite would use two of three columns of
that, and takes the right index for equalities.
"""

from typing import Final

RETRYING: Final = "retrying"  # not a state: those pending ones that have failed before

_SQLITE: Final = "webhook_id = {webhook} AND state = {state} AND id < :before{more} ORDER BY id DESC"
_POSTGRESQL: Final = """
    (webhook_id, state, id) > ({webhook}, {state}, 0)
    AND (webhook_id, state, id) < ({webhook}, {state}, :before){more}
    ORDER BY webhook_id DESC, state DESC, id DESC
"""
_TOP: Final = (
    "SELECT {number} AS stream, id FROM (SELECT id FROM delivery WHERE {rows} LIMIT :each) AS top_{number}"
)


def newest(number: int, webhook: int, state: str, *, sqlite: bool) -> str:
    """Select ``number`` and id of at most ``:each`` deliveries below ``:before``.

    ``state`` is one of ``catalogue.STATES``, or ``RETRYING``. It is written out: a bound parameter would rule
    out the index of those that are retried.
    """
    retrying = state == RETRYING
    rows = (_SQLITE if sqlite else _POSTGRESQL).format(
        webhook=webhook,
        state="'pending'" if retrying else f"'{state}'",
        more=" AND state = 'pending' AND tries > 0" if retrying else "",
    )
    return _TOP.format(number=number, rows=rows)
