"""What becomes of a webhook's row by a change, and how the audit log tells of it."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from webhooks.catalogue import HIDDEN, filter_label
from webhooks.db.models import Webhook
from webhooks.outbound.options import Options, read_headers
from webhooks.services.webhook_input import WebhookInput


def filter_of(webhook: Webhook) -> str:
    """Say which events a webhook is for."""
    return filter_label(webhook.kind, webhook.types, webhook.statuses)


def shown_url(url: str) -> str:
    """Show a URL in the audit log without its query, which may hold a receiver's key."""
    address, mark, _ = url.partition("?")
    return f"{address}?{HIDDEN}" if mark else address


def described(webhook: Webhook) -> dict[str, str]:
    """Describe a webhook for the audit log: of headers only the names, of a certificate that there is one."""
    options = Options.model_validate(webhook.options).shown()
    options["headers"] = ", ".join(options["headers"]) or "none"
    options["ca"] = "own" if options["ca"] else "the usual ones"
    certificate = options.pop("client_key") and options["client_certificate"]
    options["client_certificate"] = sha256(certificate.encode()).hexdigest()[:8] if certificate else "none"
    own = {
        "events": filter_of(webhook),
        "URL": shown_url(webhook.url),
        "description": webhook.description or "none",
    }
    return own | {
        name.replace("_", " "): "default" if value is None else str(value) for name, value in options.items()
    }


def columns_of(wanted: WebhookInput) -> dict[str, Any]:
    """Of the options only what differs from the default is kept, so that a default may change."""
    columns = {name: getattr(wanted, name) for name in WebhookInput.model_fields}
    columns["options"] = wanted.options.model_dump(exclude_defaults=True)
    return columns


def merged(webhook: Webhook, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The webhook as it would be with the changes, still unchecked."""
    present = {
        "kind": webhook.kind,
        "types": webhook.types,
        "statuses": webhook.statuses,
        "url": webhook.url,
        "description": webhook.description,
    }
    options = {**webhook.options, **changes.get("options", {})}
    options["headers"] = _revealed(options.get("headers"), webhook.options.get("headers"))
    if options.get("client_key") == HIDDEN:
        options["client_key"] = webhook.options.get("client_key", HIDDEN)
    return {
        **present,
        **changes,
        "options": {name: value for name, value in options.items() if value is not None},
    }


def _revealed(headers: Any, present: Any) -> Any:
    """Headers with the values that are kept in place of the hidden ones."""
    given = read_headers(headers)
    if not isinstance(given, dict) or not isinstance(present, dict):
        return given
    return {name: present.get(name, value) if value == HIDDEN else value for name, value in given.items()}
