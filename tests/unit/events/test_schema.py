"""Events as PBXs really write them: ids that are no UUIDs, seconds for a time, a lost plus, Latin-1."""

import json
import uuid
from typing import Any

import pytest

from webhooks.events.schema import parse_form, parse_json, parse_media
from webhooks.events.timestamps import iso_time

SPACE = uuid.UUID("6d739560-1741-11ed-861d-0242ac120002")
CALL = {"type": "incoming_call", "subtype": "ringing"}


def sent(**fields: Any) -> dict[str, Any]:
    """The payload of a JSON event."""
    (event,), _ = parse_json(json.dumps({**CALL, **fields}).encode(), SPACE)
    payload: dict[str, Any] = json.loads(event.body)
    return payload


def form(text: bytes, charset: str = "utf-8") -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(parse_form(text, charset, SPACE).body)
    return payload


# --- id ---


@pytest.mark.parametrize(
    "text",
    [
        "1732551234.57", "call-17", "x" * 200, "Jürgen ☎", "{6d739560-1741-11ed-861d-0242ac120002}", " x",
        "6d739560174111ed861d0242ac120002", "6d739560-1741-11ed-861d-0242ac120002\n", "-" * 36,
    ],
)  # fmt: skip
def test_an_id_that_is_no_uuid_becomes_one_and_is_kept(text: str) -> None:
    payload = sent(id=text, duration=7)
    made = str(uuid.uuid5(SPACE, text))
    assert (payload["id"], payload["thread_id"], payload["source_id"]) == (made, made, text)
    assert list(payload)[9:] == ["source_id", "duration"]


def test_an_events_own_source_id_gives_way_to_the_id_in_any_spelling() -> None:
    for key in ("source_id", "source\\u005fid"):
        body = f'{{"{key}": "theirs", "id": "17", "type": "incoming_call", "subtype": "ended"}}'
        (event,), _ = parse_json(body.encode(), SPACE)
        assert event.body.count('"source_id"') == 1 and "u005f" not in event.body
        assert json.loads(event.body)["source_id"] == "17"
    assert sent(id=str(SPACE), source_id="theirs")["source_id"] == "theirs"
    assert "source_id" not in sent(id=str(SPACE)) and "source_id" not in sent()


def test_a_recordings_id_goes_by_the_same_rule() -> None:
    event = parse_media(b'{"type": "voicemail", "id": "17", "timestamp": 1700000000}', SPACE)
    payload = json.loads(event.with_recording(str(uuid.uuid4()), "a.wav", 1, 1000).body)
    assert payload["id"] == payload["thread_id"] == str(uuid.uuid5(SPACE, "17"))
    assert list(payload)[-3:] == ["attachments", "timestamp", "source_id"]
    assert payload["timestamp"] == "2023-11-14T22:13:20.000000Z"


# --- timestamp ---


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (0, "1970-01-01T00:00:00.000000Z"), (1700000000, "2023-11-14T22:13:20.000000Z"),
        (1732551234.57, "2024-11-25T16:13:54.570000Z"), (1.7e9, "2023-11-14T22:13:20.000000Z"),
        ("1700000000", "2023-11-14T22:13:20.000000Z"), (5e-7, "1970-01-01T00:00:00.000000Z"),
        ("1732551234.570000999", "2024-11-25T16:13:54.570000Z"),
        (253402300799, "9999-12-31T23:59:59.000000Z"),
    ],
)  # fmt: skip
def test_seconds_are_written_as_iso_8601(given: Any, wanted: str) -> None:
    assert sent(timestamp=given)["timestamp"] == wanted
    assert (
        form(f"type=voicemail&timestamp={given}".encode())["timestamp"] == wanted if given != 5e-7 else True
    )


@pytest.mark.parametrize(
    "text",
    ["2023-11-14T24:00:00Z", "2023-12-31T24:00", "20231114T240000,000+0100", "2016-12-31T23:59:60Z",
     "2017-01-01T05:29:60.5+05:30", "20231114", "9999-12-31T24:00:00Z"],
)  # fmt: skip
def test_midnight_as_24_and_a_leap_second_are_times(text: str) -> None:
    assert iso_time(text) == text and sent(timestamp=text)["timestamp"] == text


@pytest.mark.parametrize("given", [-1, 253402300800, "1712111530123", "24:00:00", 1e300, 10**4000, "1e9"])
def test_what_is_no_time_is_none(given: Any) -> None:
    with pytest.raises(ValueError):
        iso_time(given)


# --- forms ---


def test_a_plus_that_a_form_lost_comes_back_in_numbers_alone() -> None:
    payload = form(b"type=voicemail&from=+49301&to=%2B492&from_name=+7&x=+1&to_name=++1")
    assert (payload["from"], payload["to"]) == ("+49301", "+492")
    assert (payload["from_name"], payload["x"], payload["to_name"]) == (" 7", " 1", "  1")
    assert form(b"type=voicemail&from=+Anna&to=++49")["from"] == " Anna"
    assert sent(**{"from": " 49301"})["from"] == " 49301"


@pytest.mark.parametrize(
    ("body", "charset", "wanted"),
    [
        (b"J%FCrgen", "ISO-8859-1", "Jürgen"), (b"J\xfcrgen", "iso-8859-1", "Jürgen"),
        (b"%80", "windows-1252", "€"), (b"%A4", "iso-8859-15", "€"), (b"J%C3%BCrgen", "UTF8", "Jürgen"),
        (b"%D6%D0", "gb2312", "中"), (b"%83A", "shift_jis", "ア"),
    ],
)  # fmt: skip
def test_a_forms_charset_is_obeyed(body: bytes, charset: str, wanted: str) -> None:
    assert form(b"type=voicemail&to_name=" + body, charset)["to_name"] == wanted
