"""A webhook as form fields, and back: everything as the person wrote it, so that nothing typed is lost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from webhooks.db.models import Webhook
from webhooks.errors import Invalid
from webhooks.outbound.options import Options
from webhooks.web.ui.page import row_number

KEPT: Final = "•••"  # stands for a header's value, which is not shown again
_NUMBERS: Final = {"concurrency": int, "rate": float, "timeout": float, "max_age": int}
_MEANT: Final = {
    "concurrency": "a whole number from 1 to 64", "rate": "a number of requests a second",
    "timeout": "a number of seconds from 1 to 25", "max_age": "a whole number of seconds",
}  # fmt: skip


@dataclass(slots=True)
class Form:
    """Texts of the fields; "" is a field left empty."""

    type: str | None = None
    status: str | None = None
    url: str = ""
    description: str = ""
    headers: str = ""
    concurrency: str = ""
    rate: str = ""
    timeout: str = ""
    max_age: str = ""
    ca: str = ""
    verify: bool = True
    version: int | None = None

    @property
    def has_options(self) -> bool:
        """Whether there is anything under "Options" that should be seen at once."""
        return any((self.headers, self.concurrency, self.rate, self.timeout, self.max_age, self.ca)) or (
            not self.verify
        )

    def header_names(self) -> list[str]:
        return [line.partition(":")[0].strip() for line in self.headers.splitlines() if line.strip()]

    def options(self, present: Mapping[str, Any]) -> dict[str, Any]:
        """All options; None resets one. ``present`` has the header values that are not shown.

        Raises:
            Invalid: names the field.
        """
        chosen: dict[str, Any] = {"headers": self._headers(present.get("headers", {})), "ca": self.ca or None}
        for name, convert in _NUMBERS.items():
            text = getattr(self, name)
            try:
                chosen[name] = convert(text) if text else None
            except ValueError:
                raise Invalid(f"{text!r} is not {_MEANT[name]}.", name) from None
        chosen["verify"] = None if self.verify else False
        return {name: value for name, value in chosen.items() if value is not None or present}

    def changes(self, webhook: Webhook) -> dict[str, Any]:
        """What ``Registry.edit_webhook`` takes."""
        present = {"headers": {}, **webhook.options}
        return {
            "type": self.type, "status": self.status, "url": self.url, "description": self.description,
            "options": self.options(present),
        }  # fmt: skip

    def _headers(self, present: Mapping[str, str]) -> dict[str, str]:
        kept: dict[str, str] = {}
        for line in self.headers.splitlines():
            name, colon, value = (part.strip() for part in line.partition(":"))
            if not line.strip():
                continue
            if not colon:
                raise Invalid(f"The header line {line.strip()!r} has to be “Name: value”.", "headers")
            if name.lower() in map(str.lower, kept):
                raise Invalid(f"The header {name} is given twice.", "headers")
            if value == KEPT:
                if name not in present:
                    raise Invalid(f"The header {name} has no value yet: write it out.", "headers")
                value = present[name]
            kept[name] = value
        return kept


def blank(url: str) -> Form:
    return Form(url=url)


def read(given: Mapping[str, str]) -> Form:
    """What was sent."""

    def text(name: str) -> str:
        return given.get(name, "").strip().replace("\r\n", "\n")

    return Form(
        type=text("type") or None, status=text("status") or None, url=text("url"),
        description=text("description"), headers=text("headers"), concurrency=text("concurrency"),
        rate=text("rate"), timeout=text("timeout"), max_age=text("max_age"), ca=text("ca"),
        verify="no_verify" not in given, version=_version(text("version")),
    )  # fmt: skip


def _version(text: str) -> int | None:
    """None if there is none. What no version can be is 0, which none is: it must not count as "whichever"."""
    return (row_number(text) or 0) if text else None


def filled(webhook: Webhook) -> Form:
    """A webhook as it is."""
    kept = webhook.options
    options = Options.model_validate(kept)

    def number(name: str) -> str:
        return f"{kept[name]:g}" if isinstance(kept.get(name), float) else str(kept.get(name) or "")

    return Form(
        type=webhook.type, status=webhook.status, url=webhook.url, description=webhook.description,
        headers="\n".join(f"{name}: {KEPT}" for name in options.headers),
        concurrency=number("concurrency"), rate=number("rate"), timeout=number("timeout"),
        max_age=number("max_age"), ca=options.ca or "", verify=options.verify, version=webhook.version,
    )  # fmt: skip
