"""A log record becomes a line: its event, its fields, nothing secret."""

import json
import logging
from typing import Any

import pytest

from webhooks.runtime.logs import Formatter, as_json, as_text, redact

REASON = 'The receiver answered 500, "not now".'


def record(message: str, *arguments: object, **fields: Any) -> logging.LogRecord:
    log = logging.Logger("webhooks.dispatcher.settler")
    made = log.makeRecord(
        log.name,
        logging.WARNING,
        "settler.py",
        1,
        message,
        arguments,
        fields.pop("exc_info", None),
        extra=fields,
    )
    made.created = 1_732_435_205.214
    return made


def text(message: str, *arguments: object, **fields: Any) -> str:
    return Formatter("worker-1", as_text).format(record(message, *arguments, **fields))


def as_object(message: str, *arguments: object, **fields: Any) -> dict[str, Any]:
    line = Formatter("worker-1", as_json).format(record(message, *arguments, **fields))
    found: dict[str, Any] = json.loads(line)
    return found


def failure() -> Any:
    try:
        raise ValueError("no token=\x1b[31m at /api/events/t/AbCdEfGhIjKlMn")
    except ValueError as error:
        return (type(error), error, error.__traceback__)


def test_a_text_line_ends_in_the_fields_in_the_order_given() -> None:
    line = text("attempt failed", webhook=3, retry_s=None, verified=True, reason=REASON)
    assert line == (
        "2024-11-24T08:00:05.214Z worker-1 WARNING: attempt failed webhook=3 retry_s=none verified=true "
        'reason="The receiver answered 500, \\"not now\\"."'
    )


def test_each_field_of_a_json_line_is_a_member_of_its_own() -> None:
    assert as_object("attempt failed", webhook=3, retry_s=None, webhooks=[1, 2], reason=REASON) == {
        "time": "2024-11-24T08:00:05.214+00:00",
        "process": "worker-1",
        "level": "warning",
        "message": "attempt failed",
        "webhook": 3,
        "retry_s": None,
        "webhooks": [1, 2],
        "reason": REASON,
    }


def test_a_librarys_record_takes_the_same_way() -> None:
    assert text("Task queue depth is %d", 7).endswith("worker-1 WARNING: Task queue depth is 7")
    assert as_object("Task queue depth is %d", 7)["message"] == "Task queue depth is 7"


def test_an_exception_keeps_its_traceback() -> None:
    first, *trace = text("internal error", child="web-1", exc_info=failure()).splitlines()
    assert first.endswith("internal error child=web-1") and trace[0].startswith("Traceback ")
    assert trace[-1] == "ValueError: no token=\ufffd[31m at /api/events/t/AbCdEf\u2026"
    assert as_object("internal error", exc_info=failure())["exception"].splitlines() == trace


def test_a_field_stays_on_its_line() -> None:
    assert "\n" not in text("attempt failed\nERROR: forged", reason="a\r\nb\u2028c\x1b[2J")


SECRETS = [
    ("POST /api/events?token=AbCdEfGhIjKl&x=1", "POST /api/events?token=AbCdEf\u2026&x=1"),
    (
        "/api/media/download/x?expires=1&signature=ZyXwVuTsRq",
        "/api/media/download/x?expires=1&signature=ZyXwVu\u2026",
    ),
    ("redis://user:pass@host:6379/0 is away", "redis://user:\u2022\u2022\u2022@host:6379/0 is away"),
    ("header Authorization: Bearer AbCdEfGhIjKl", "header Authorization: Bearer \u2022\u2022\u2022"),
    ("the secret whsec_AbCdEfGhIjKl== of 3", "the secret whsec_\u2022\u2022\u2022 of 3"),
]


@pytest.mark.parametrize(("said", "shown"), SECRETS, ids=range(len(SECRETS)))
def test_a_secret_is_cut_out_of_messages_and_fields(said: str, shown: str) -> None:
    assert redact(said) == shown
    made = as_object(said, reason=said, tried=[said])
    assert (made["message"], made["reason"], made["tried"]) == (shown, shown, [shown])


@pytest.mark.parametrize("name", ["password", "secret", "token", "signature", "authorization"])
def test_a_field_named_like_a_secret_shows_nothing(name: str) -> None:
    assert as_object("changed", **{name: "AbCdEf"})[name] == "\u2022\u2022\u2022"
