"""Which webhooks get an event: every type and status against every kind of choice, from end to end."""

from appliance import Appliance, eventually
from receiver import Receiver
from standardwebhooks import Webhook

Pair = tuple[str, str]

CALL_TYPES = ("incoming_call", "outgoing_call")
STATUSES = (
    "ringing", "answered", "ended", "missed", "busy",
    "invalid", "blocked", "not_available", "no_answer", "rejected",
)  # fmt: skip
CALLS = {(type_, status) for type_ in CALL_TYPES for status in STATUSES}
MEDIA = {("voicemail", ""), ("call_recording", "")}


def test_each_event_goes_to_the_webhooks_that_chose_it_and_to_no_other(
    appliance: Appliance, receiver: Receiver, place: tuple[str, str]
) -> None:
    """All 33 choices of calls and all 3 of media in one location, against all 22 events."""
    name, token = place
    wanted: dict[str, set[Pair]] = {}

    def add(path: str, events: set[Pair], kind: str = "call", **choice: str) -> None:
        appliance.webhook(name, receiver.url(path), kind, **choice)
        wanted[path] = events

    add("/call", CALLS)
    for type_ in CALL_TYPES:
        add(f"/call/{type_}", {(type_, status) for status in STATUSES}, type=type_)
    for status in STATUSES:
        add(f"/call/any/{status}", {(type_, status) for type_ in CALL_TYPES}, status=status)
    for type_, status in CALLS:
        add(f"/call/{type_}/{status}", {(type_, status)}, type=type_, status=status)
    add("/media", MEDIA, "media")
    for type_, none in MEDIA:
        add(f"/media/{type_}", {(type_, none)}, "media", type=type_)

    for type_, status in CALLS:
        answer = appliance.event(token, type=type_, subtype=status)
        assert (answer.status_code, answer.json()["deliveries"]) == (202, 4), answer.text
    for type_, _ in MEDIA:
        answer = appliance.event(token, type=type_)
        assert (answer.status_code, answer.json()["deliveries"]) == (202, 2), answer.text

    def states() -> list[tuple[str, int]]:
        found = appliance.rows(
            "SELECT state, count(*) FROM delivery WHERE webhook_id IN (SELECT webhook.id FROM webhook "
            "JOIN location ON location.id = location_id WHERE location.name = :name) GROUP BY state",
            name=name,
        )
        return [tuple(row) for row in found]

    eventually(lambda: states() == [("delivered", 20 * 4 + 2 * 2)])
    got = [(one.path, (one.json["type"], one.json.get("subtype", ""))) for one in receiver.requests]
    assert sorted(got) == sorted((path, event) for path, events in wanted.items() for event in events)


def test_a_webhook_of_several_statuses_gets_a_calls_messages_in_order(
    appliance: Appliance, receiver: Receiver, place: tuple[str, str]
) -> None:
    name, token = place
    receiver.answers["/lost"] = [500, 200]  # the first waits: the later ones must not pass it
    secret = appliance.webhook(
        name, receiver.url("/lost"), type="incoming_call", status=["missed", "busy", "no_answer"]
    )["secret"]
    story = ("ringing", "busy", "answered", "no_answer", "missed", "ended")
    for subtype in story:
        appliance.ring(token, subtype=subtype, thread_id="one call")
        appliance.ring(token, type="outgoing_call", subtype=subtype, thread_id="one call")
    got = receiver.wait("/lost", 4)
    assert [one.json["subtype"] for one in got] == ["busy", "busy", "no_answer", "missed"]
    assert {one.json["type"] for one in got} == {"incoming_call"}
    for one in got:
        Webhook(secret).verify(one.body, one.headers)


def test_an_event_that_nobody_chose_is_taken_and_goes_nowhere(
    appliance: Appliance, receiver: Receiver, place: tuple[str, str]
) -> None:
    name, token = place
    appliance.webhook(name, receiver.url("/hook"), type="incoming_call", status="missed")
    for fields in (
        {"type": "incoming_call", "subtype": "ringing"},
        {"type": "outgoing_call", "subtype": "missed"},
        {"type": "voicemail"},
    ):
        answer = appliance.event(token, **fields)
        assert (answer.status_code, answer.json()["deliveries"]) == (202, 0)
    assert appliance.event(token, type="incoming_call", subtype="missed").json()["deliveries"] == 1
    receiver.wait("/hook")
    assert [one.json["subtype"] for one in receiver.requests] == ["missed"]


def test_another_locations_events_are_none_of_ours(
    appliance: Appliance, receiver: Receiver, place: tuple[str, str]
) -> None:
    other = f"{place[0]} too"
    tokens = {place[0]: place[1], other: appliance.location(other)}
    for name in tokens:
        appliance.webhook(name, receiver.url(f"/{'theirs' if name == other else 'ours'}"))
    ours = appliance.event(tokens[place[0]], type="incoming_call", subtype="ringing").json()
    theirs = appliance.event(tokens[other], type="incoming_call", subtype="ringing").json()
    assert (ours["deliveries"], theirs["deliveries"]) == (1, 1)
    assert receiver.wait("/ours")[0].webhook_id == ours["id"]
    assert receiver.wait("/theirs")[0].webhook_id == theirs["id"]
    assert len(receiver.requests) == 2


def test_a_webhook_that_is_added_edited_or_deleted_counts_from_the_next_event_on(
    appliance: Appliance, receiver: Receiver, place: tuple[str, str]
) -> None:
    """Asked of both web processes: every request is a connection of its own."""
    name, token = place

    def deliveries() -> set[int]:
        event = {"type": "incoming_call", "subtype": "ringing"}
        headers = {"Authorization": f"Bearer {token}", "Connection": "close"}
        answers = [appliance.post("/api/events", json=event, headers=headers) for _ in range(8)]
        return {answer.json()["deliveries"] for answer in answers}

    assert deliveries() == {0}
    webhook = appliance.webhook(name, receiver.url("/hook"), type="incoming_call")["id"]
    assert deliveries() == {1}
    appliance.cli("webhook", "edit", webhook, "--type", "outgoing_call")
    assert deliveries() == {0}
    appliance.cli("webhook", "edit", webhook, "--type", "incoming_call")
    assert deliveries() == {1}
    appliance.cli("webhook", "delete", webhook)
    assert deliveries() == {0}
