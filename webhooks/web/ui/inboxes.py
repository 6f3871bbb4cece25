"""Test inboxes: their pages, and the addresses that messages are posted to."""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from flask import Blueprint, Response, redirect, render_template, request, url_for
from pydantic import BeforeValidator, Field

from webhooks.catalogue import counted
from webhooks.data_dir import try_lock
from webhooks.db.models import Inbox
from webhooks.errors import Invalid, NoCapacity, SpokeError
from webhooks.services.container import services
from webhooks.services.inboxes import STATUSES, InboxAnswer
from webhooks.services.parsing import Input, row_number
from webhooks.services.webhook_input import WebhookInput
from webhooks.web.shared.access import admin, by_token
from webhooks.web.shared.bodies import read_body
from webhooks.web.shared.slots import waiting
from webhooks.web.ui.choices import location_choices, webhook_choices
from webhooks.web.ui.page import notice, parse_form, plain, reveal, wants_fragment

blueprint = Blueprint("inboxes", __name__)
_DELAYED: Final = 3  # answers at a time, over all web processes
# New webhooks that a page offers: the kind of their events, all of them, each of them.
_NEW: Final[dict[str, tuple[Literal["call", "media"], str, str]]] = {
    "new": ("call", "calls", "call event"),
    "media": ("media", "recordings and voicemails", "recording and voicemail"),
}


def _target(text: str) -> tuple[str, int]:
    kind, _, digits = str(text).partition(":")
    number = row_number(digits)
    if kind not in (*_NEW, "webhook") or number is None:
        raise ValueError("Choose a webhook.")
    return kind, number


class PointForm(Input):
    """What is to send to the inbox: ("webhook", its number), or (one of _NEW, its location's number)."""

    target: Annotated[tuple[str, int], BeforeValidator(_target)] = Field(title="Webhook to send here")


@blueprint.post("/inbox/<inbox_id>")
@by_token
def receive(inbox_id: str) -> Response:
    """Keep the message and respond as the inbox is set. The id is the token."""
    inbox = services().inboxes.get(inbox_id)
    body = read_body(services().settings.max_body)
    with _slot() if inbox.delay_ms else contextlib.nullcontext():
        inbox = services().inboxes.receive(
            inbox_id, list(request.headers.items()), body, request.remote_addr or ""
        )
        with waiting():
            time.sleep(inbox.delay_ms / 1000)
    status = inbox.http_status
    headers = {"Retry-After": "10"} if status in (429, 503) else {}
    return Response("" if status == 204 else f"{STATUSES[status]}\n", status, headers)


@blueprint.get("/inbox/<inbox_id>")
@admin
def open_page(inbox_id: str) -> Any:
    """Lead a browser that opens the inbox's address to its page."""
    return redirect(url_for("inboxes.show", inbox_id=inbox_id), 303)


@blueprint.get("/inboxes")
@admin
def index() -> Any:
    return render_template("inboxes/index.html", inboxes=services().inboxes.all())


@blueprint.post("/inboxes")
@admin
def add() -> Any:
    return redirect(url_for("inboxes.show", inbox_id=services().inboxes.add().id), 303)


@blueprint.get("/inboxes/<inbox_id>")
@admin
def show(inbox_id: str) -> Any:
    if wants_fragment():
        return render_template("inboxes/_messages.html", **_messages(inbox_id))
    return _page(inbox_id)


@blueprint.get("/inboxes/<inbox_id>/messages/<int:message_id>")
@admin
def body(inbox_id: str, message_id: int) -> Response:
    """A message's body as it was kept, whole: the page shows its beginning."""
    return plain(services().inboxes.message(inbox_id, message_id).body)


@blueprint.post("/inboxes/<inbox_id>/answer")
@admin
def set_answer(inbox_id: str) -> Any:
    try:
        answer = parse_form(InboxAnswer)
    except Invalid as error:
        return _page(inbox_id, error), 422
    services().inboxes.set_answer(inbox_id, answer)
    after = f" after {answer.delay:g} s" if answer.delay else ""
    notice(f"The next requests are answered with {STATUSES[answer.status]}{after}.")
    return redirect(url_for("inboxes.show", inbox_id=inbox_id), 303)


@blueprint.post("/inboxes/<inbox_id>/point")
@admin
def point(inbox_id: str) -> Any:
    """Send an existing webhook's messages to the inbox, or by a new one all of a kind of a location."""
    url = services().inboxes.address(services().inboxes.get(inbox_id))
    try:
        kind, number = parse_form(PointForm).target
    except Invalid as error:
        return _page(inbox_id, error), 422
    if kind in _NEW:
        location = services().locations.get(number)
        events, _, each = _NEW[kind]
        wanted = WebhookInput(kind=events, url=url, description="To a test inbox")
        webhook = services().webhooks.add(location.name, wanted)
        reveal(f"The secret of webhook {webhook.id}", webhook.secret, f"webhook {webhook.id}")
        notice(f"Webhook {webhook.id} sends every {each} of {location.name} here.")
    else:
        before = services().webhooks.get(number).url
        services().webhooks.edit(number, {"url": url})
        notice(f"Webhook {number} sends to this inbox now. Its URL was {before}")
    return redirect(url_for("inboxes.show", inbox_id=inbox_id), 303)


@blueprint.post("/inboxes/<inbox_id>/clear")
@admin
def clear(inbox_id: str) -> Any:
    services().inboxes.clear(inbox_id)
    return redirect(url_for("inboxes.show", inbox_id=inbox_id), 303)


@blueprint.get("/inboxes/<inbox_id>/delete")
@admin
def delete(inbox_id: str) -> Any:
    inbox = services().inboxes.get(inbox_id)
    return render_template(
        "inboxes/delete.html",
        inbox=inbox,
        pointing=services().inboxes.webhooks(inbox),
        messages=len(services().inboxes.messages(inbox_id)),
    )


@blueprint.post("/inboxes/<inbox_id>/delete")
@admin
def delete_submit(inbox_id: str) -> Any:
    pointing = len(services().inboxes.webhooks(services().inboxes.get(inbox_id)))
    services().inboxes.delete(inbox_id)
    still = counted(pointing, "webhook still sends", "webhooks still send")
    warning = f" {still} to it and will fail with 404: change the URL." if pointing else ""
    notice(f"The test inbox is deleted.{warning}")
    return redirect(url_for("inboxes.index"), 303)


def _messages(inbox_id: str) -> dict[str, Any]:
    return {
        "inbox": services().inboxes.get(inbox_id),
        "messages": services().inboxes.messages(inbox_id),
    }


def _page(inbox_id: str, error: SpokeError | None = None) -> str:
    shown = _messages(inbox_id)
    return render_template(
        "inboxes/show.html",
        **shown,
        address=services().inboxes.address(shown["inbox"]),
        pointing=services().inboxes.webhooks(shown["inbox"]),
        targets=_targets(),
        given=_given_answer(shown["inbox"], error),
        statuses=STATUSES,
        error=error,
    )


def _given_answer(inbox: Inbox, error: SpokeError | None) -> dict[str, Any]:
    """The answer in the form: as it is set, or as it was typed if it was refused."""
    if error and "delay" in request.form:
        return {"status": row_number(request.form.get("status", "")), "delay": request.form["delay"]}
    return {"status": inbox.http_status, "delay": f"{inbox.delay_ms / 1000:g}"}


def _targets() -> dict[str, str]:
    """The webhooks that ``PointForm`` offers, new ones first."""
    new = {
        f"{kind}:{id_}": f"New webhook: all {events} of {name}"
        for id_, name in location_choices().items()
        for kind, (_, events, _) in _NEW.items()
    }
    return new | {f"webhook:{id_}": text for id_, text in webhook_choices().items()}


@contextlib.contextmanager
def _slot() -> Iterator[None]:
    """Hold one of the few slots for delayed answers: they must not fill the threads that ingest needs."""
    for number in range(_DELAYED):
        fd = try_lock(services().settings.data / f"inbox-{number}.lock")
        if fd is None:
            continue
        try:
            yield
            return
        finally:
            os.close(fd)
    raise NoCapacity("Three delayed answers of test inboxes are running. Try again in a second.", 1)
