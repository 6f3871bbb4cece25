"""For a receiver's programmer: the signature's formula, the fields, and code with the settings filled in.

A webhook's page and docs/receivers.md are made of the same templates (``templates/receivers/``).
"""

import json
import shlex
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from flask import render_template

from webhooks.catalogue import CALL_FIELDS, MEDIA_FIELDS, sample_payload
from webhooks.db.models import Webhook
from webhooks.services.container import services

_TITLES: Final = {
    "python": "Python",
    "php": "PHP",
    "node": "Node.js",
    "csharp": "C#",
    "go": "Go",
    "node_red": "Node-RED",
    "curl": "curl and openssl",
}
_FENCES: Final = {
    "node": "js",
    "node_red": "json",
    "curl": "sh",
}  # what Markdown calls them, where that differs
_LOCAL: Final = ("127.0.0.1", 9000)  # behind a web server of the programmer's own

_VALUES: Final = {
    "id": "text: the same at every attempt",
    "thread_id": "text: the same in all messages of a call",
    "to": 'text: the number that was called, "" if unknown',
    "from": 'text: the number that called, "" if unknown',
    "to_name": 'text, "" if unknown',
    "from_name": 'text, "" if unknown',
    "type": "`incoming_call` or `outgoing_call`",
    "subtype": "the call status: `ringing`, `answered`, `ended`, `missed`, `busy`, `no_answer` and four more",
    "timestamp": "text, ISO 8601; without a zone it is UTC",
}
_MEDIA_VALUES: Final = _VALUES | {
    "type": "`voicemail` or `call_recording`",
    "filename": "text, or null",
    "content_type": "`audio/mpeg`, or null where the PBX keeps the audio itself",
    "attachments": "the download link, which lives 24 hours; null where there is no audio",
}
FURTHER: Final = {
    "test": "true in a test message",
    "error": "why a recording could not be sent",
    "source_id": "the PBX's own id, where it was no UUID",
}
FIELDS: Final = {
    "call": {name: _VALUES[name] for name in CALL_FIELDS},
    "media": {name: _MEDIA_VALUES[name] for name in MEDIA_FIELDS},
}


@dataclass(frozen=True, slots=True)
class Sample:
    """A program. ``fence``: what Markdown calls its language."""

    name: str
    title: str
    fence: str
    code: str


def of_webhook(webhook: Webhook, *, listens: bool) -> dict[str, Any]:
    """All of it for a webhook's page. ``listens`` as in ``samples``."""
    base_url = services().settings.base_url
    payload = sample_payload(webhook.kind, webhook.types, webhook.statuses, base_url)
    return {
        "formula": formula(),
        "samples": samples(webhook.url, payload, listens=listens),
        "fields": FIELDS[webhook.kind],
        "further": FURTHER,
    }


def formula() -> str:
    """How a signature is made, in four lines."""
    return render_template("receivers/formula.txt")


def samples(url: str, payload: dict[str, Any], *, listens: bool = True) -> list[Sample]:
    """A receiver in each language, and how to try it.

    Args:
        url: the webhook's. The receivers listen at its port, if it has one and leads to them directly.
        payload: a sample of what they get.
        listens: False where something else listens there, as a test inbox does.
    """
    host, port = _listening(url) if listens else _LOCAL
    values = {
        "host": host,
        "port": port,
        "url": shlex.quote(url),
        "body": shlex.quote(json.dumps(payload, ensure_ascii=False, indent=2)),
        "path": json.dumps(urlsplit(url).path or "/", ensure_ascii=False),
        "verify": json.dumps(render_template("receivers/_node_red_function.txt"), ensure_ascii=False),
        "told": "subtype" if "subtype" in payload else "attachments",
    }
    return [
        Sample(name, title, _FENCES.get(name, name), render_template(f"receivers/{name}.txt", **values))
        for name, title in _TITLES.items()
    ]


def paper() -> str:
    """The text of docs/receivers.md."""
    host, port = _LOCAL
    payload = sample_payload("call", [], [], "https://spoke.example")
    return render_template(
        "receivers/paper.txt",
        fields=FIELDS,
        further=FURTHER,
        formula=formula(),
        samples=samples(f"http://{host}:{port}/calls", payload),
    )


def _listening(url: str) -> tuple[str, int]:
    """Where a receiver listens for a URL: with TLS or without a port, behind a web server."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.port is None:
        return _LOCAL
    return "127.0.0.1" if parts.hostname in ("127.0.0.1", "localhost") else "0.0.0.0", parts.port
