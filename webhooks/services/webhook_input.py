"""What people and programs give of a webhook: forms, commands and API bodies alike."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from webhooks.catalogue import CALL_STATUSES, CALL_TYPES, EVENT_TYPES, MEDIA_TYPES
from webhooks.errors import Invalid
from webhooks.outbound.options import Options
from webhooks.services.parsing import Input, one_of_items


def _in_order_of(catalogue: Mapping[str, str]) -> AfterValidator:
    """Each word once, in the order of the catalogue; what is not in it comes last."""
    places = {word: place for place, word in enumerate(catalogue)}
    return AfterValidator(
        lambda given: tuple(sorted(dict.fromkeys(given), key=lambda word: places.get(word, len(places))))
    )


class WebhookInput(Input):
    """What a webhook is for, where it leads and how it is sent. No ``types``, no ``statuses``: any."""

    kind: Literal["call", "media"] = Field(title="Kind")
    types: Annotated[tuple[str, ...], _in_order_of(EVENT_TYPES)] = Field(
        default=(), title="Types", json_schema_extra=one_of_items(EVENT_TYPES)
    )
    statuses: Annotated[tuple[str, ...], _in_order_of(CALL_STATUSES)] = Field(
        default=(), title="Call statuses", json_schema_extra=one_of_items(CALL_STATUSES)
    )
    url: str = Field(title="URL")
    description: str = Field(default="", max_length=500, title="Description")
    options: Options = Options()

    @model_validator(mode="after")
    def _filter_fits_kind(self) -> "WebhookInput":
        known = CALL_TYPES if self.kind == "call" else MEDIA_TYPES
        if not known.keys() >= set(self.types):
            raise Invalid(
                f"The type of a {self.kind} webhook is one of {', '.join(known)}; leave it out for any.",
                "types",
            )
        if self.statuses and self.kind == "media":
            raise Invalid("A media webhook has no status.", "statuses")
        if not CALL_STATUSES.keys() >= set(self.statuses):
            raise Invalid(
                f"The call status is one of {', '.join(CALL_STATUSES)}; leave it out for any.", "statuses"
            )
        if self.description and not self.description.isprintable():
            raise Invalid("A description has printable characters only.", "description")
        return self


class OptionChanges(BaseModel):
    """Changes of ``Options``; null sets one back to its default. What is given as ``HIDDEN`` stays.

    That is a header's value, or the client's key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    headers: dict[str, str] | None = Field(default=None, title="Custom headers")
    concurrency: int | None = Field(default=None, title="Requests at a time")
    rate: float | None = Field(default=None, title="Requests a second")
    timeout: float | None = Field(default=None, title="Timeout in seconds")
    max_age: int | None = Field(default=None, title="Maximum age in seconds")
    ca: str | None = Field(default=None, title="Certificate authority")
    verify: bool | None = Field(default=None, title="Check of the certificate")
    client_certificate: str | None = Field(default=None, title="Client certificate")
    client_key: str | None = Field(default=None, title="Client key")


class WebhookChanges(Input):
    """Changes of a ``WebhookInput``: only what is given counts, and the whole is checked again."""

    kind: Literal["call", "media"] = Field(default="call", title="Kind")
    types: tuple[str, ...] = Field(default=(), title="Types", json_schema_extra=one_of_items(EVENT_TYPES))
    statuses: tuple[str, ...] = Field(
        default=(), title="Call statuses", json_schema_extra=one_of_items(CALL_STATUSES)
    )
    url: str = Field(default="", title="URL")
    description: str = Field(default="", max_length=500, title="Description")
    options: OptionChanges = OptionChanges()

    def given(self) -> dict[str, Any]:
        """The changes as ``Webhooks.edit`` takes them."""
        return self.model_dump(exclude_unset=True)
