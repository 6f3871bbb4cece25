"""The text of an event takes a link or an error, and keeps every other character as it is."""

import json
import uuid
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from webhooks.catalogue import MEDIA_FIELDS
from webhooks.events.schema import parse_json, parse_media
from webhooks.media.payload import compose, with_error, with_link

NAMESPACE = uuid.UUID("6d739560-1741-11ed-861d-0242ac120002")
LINK = "http://pbx.example/api/media/download/x?expires=1&signature=y"
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
SNARES = st.sampled_from(['","attachments":null', ',"attachments":null', "attachments", '\\"', "null"])
FURTHER = st.dictionaries(
    TEXTS | st.sampled_from(["error", "Attachments", "timestamp2"]),
    TEXTS | SNARES | st.integers() | st.none() | st.lists(st.none() | SNARES, max_size=3),
    max_size=5,
).filter(lambda members: not members.keys() & {*MEDIA_FIELDS, "subtype", "timestamp", "source_id"})


def media_event(**fields: Any) -> str:
    event = parse_media(json.dumps({"type": "voicemail", **fields}).encode(), NAMESPACE)
    return event.with_recording(str(uuid.uuid4()), "message.wav", 1, 1000).body


def test_fields_come_in_their_order_and_empty_where_they_are_missing() -> None:
    text = compose(("id", "to", "filename"), {"filename": '"a.mp3"', "id": "1", "x": "2"}, ['"y":1.10'])
    assert text == '{"id":1,"to":"","filename":"a.mp3","y":1.10}'
    assert compose(("attachments",), {}, []) == '{"attachments":null}'


@given(TEXTS | SNARES, TEXTS | SNARES, FURTHER)
def test_a_link_changes_the_attachments_and_nothing_else(
    caller: str, name: str, further: dict[str, Any]
) -> None:
    body = media_event(**{"from": caller, "from_name": name}, **further)
    linked = with_link(body, LINK)
    assert json.loads(linked) == {**json.loads(body), "attachments": LINK}
    before, _, after = linked.partition(json.dumps(LINK))
    assert body == f"{before}null{after}"


def test_a_link_finds_its_member_behind_texts_that_look_like_it() -> None:
    body = media_event(to_name=',"attachments":null', extra={"attachments": None})
    assert with_link(body, "L").count('"attachments":"L"') == 1
    assert json.loads(with_link(body, "L"))["extra"] == {"attachments": None}


@given(TEXTS, FURTHER, TEXTS)
def test_an_error_stands_at_the_end_once(caller: str, further: dict[str, Any], sentence: str) -> None:
    body = media_event(**{"from": caller}, **further)
    failed = with_error(body, sentence)
    pairs: list[tuple[str, Any]] = json.loads(failed, object_pairs_hook=list)
    assert pairs[-1] == ("error", sentence)
    assert [key for key, _ in pairs].count("error") == 1
    assert {**json.loads(body), "error": sentence} == json.loads(failed)


def test_an_error_leaves_spellings_alone_and_replaces_one_in_any_spelling() -> None:
    text = b'{"type":"voicemail","n":1.10,"\\u0065rror":"theirs","big":123456789012345678901234567890}'
    (event,), _ = parse_json(text, NAMESPACE)
    failed = with_error(event.body, "ours")
    assert '"n":1.10' in failed and "123456789012345678901234567890" in failed
    assert "u0065" not in failed and json.loads(failed)["error"] == "ours"
