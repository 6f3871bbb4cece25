"""The command line."""

import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
import requests
from appliance import Appliance, Place, eventually
from receiver import Receiver
from standardwebhooks import Webhook


def fails(appliance: Appliance, *arguments: str) -> str:
    """The one sentence that a command gives up with."""
    sentence: str = appliance.cli(*arguments, status=1)
    assert re.fullmatch(r"\S[^\n]*[.!]\n", sentence), sentence
    assert "Error" not in sentence and "Traceback" not in sentence
    return sentence


def misused(appliance: Appliance, *arguments: str) -> str:
    sentence: str = appliance.cli(*arguments, status=2)
    assert "Usage:" in sentence and "Traceback" not in sentence
    return sentence


def listed(appliance: Appliance, group: str, **wanted: object) -> list[dict[str, Any]]:
    rows = appliance.cli(group, "list")
    assert isinstance(rows, list)
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def deliveries(appliance: Appliance, webhook: dict[str, Any]) -> list[tuple[str, str | None]]:
    """State and reason of each, oldest first."""
    rows = appliance.rows(
        "SELECT state, reason FROM delivery WHERE webhook_id = :w ORDER BY id", w=webhook["id"]
    )
    return [(row.state, row.reason) for row in rows]


# --- locations ---


def test_a_location_shows_its_token_when_it_is_added_and_never_again(
    appliance: Appliance, place: Place
) -> None:
    name = f"Büro 北 {uuid.uuid4().hex[:6]}"
    added = appliance.cli("location", "add", name)
    assert list(added) == ["id", "name", "token"]
    assert added["name"] == name and isinstance(added["id"], int) and len(added["token"]) >= 32
    (row,) = listed(appliance, "location", name=name)
    assert row["id"] == added["id"] and row["state"] == "active"
    assert datetime.fromisoformat(row["created_at"]).tzinfo is not None
    assert not {"token", "token_hash"} & row.keys()
    assert added["token"] not in appliance.invoke("location", "list").output
    appliance.ring(added["token"])


def test_a_renamed_location_keeps_its_token(appliance: Appliance, place: Place) -> None:
    name, token = place
    renamed = appliance.cli("location", "rename", name, f"{name} II")
    assert renamed["name"] == f"{name} II"
    assert not listed(appliance, "location", name=name)
    assert listed(appliance, "location", name=f"{name} II")
    appliance.ring(token)


def test_a_rotated_location_takes_both_tokens_and_no_third(appliance: Appliance, place: Place) -> None:
    name, old = place
    rotated = appliance.cli("location", "rotate", name)
    assert list(rotated) == ["id", "name", "token"] and rotated["token"] != old
    appliance.ring(old)
    appliance.ring(rotated["token"])
    assert "Two tokens are valid until" in fails(appliance, "location", "rotate", name)
    appliance.ring(old)


def test_a_token_that_has_leaked_is_refused_at_once(appliance: Appliance, place: Place) -> None:
    name, leaked = place
    second = appliance.cli("location", "rotate", name)["token"]
    third = appliance.cli("location", "rotate", name, "--now")["token"]
    appliance.ring(leaked, 401)
    appliance.ring(second, 401)
    appliance.ring(third)
    said = appliance.invoke("location", "rotate", name).stdout
    assert "the old one is accepted until 20" in said


def test_a_third_secret_is_refused_until_the_first_has_ended(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    added = appliance.webhook(place[0], receiver.url("/hook"))
    second = appliance.cli("webhook", "rotate", added["id"])["secret"]
    assert "Two secrets are valid until" in fails(appliance, "webhook", "rotate", added["id"])
    appliance.ring(place[1])
    (got,) = receiver.wait("/hook")
    for secret in (added["secret"], second):
        Webhook(secret).verify(got.body, got.headers)
    third = appliance.cli("webhook", "rotate", added["id"], "--now")["secret"]
    appliance.ring(place[1])
    got = receiver.wait("/hook", 2)[1]
    Webhook(third).verify(got.body, got.headers)
    assert " " not in got.headers["webhook-signature"], "one signature alone"


def test_a_paused_location_refuses_events_until_it_is_resumed(appliance: Appliance, place: Place) -> None:
    name, token = place
    assert appliance.cli("location", "pause", name)["state"] == "paused"
    appliance.ring(token, 403)
    assert listed(appliance, "location", name=name)[0]["state"] == "paused"
    assert appliance.cli("location", "resume", name)["state"] == "active"
    appliance.ring(token)


def test_a_deleted_location_is_gone_with_its_webhooks_and_what_they_had_not_sent(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    name, token = place
    webhook = appliance.webhook(name, receiver.url("/hook"))
    appliance.cli("webhook", "pause", str(webhook["id"]))
    appliance.ring(token)
    appliance.cli("location", "delete", name)
    appliance.ring(token, 401)
    assert not listed(appliance, "location", name=name) and not listed(appliance, "webhook", location=name)
    assert deliveries(appliance, webhook) == [("dropped", "webhook deleted")]
    assert receiver.requests == []
    assert name in fails(appliance, "location", "pause", name)
    appliance.location(name)  # the name is free again


@pytest.mark.parametrize(
    "arguments",
    [
        ["location", "add", "{name}"],
        ["location", "add", ""],
        ["location", "add", "n" * 101],
        ["location", "add", "two\nlines"],
        ["location", "rename", "nowhere", "somewhere"],
        ["location", "rename", "{name}", "{other}"],
        ["location", "rename", "{name}", " "],
        *(["location", verb, "nowhere"] for verb in ("rotate", "pause", "resume", "delete")),
    ],
)
def test_a_location_that_cannot_be_is_refused_in_a_sentence(
    appliance: Appliance, place: Place, arguments: list[str]
) -> None:
    other = f"{place[0]} other"
    appliance.location(other)
    before = appliance.cli("location", "list")
    fails(appliance, *(part.format(name=place[0], other=other) for part in arguments))
    assert appliance.cli("location", "list") == before


# --- webhooks ---


def test_a_webhook_shows_its_secret_when_it_is_added_and_never_again(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    url = receiver.url("/hook")
    call = appliance.webhook(place[0], url, type="incoming_call", status="missed")
    media = appliance.webhook(place[0], url, kind="media", type="voicemail")
    any_ = appliance.webhook(place[0], url)
    for added, kind, types, statuses in (
        (call, "call", ["incoming_call"], ["missed"]), (media, "media", ["voicemail"], []),
        (any_, "call", [], []),
    ):  # fmt: skip
        assert list(added) == ["id", "kind", "types", "statuses", "url", "secret"]
        assert [added[key] for key in ("kind", "types", "statuses", "url")] == [kind, types, statuses, url]
        assert isinstance(added["id"], int) and added["secret"].startswith("whsec_")
    rows = listed(appliance, "webhook", location=place[0])
    assert [row["id"] for row in rows] == [call["id"], media["id"], any_["id"]]
    assert [(row["kind"], row["types"], row["statuses"], row["url"], row["state"]) for row in rows] == [
        ("call", ["incoming_call"], ["missed"], url, "active"),
        ("media", ["voicemail"], [], url, "active"),
        ("call", [], [], url, "active"),
    ]
    shown = json.dumps(rows) + appliance.invoke("webhook", "list").output
    assert not any(added["secret"] in shown for added in (call, media, any_))
    assert not any("secret" in row for row in rows)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"url": "ftp://crm.example/"}, "https?://"),
        ({"url": "crm.example/hook"}, "https?://"),
        ({"url": "https://"}, "host"),
        ({"url": "https://me:pw@crm.example/"}, "user name"),
        ({"url": "https://crm.example:0/"}, "port"),
        ({"url": "https://crm.example:https/"}, "URL"),
        ({"url": "https://crm.example/a b"}, "white space"),
        ({"url": "http://169.254.169.254/latest"}, "SPOKE_ALLOW_NETS"),
        ({"url": "http://2852039166/"}, "SPOKE_ALLOW_NETS"),  # the same in decimal
        ({"url": "http://0xa9.0376.43518/"}, "SPOKE_ALLOW_NETS"),  # and in all bases at once
        ({"url": "http://0.0.0.0:8080/"}, "SPOKE_ALLOW_NETS"),
        ({"url": "http://[::ffff:169.254.169.254]/"}, "SPOKE_ALLOW_NETS"),
        ({"url": "http://[fe80::1]/"}, "SPOKE_ALLOW_NETS"),
        ({"url": "http://100.100.100.200./"}, "SPOKE_ALLOW_NETS"),
        ({"type": "sms"}, "incoming_call"),
        ({"type": "voicemail"}, "incoming_call"),  # a media type
        ({"status": "hung_up"}, "ringing"),
        ({"kind": "media", "type": "incoming_call"}, "voicemail"),
        ({"kind": "media", "status": "missed"}, "status"),
        ({"location": "nowhere"}, "nowhere"),
    ],
)
def test_a_webhook_that_cannot_be_is_refused_in_a_sentence(
    appliance: Appliance, place: Place, options: dict[str, str], why: str
) -> None:
    given = {"location": place[0], "kind": "call", "url": "https://crm.example/hook", **options}
    arguments = [part for name, value in given.items() for part in (f"--{name}", value)]
    assert re.search(why, fails(appliance, "webhook", "add", *arguments))
    assert not listed(appliance, "webhook", location=place[0])


def test_an_edited_webhook_is_what_was_given_and_else_as_before(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    name, token = place
    webhook = appliance.webhook(name, receiver.url("/old"), type="incoming_call", status="missed")
    id_ = str(webhook["id"])
    edited = appliance.cli("webhook", "edit", id_, "--url", receiver.url("/new"), "--status", "ringing")
    assert [edited[key] for key in ("id", "kind", "types", "statuses", "url")] == [
        webhook["id"], "call", ["incoming_call"], ["ringing"], receiver.url("/new"),
    ]  # fmt: skip
    appliance.ring(token)
    receiver.wait("/new")
    assert appliance.cli("webhook", "edit", id_, "--type", "any", "--status", "any")["types"] == []
    appliance.event(token, type="outgoing_call", subtype="busy")
    assert Webhook(webhook["secret"]).verify(receiver.wait("/new", 2)[1].body, receiver.at("/new")[1].headers)
    before = listed(appliance, "webhook", id=webhook["id"])
    for bad in (["--url", "ftp://x"], ["--url", "http://169.254.169.254/"], ["--type", "voicemail"]):
        fails(appliance, "webhook", "edit", id_, *bad)
    assert listed(appliance, "webhook", id=webhook["id"]) == before
    assert "secret" not in json.dumps(before)


def test_types_and_statuses_may_be_several(appliance: Appliance, place: Place) -> None:
    several = appliance.webhook(
        place[0], "https://crm.example/", type="incoming_call", description="Lost calls",
        status=["no_answer", "missed", "busy", "missed"],
    )  # fmt: skip
    assert (several["types"], several["statuses"]) == (["incoming_call"], ["missed", "busy", "no_answer"])
    line = next(line for line in appliance.invoke("webhook", "list").stdout.splitlines() if place[0] in line)
    assert line.split()[:3] == [str(several["id"]), "Lost", "calls"]
    edited = appliance.cli("webhook", "edit", several["id"], "--status", "busy", "--status", "ringing")
    assert (edited["types"], edited["statuses"]) == (["incoming_call"], ["ringing", "busy"])
    assert "ringing" in fails(
        appliance, "webhook", "edit", several["id"], "--status", "any", "--status", "busy"
    )
    edited = appliance.cli("webhook", "edit", several["id"], "--description", "Calls")
    assert (edited["types"], edited["statuses"]) == (["incoming_call"], ["ringing", "busy"])


def test_a_paused_webhook_holds_and_sends_in_order_when_it_is_resumed(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    name, _ = place
    webhook = appliance.webhook(name, receiver.url("/hook"))
    appliance.webhook(name, receiver.url("/other"))
    id_ = str(webhook["id"])
    appliance.cli("webhook", "pause", id_)
    (row,) = listed(appliance, "webhook", id=webhook["id"])
    assert row["state"] == "paused"
    sent = [
        appliance.cli(
            "event",
            "send",
            "--location",
            name,
            "--type",
            "incoming_call",
            "--status",
            status,
            "--thread",
            "t",
        )
        for status in ("ringing", "answered", "ended")
    ]
    assert all(list(one) == ["id", "deliveries"] and one["deliveries"] == 2 for one in sent)
    receiver.wait("/other", 3)
    assert receiver.at("/hook") == []
    assert deliveries(appliance, webhook) == [("held", None)] * 3
    appliance.cli("webhook", "resume", id_)
    assert [got.webhook_id for got in receiver.wait("/hook", 3)] == [one["id"] for one in sent]
    assert listed(appliance, "webhook", id=webhook["id"])[0]["state"] == "active"
    eventually(lambda: deliveries(appliance, webhook) == [("delivered", None)] * 3)


def test_drop_held_drops_and_goes_on(appliance: Appliance, receiver: Receiver, place: Place) -> None:
    name, token = place
    webhook = appliance.webhook(name, receiver.url("/hook"))
    id_ = str(webhook["id"])
    appliance.cli("webhook", "pause", id_)
    dropped = [appliance.ring(token) for _ in range(2)]
    appliance.cli("webhook", "resume", id_, "--drop-held")
    later = appliance.ring(token)
    receiver.wait("/hook")
    eventually(
        lambda: [state for state, _ in deliveries(appliance, webhook)] == ["dropped"] * 2 + ["delivered"]
    )
    assert all(reason for _, reason in deliveries(appliance, webhook)[:2])
    assert [got.webhook_id for got in receiver.at("/hook")] == [later] and later not in dropped


def test_a_deleted_webhook_drops_what_it_had_not_sent_and_keeps_its_history(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    name, token = place
    receiver.answers["/hook"] = [200, 500]
    webhook = appliance.webhook(name, receiver.url("/hook"))
    id_ = str(webhook["id"])
    appliance.ring(token)
    eventually(lambda: deliveries(appliance, webhook) == [("delivered", None)])
    appliance.ring(token)
    receiver.wait("/hook", 2)  # it will be tried again in a second
    appliance.cli("webhook", "delete", id_)
    wanted = [("delivered", None), ("dropped", "webhook deleted")]
    eventually(lambda: deliveries(appliance, webhook) == wanted)
    assert not listed(appliance, "webhook", id=webhook["id"])
    assert appliance.event(token, type="incoming_call", subtype="ringing").json()["deliveries"] == 0
    fails(appliance, "webhook", "delete", id_)


def test_a_rotated_webhook_shows_a_new_secret_once(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    webhook = appliance.webhook(place[0], receiver.url("/hook"))
    rotated = appliance.cli("webhook", "rotate", str(webhook["id"]))
    assert rotated["id"] == webhook["id"] and rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != webhook["secret"]
    assert rotated["secret"] not in json.dumps(appliance.cli("webhook", "list"))


@pytest.mark.parametrize("kind", ["call", "media"])
def test_a_test_event_says_so_and_goes_to_its_webhook_alone(
    appliance: Appliance, receiver: Receiver, place: Place, kind: str
) -> None:
    filters = {"type": "outgoing_call", "status": "busy"} if kind == "call" else {"type": "call_recording"}
    webhook = appliance.webhook(place[0], receiver.url("/hook"), kind, **filters)
    appliance.webhook(place[0], receiver.url("/other"), kind)
    sent = appliance.cli("webhook", "test", str(webhook["id"]))
    assert (sent["deliveries"], sent["delivered"], sent["status"]) == (1, True, 200)
    (got,) = receiver.wait("/hook")
    assert got.json["test"] is True and got.webhook_id == got.json["id"] == sent["id"]
    assert got.json["type"] == filters["type"] and got.json.get("subtype") == filters.get("status")
    assert Webhook(webhook["secret"]).verify(got.body, got.headers)
    counted = appliance.rows("SELECT count(*) AS n FROM delivery d JOIN event e ON e.id = d.event_id "
                             "WHERE e.message_id = :id", id=sent["id"])  # fmt: skip
    assert counted[0].n == 1 and receiver.at("/other") == []


def test_replay_sends_again_what_failed_since_and_nothing_else(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    name, token = place
    webhook = appliance.webhook(name, receiver.url("/hook"))
    other = appliance.webhook(name, receiver.url("/other"))
    receiver.answers["/hook"] = receiver.answers["/other"] = [500]
    early = appliance.ring(token)
    since = datetime.now(UTC).isoformat()
    late = appliance.ring(token)
    for one in (webhook, other):
        eventually(lambda one=one: [state for state, _ in deliveries(appliance, one)] == ["failed"] * 2)
    receiver.answers["/hook"] = [200]
    tried = len(receiver.at("/hook"))
    replayed = appliance.cli("webhook", "replay", str(webhook["id"]), "--since", since)
    assert replayed["id"] == webhook["id"]
    assert [got.webhook_id for got in receiver.wait("/hook", tried + 1)[tried:]] == [late]
    eventually(lambda: [state for state, _ in deliveries(appliance, webhook)] == ["failed", "delivered"])
    row = appliance.rows(
        "SELECT attempts FROM delivery WHERE webhook_id = :w AND state = 'delivered'", w=webhook["id"]
    )
    assert row[0].attempts == tried // 2 + 1  # they count on
    naive = datetime.now(UTC).replace(tzinfo=None, hour=0, minute=0).isoformat()
    appliance.cli("webhook", "replay", str(webhook["id"]), "--since", naive)
    assert receiver.wait("/hook", tried + 2)[-1].webhook_id == early
    assert [state for state, _ in deliveries(appliance, other)] == ["failed"] * 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["edit", "999999", "--url", "https://crm.example/"], ["pause", "999999"], ["resume", "999999"],
        ["resume", "999999", "--drop-held"], ["delete", "999999"], ["rotate", "999999"], ["test", "999999"],
        ["replay", "999999", "--since", "2026-11-24T08:00:00Z"],
    ],
)  # fmt: skip
def test_a_webhook_that_is_not_there_is_told_in_a_sentence(
    appliance: Appliance, arguments: list[str]
) -> None:
    assert arguments[1] in fails(appliance, "webhook", *arguments)


BYTES = "\udcff"  # what Python makes of an argument that is no UTF-8


@pytest.mark.parametrize(
    "arguments",
    [
        ["location", "add", BYTES], ["location", "pause", BYTES], ["location", "rename", "{name}", BYTES],
        ["key", "add", BYTES], ["key", "revoke", BYTES], ["webhook", "pause", str(1 << 70)],
        ["webhook", "test", str(1 << 70)], ["webhook", "edit", "{id}", "--description", BYTES],
        ["webhook", "edit", "{id}", "--url", f"https://crm.example/{BYTES}"],
        ["event", "send", "--location", BYTES, "--type", "voicemail"],
        ["event", "send", "--location", "{name}", "--type", "voicemail", "--thread", BYTES],
    ],
)  # fmt: skip
def test_what_no_database_can_hold_is_refused_without_a_traceback(
    appliance: Appliance, place: Place, arguments: list[str]
) -> None:
    webhook = appliance.webhook(place[0], "https://crm.example/hook")
    result = appliance.invoke(*(part.format(name=place[0], id=webhook["id"]) for part in arguments))
    assert result.exit_code in (1, 2) and result.stderr


def test_an_active_webhook_cannot_be_resumed(appliance: Appliance, place: Place) -> None:
    webhook = appliance.webhook(place[0], "https://crm.example/hook")
    fails(appliance, "webhook", "resume", str(webhook["id"]))


# --- events ---


def test_an_event_of_ones_own_is_sent_like_a_pbxs(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    name = place[0]
    webhook = appliance.webhook(name, receiver.url("/calls"))
    appliance.webhook(name, receiver.url("/media"), "media")
    for number, (type_, status, path) in enumerate(
        [("incoming_call", "ringing", "/calls"), ("outgoing_call", "no_answer", "/calls"),
         ("voicemail", None, "/media")]
    ):  # fmt: skip
        options = ["--status", status] if status else []
        sent = appliance.cli("event", "send", "--location", name, "--type", type_, *options)
        assert list(sent) == ["id", "deliveries"] and sent["deliveries"] == 1
        got = receiver.wait(path, number + 1 if path == "/calls" else 1)[-1]
        assert got.webhook_id == sent["id"] == str(uuid.UUID(sent["id"]))
        assert (got.json["type"], got.json.get("subtype")) == (type_, status)
        assert "test" not in got.json
    assert Webhook(webhook["secret"]).verify(receiver.at("/calls")[0].body, receiver.at("/calls")[0].headers)


def test_an_events_parties_may_be_given(appliance: Appliance, receiver: Receiver, place: Place) -> None:
    appliance.webhook(place[0], receiver.url("/parties"))
    appliance.cli("event", "send", "--location", place[0], "--type", "incoming_call", "--status", "ringing",
                  "--from", "+4930901820", "--from-name", "Zoë", "--to-name", "")  # fmt: skip
    got = receiver.wait("/parties", 1)[0].json
    assert [got[name] for name in ("from", "from_name", "to", "to_name")] == [
        "+4930901820",
        "Zoë",
        "5010",
        "",
    ]


def test_a_list_of_deliveries_takes_the_filters_of_the_pages(appliance: Appliance, place: Place) -> None:
    name, word = place[0], uuid.uuid4().hex
    webhook = appliance.webhook(name, "http://127.0.0.1:9/", type="any", status="any")
    for thread, status, caller in ((f"{word} 1", "ringing", "Zoë"), (f"{word} 2", "missed", "Jo")):
        appliance.cli("event", "send", "--location", name, "--type", "incoming_call", "--status", status,
                      "--thread", thread, "--from-name", caller)  # fmt: skip
    (second, first) = appliance.cli("delivery", "list", "--location", name)
    assert (first["webhook"], first["status"], second["status"]) == (webhook["id"], "ringing", "missed")

    def found(*options: str) -> list[int]:
        return [row["id"] for row in appliance.cli("delivery", "list", "--location", name, *options)]

    assert found("--status", "missed") == found("--thread", f"{word} 2") == found("--number", "jo")
    assert found("--call", f"{word} 2") == [second["id"]]
    assert found("--type", "voicemail") == found("--until", "2020-01-01") == []
    assert found("--since", "2020-01-01T00:00:00Z") == [second["id"], first["id"]]
    assert "'nowhere'" in fails(appliance, "delivery", "list", "--location", "nowhere")
    assert "write it like" in misused(appliance, "delivery", "list", "--since", "yesterday")


@pytest.mark.parametrize("text", ["abc", "-1", "0", "1.5", "9" * 30])
@pytest.mark.databases("one")
def test_what_is_no_id_is_told_so(appliance: Appliance, text: str) -> None:
    assert f"{text!r} is no id." in misused(appliance, "delivery", "show", "--", text)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--location", "nowhere", "--type", "incoming_call", "--status", "ringing"],
        ["--location", "{name}", "--type", "incoming_call"],
        ["--location", "{name}", "--type", "incoming_call", "--status", "hung_up"],
        ["--location", "{name}", "--type", "voicemail", "--status", "missed"],
    ],
)
def test_an_event_that_cannot_be_is_refused_in_a_sentence(
    appliance: Appliance, place: Place, arguments: list[str]
) -> None:
    fails(appliance, "event", "send", *(part.format(name=place[0]) for part in arguments))


# --- keys ---


def test_a_key_is_shown_when_it_is_added_and_never_again(appliance: Appliance) -> None:
    name = f"zapier {uuid.uuid4().hex[:6]}"
    added = appliance.cli("key", "add", name)
    assert list(added) == ["name", "key"] and added["name"] == name and len(added["key"]) >= 32
    (row,) = listed(appliance, "key", name=name)
    assert not {"key", "key_hash"} & row.keys() and added["key"] not in json.dumps(row)
    fails(appliance, "key", "add", name)
    assert listed(appliance, "key", name=name) == [row]
    appliance.cli("key", "revoke", name)
    assert not listed(appliance, "key", name=name)
    fails(appliance, "key", "revoke", name)
    fails(appliance, "key", "add", "")


# --- all of them ---


@pytest.mark.parametrize(
    "arguments",
    [
        ["location"], ["location", "add"], ["location", "add", "a", "b"], ["location", "burn", "Office"],
        ["webhook", "add", "--kind", "call"], ["webhook", "pause", "abc"], ["webhook", "pause"],
        ["webhook", "add", "--location", "Office", "--kind", "fax", "--url", "https://crm.example/"],
        ["webhook", "replay", "1"], ["webhook", "replay", "1", "--since", "yesterday"],
        ["webhook", "pause", "1", "--drop-held"],
        ["event", "send", "--location", "Office", "--type", "sms"], ["key", "add"], ["password", "word"],
    ],
)  # fmt: skip
def test_wrong_usage_exits_with_2(appliance: Appliance, arguments: list[str]) -> None:
    misused(appliance, *arguments)


def test_every_help_shows_an_example(appliance: Appliance) -> None:
    def walk(path: tuple[str, ...], found: click.Command) -> None:
        if found.callback is not None and found.callback.__module__.startswith("flask"):
            return  # run, shell, routes
        text = appliance.invoke(*path, "--help").stdout
        assert f"flask --app app {' '.join(path)}" in text, text
        for name, inner in getattr(found, "commands", {}).items():
            walk((*path, name), inner)

    ours = {name: one for name, one in appliance.app.cli.commands.items() if name in
            ("location", "webhook", "event", "key", "password")}  # fmt: skip
    assert len(ours) == 5
    for name, one in ours.items():
        walk((name,), one)


def test_without_json_a_person_can_read_it(appliance: Appliance, place: Place) -> None:
    added = appliance.invoke(
        "webhook", "add", "--location", place[0], "--kind", "call", "--url", "https://a.example/"
    )
    assert added.exit_code == 0
    assert re.fullmatch(r" *whsec_\S+", added.stdout.splitlines()[-1])
    lines = appliance.invoke("webhook", "list").stdout.splitlines()
    assert all(word in lines[0] for word in ("id", "location", "url", "state"))
    assert any(place[0] in line and "https://a.example/" in line for line in lines[1:])


@pytest.mark.databases("one")
def test_the_password_is_printed_by_the_first_start_alone_and_a_new_one_ends_all_sessions(
    start_appliance: Callable[..., Appliance],
) -> None:
    """A command comes before the first start here, as a real process: it prints no password."""
    one = start_appliance(start=False, SPOKE_ADMIN_PASSWORD="")
    added = one.flask("location", "add", "Office", "--json")
    assert added.returncode == 0 and "a new one. No appliance runs there" in added.stderr
    assert list(json.loads(added.stdout)) == ["id", "name", "token"]
    one.start()
    first = printed(one)
    session, other = logged_in(one, first), logged_in(one, first)
    assert session is not None and other is not None
    short = one.invoke("password", input="short\n")
    assert short.exit_code == 1 and short.stderr.count("\n") == 1 and "8" in short.stderr
    assert opens(one, session)
    changed = one.invoke("password", "--json", input="a better password\n")
    assert (changed.exit_code, changed.stderr) == (0, "") and isinstance(json.loads(changed.stdout), dict)
    assert not opens(one, session) and not opens(one, other)
    assert logged_in(one, first) is None
    session = logged_in(one, "a better password")
    assert session is not None and opens(one, session)
    one.kill()
    one.start()
    assert opens(one, session)
    assert printed(one) == first  # it is still the only one
    one.kill()


def printed(appliance: Appliance) -> str:
    (found,) = re.findall(r"password +(\S+)$", appliance.log, re.MULTILINE)
    return str(found)


def logged_in(appliance: Appliance, password: str) -> requests.Session | None:
    session = requests.Session()
    session.trust_env = False
    answer = session.post(
        f"{appliance.url}/login",
        data={"password": password},
        headers={"Origin": appliance.url},
        allow_redirects=False,
        timeout=10,
    )
    return session if answer.status_code == 303 else None


def opens(appliance: Appliance, session: requests.Session) -> bool:
    return session.get(f"{appliance.url}/", allow_redirects=False, timeout=10).status_code == 200


def test_a_password_that_is_set_by_the_environment_is_not_changed(appliance: Appliance) -> None:
    assert "SPOKE_ADMIN_PASSWORD" in fails(appliance, "password")


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("SPOKE_TIMEOUT", "26", "SPOKE_TIMEOUT=26"),
        ("DATABASE_URL", "postgresql://spoke:hunter2@127.0.0.1:1/spoke", "DATABASE_URL"),
        ("SPOKE_DATA_DIR", "/proc/nothing", "SPOKE_DATA_DIR=/proc/nothing"),
    ],
)
def test_a_command_that_cannot_start_says_why_in_a_line(
    tmp_path: Path, setting: str, value: str, said: str
) -> None:
    done = Appliance(tmp_path / "a", start=False, **{setting: value}).flask("location", "list", "--json")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and said in done.stderr and "hunter2" not in done.stderr
