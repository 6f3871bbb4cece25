"""The webhook form's fields, as texts: what was typed is shown again, whatever is wrong with it."""

from dataclasses import dataclass, field
from typing import Any, Final

from werkzeug.datastructures import MultiDict

from webhooks.catalogue import HIDDEN
from webhooks.db.models import Webhook
from webhooks.outbound.options import Options
from webhooks.services.parsing import row_number

OPTION_FIELDS: Final = (
    "headers",
    "concurrency",
    "rate",
    "timeout",
    "max_age",
    "ca",
    "verify",
    "client_certificate",
    "client_key",
)


@dataclass(slots=True)
class WebhookForm:
    """Texts of the fields; "" is a field left blank. ``version``: the webhook's, when the form was made.

    ``types`` and ``statuses`` begin with the choice of the list, which is "" for any; after it come the
    boxes that are ticked. All of them count together.
    """

    types: list[str] = field(default_factory=lambda: [""])
    statuses: list[str] = field(default_factory=lambda: [""])
    url: str = ""
    description: str = ""
    headers: str = ""
    concurrency: str = ""
    rate: str = ""
    timeout: str = ""
    max_age: str = ""
    ca: str = ""
    verify: bool = True
    client_certificate: str = ""
    client_key: str = ""
    version: int | None = None

    @classmethod
    def typed(cls, given: MultiDict[str, str]) -> "WebhookForm":
        """The fields as they were sent."""

        def text(name: str) -> str:
            return given.get(name, "").strip().replace("\r\n", "\n")

        return cls(
            types=given.getlist("types") or [""], statuses=given.getlist("statuses") or [""],
            url=text("url"), description=text("description"),
            headers=text("headers"), concurrency=text("concurrency"), rate=text("rate"),
            timeout=text("timeout"), max_age=text("max_age"), ca=text("ca"),
            verify="no_verify" not in given, client_certificate=text("client_certificate"),
            client_key=text("client_key"), version=_version(text("version")),
        )  # fmt: skip

    @classmethod
    def of(cls, webhook: Webhook) -> "WebhookForm":
        """The fields of a webhook as it is."""
        kept = webhook.options
        options = Options.model_validate(kept)

        def number(name: str) -> str:
            return f"{kept[name]:g}" if isinstance(kept.get(name), float) else str(kept.get(name) or "")

        return cls(
            types=[*webhook.types] or [""], statuses=[*webhook.statuses] or [""],
            url=webhook.url, description=webhook.description,
            headers="\n".join(f"{name}: {HIDDEN}" for name in options.headers),
            concurrency=number("concurrency"), rate=number("rate"), timeout=number("timeout"),
            max_age=number("max_age"), ca=options.ca or "", verify=options.verify,
            client_certificate=options.client_certificate or "",
            client_key=HIDDEN if options.client_key else "", version=webhook.version,
        )  # fmt: skip

    @property
    def has_several(self) -> bool:
        """Whether a box is ticked, so that the boxes are to be shown open."""
        return len(self.types) > 1 or len(self.statuses) > 1

    @property
    def has_options(self) -> bool:
        """Whether an option is set, so that the options are to be shown open."""
        return any(value is not None for value in self._options().values())

    def header_names(self) -> list[str]:
        return [line.partition(":")[0].strip() for line in self.headers.splitlines() if line.strip()]

    def new(self, kind: str) -> dict[str, Any]:
        """A new webhook, for ``parse(WebhookInput, …)``."""
        options = {name: value for name, value in self._options().items() if value is not None}
        return {"kind": kind, **self.changes(), "options": options}

    def changes(self) -> dict[str, Any]:
        """Changes of a webhook, for ``Webhooks.edit``; an option left blank is reset."""
        return {
            "types": [*filter(None, self.types)],
            "statuses": [*filter(None, self.statuses)],
            "url": self.url,
            "description": self.description,
            "options": self._options(),
        }

    def _options(self) -> dict[str, Any]:
        texts = {name: getattr(self, name) or None for name in OPTION_FIELDS if name != "verify"}
        return {**texts, "verify": None if self.verify else False}


def _version(text: str) -> int | None:
    """None if there is none. What no version can be is 0, which none is: it must not count as "whichever"."""
    return (row_number(text) or 0) if text else None
