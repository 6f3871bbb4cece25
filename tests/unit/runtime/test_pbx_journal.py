"""The journal of a connection: what a restart finds in it, and what it must not find any more."""

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from webhooks.pbx.asterisk import AsteriskOptions, Translator
from webhooks.pbx.asterisk.dialect import DIALECT, LIST_ID
from webhooks.runtime.pbx_connection import recover
from webhooks.runtime.pbx_journal import Journal
from webhooks.runtime.pbx_reader import ByteQueue, Chunk
from webhooks.runtime.pbx_stream import Stream

AT = datetime(2026, 11, 28, 8, 0, tzinfo=UTC)


def message(event: str, uid: str, **more: str) -> bytes:
    fields = {"Event": event, "Uniqueid": uid, "Linkedid": "1.1", "Channel": f"PJSIP/a-{uid}", **more}
    return "\r\n".join(f"{key}: {value}" for key, value in fields.items()).encode()


BEGIN = [
    message("Newchannel", "1.1", Context="from-pstn", Exten="5010", CallerIDNum="+12025550123"),
    message("Newchannel", "1.2", Context="from-internal", CallerIDName="M\xfcller"),
    message("DialBegin", "1.1", DestUniqueid="1.2", DestLinkedid="1.1", DestChannel="PJSIP/5010-1",
            DestCallerIDNum="5010", DialString="5010"),
]  # fmt: skip
END = [
    message("DialEnd", "1.1", DestUniqueid="1.2", DestLinkedid="1.1", DestChannel="PJSIP/5010-1",
            DialStatus="BUSY"),
    message("Hangup", "1.2", Cause="17"),
    message("Hangup", "1.1", Cause="17"),
]  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pbx" / "1-1.jsonl"


def write(path: Path, messages: list[bytes], at: datetime = AT) -> None:
    journal = Journal(path, DIALECT.marks)
    for raw in messages:
        journal.add(raw, at)
    journal.flush(at)
    journal.close()


def opened(path: Path) -> contextlib.closing[Journal]:
    return contextlib.closing(Journal(path, DIALECT.marks))


def read(path: Path) -> list[bytes]:
    with opened(path) as journal:
        return [raw for _, _, messages in journal.read() for raw in messages]


def test_a_new_translator_makes_of_it_the_events_that_the_former_one_made(path: Path) -> None:
    write(path, BEGIN)
    with opened(path) as one:
        first = recover(DIALECT, Translator(AsteriskOptions()), one)
    with opened(path) as one:
        again = recover(DIALECT, Translator(AsteriskOptions()), one)
    assert [event["subtype"] for event in first] == ["ringing"]
    assert first == again


def test_bytes_that_are_no_utf8_come_back_as_they_were(path: Path) -> None:
    raw = b"Event: Newchannel\r\nUniqueid: 1.1\r\nCallerIDName: M\xfcller \xe6\x9d\xb1\xe2\x80\xa8"
    write(path, [raw])
    assert read(path) == [raw]


def test_a_line_that_a_crash_cut_off_is_left_out_and_the_next_one_stands_alone(path: Path) -> None:
    write(path, BEGIN)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    journal = Journal(path, DIALECT.marks)
    assert [content[0] for _, _, content in journal.read()] == BEGIN[:2]
    journal.add(BEGIN[2], AT)
    journal.flush(AT)
    journal.close()
    assert read(path) == BEGIN


def test_nothing_is_left_of_calls_that_are_over(path: Path) -> None:
    journal = Journal(path, DIALECT.marks)
    for raw in BEGIN + END:
        journal.add(raw, AT)
    journal.flush(AT)
    assert b"+12025550123" in path.read_bytes()
    journal.flush(AT + timedelta(seconds=6))
    assert path.read_bytes() == b""
    journal.close()


def test_a_call_that_goes_on_does_not_keep_the_others_in_the_file_for_longer_than_a_minute(
    path: Path,
) -> None:
    now = datetime.now(UTC)
    journal = Journal(path, DIALECT.marks)
    other = [raw.replace(b"1.1", b"7.1").replace(b"1.2", b"7.2").replace(b"0123", b"0999") for raw in BEGIN]
    for raw in BEGIN + END + other:
        journal.add(raw, now)
    journal.flush(now)
    journal.flush(now + timedelta(seconds=70))
    journal.close()
    assert read(path) == other


def listed(*channels: bytes) -> list[bytes]:
    answer = f"Response: Success\r\nActionID: {LIST_ID}\r\nEventList: start".encode()
    end = f"Event: CoreShowChannelsComplete\r\nActionID: {LIST_ID}\r\nEventList: Complete".encode()
    return [answer, *channels, end]


def subtypes(stream: Stream, link: int, messages: list[bytes]) -> list[str]:
    chunk = Chunk(AT, link, messages, sum(map(len, messages)))
    return [str(event["subtype"]) for event in stream.take(chunk)]


@pytest.fixture
def stream(path: Path) -> Iterator[Stream]:
    with opened(path) as journal:
        yield Stream(DIALECT, Translator(AsteriskOptions()), journal, lambda _: None)


def test_a_call_that_is_not_listed_after_a_new_connection_is_closed(stream: Stream) -> None:
    assert subtypes(stream, 1, [*listed(), *BEGIN]) == ["ringing"]
    assert subtypes(stream, 2, listed()) == ["missed"]
    assert subtypes(stream, 2, END) == []


def test_a_call_that_ends_while_the_list_is_told_ends_once_and_by_its_own_message(stream: Stream) -> None:
    subtypes(stream, 1, [*listed(), *BEGIN])
    answer, end = listed()
    channels = [message("CoreShowChannel", uid, ActionID=LIST_ID) for uid in ("1.1", "1.2")]
    assert subtypes(stream, 2, [answer, channels[0], *END, channels[1], end]) == ["busy"]


def test_a_name_that_looks_like_our_list_is_a_name(stream: Stream) -> None:
    named = BEGIN[0] + f"\r\nCallerIDName: ActionID: {LIST_ID}".encode()
    assert subtypes(stream, 1, [*listed(), named, *BEGIN[1:]]) == ["ringing"]


def test_a_list_that_breaks_off_closes_nothing(stream: Stream) -> None:
    subtypes(stream, 1, [*listed(), *BEGIN])
    assert subtypes(stream, 2, listed()[:1]) == []
    assert subtypes(stream, 3, END) == ["busy"]


def test_a_queue_that_is_full_says_so_and_has_room_again_once_something_is_taken() -> None:
    queue = ByteQueue(limit_bytes=100)
    chunk = Chunk(AT, 1, [b"x" * 60], 60)
    assert queue.put(chunk) and not queue.put(chunk)
    assert queue.take(0) == [chunk]
    assert queue.put(chunk)


def test_it_is_forced_to_the_disk_once_a_second_and_only_where_something_was_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    fsync = os.fsync

    def counted(file: int) -> None:
        synced.append(file)
        fsync(file)

    monkeypatch.setattr("os.fsync", counted)
    with opened(path) as journal:
        begin = datetime.now(UTC)
        for tenth in range(31):
            journal.add(BEGIN[0], begin)
            journal.flush(begin + timedelta(milliseconds=100 * tenth))
        assert 2 <= len(synced) <= 3
        journal.flush(begin + timedelta(seconds=60))
        before = len(synced)
        journal.flush(begin + timedelta(seconds=90))
        assert len(synced) == before
