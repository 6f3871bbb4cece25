"""``event``: send an event by hand."""

import click

from webhooks.catalogue import CALL_STATUSES, CALL_TYPES, EVENT_TYPES, sample_event
from webhooks.cli.common import command, counted, new_group, show
from webhooks.events.storage import Accepted
from webhooks.services.container import services

group = new_group("event", "Events sent by hand.", "flask --app app event send --location Office "
               "--type incoming_call --status ringing")  # fmt: skip


@command(group, "send", "flask --app app event send --location Office --type incoming_call --status ringing")
@click.option("--location", required=True, help="The location's name.")
@click.option("--type", "type_", required=True, type=click.Choice(list(EVENT_TYPES)))
@click.option("--status", help=f"{', '.join(CALL_STATUSES)}; for calls.")
@click.option("--thread", help="The thread_id, which all events of one call share.")
@click.option("--from", "from", help="Who calls: a number.  [default: a sample's]")
@click.option("--from-name", help="Their name.  [default: a sample's]")
@click.option("--to", help="Who is called: a number or an extension.  [default: a sample's]")
@click.option("--to-name", help="Their name.  [default: a sample's]")
def send(
    location: str, type_: str, status: str | None, thread: str | None, as_json: bool, **parties: str | None
) -> None:
    """Send an event as a PBX would."""
    fields = sample_event("call" if type_ in CALL_TYPES else "media", [type_], [])
    fields.pop("subtype", None)
    if status:
        fields["subtype"] = status
    if thread:
        fields["thread_id"] = thread
    fields |= {name: text for name, text in parties.items() if text is not None}
    show_sent(as_json, services().events.send(location, fields))


def show_sent(as_json: bool, sent: Accepted) -> None:
    shown = {"id": sent.id, "deliveries": sent.deliveries}
    matched = counted(sent.deliveries, "webhook")
    show(as_json, shown, f"Event {sent.id} is accepted; it matches {matched}.")
