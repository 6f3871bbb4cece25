"""The kinds of phone systems that the appliance connects to: how each speaks, logs in and is set up."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from webhooks.cleaning import fit
from webhooks.errors import Invalid
from webhooks.outbound.ami_link import AmiLink
from webhooks.outbound.esl_link import EslLink
from webhooks.outbound.pbx_link import Account, Link
from webhooks.pbx.asterisk.dialect import DIALECT as ASTERISK
from webhooks.pbx.freeswitch.dialect import DIALECT as FREESWITCH
from webhooks.pbx.live import Dialect
from webhooks.services.parsing import Input

_ACCOUNT: Final = frozenset({"host", "port", "user", "tls", "ca"})


def _plain(text: str) -> str:
    if not text or not fit(text) or any(character.isspace() for character in text):
        raise ValueError("has to be without white space and control characters")
    return text


_Plain = Annotated[str, AfterValidator(_plain)]


def _words(value: object) -> object:
    return tuple(re.split(r"[\s,;]+", value.strip(" \t\r\n,;"))) if isinstance(value, str) else value


_Words = Annotated[tuple[str, ...] | None, BeforeValidator(_words)]


class ConnectionInput(Input):
    """How to reach a phone system and to read it. A secret left out keeps the one that is there.

    What differs between sites is as the dialect's options have it; left out, their defaults hold.
    """

    dialect: ClassVar[Dialect]

    host: _Plain = Field(title="Host", max_length=253)
    port: int = Field(title="Port", ge=1, le=65535)
    tls: bool = Field(default=False, title="TLS")
    ca: str | None = Field(default=None, title="Certificate to trust", max_length=20_000)
    secret: _Plain | None = Field(default=None, title="Secret", max_length=200)
    internal_numbers: _Words = Field(default=None, title="Internal numbers")
    trunks: _Words = Field(default=None, title="Trunks")
    trunk_contexts: _Words = Field(default=None, title="Trunk contexts")
    internal_calls: bool = Field(default=False, title="Internal calls")

    def account(self) -> dict[str, object]:
        """Return how to reach it, without the secret."""
        return {"user": "", **self.model_dump(include=set(_ACCOUNT))}

    def options(self) -> dict[str, object]:
        """Return how to read it, as far as that was given. Raises Invalid where it cannot be read so."""
        given = self.model_dump(exclude={*_ACCOUNT, "secret"}, exclude_none=True)
        try:
            self.dialect.options.model_validate({"source": "", **given})
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            name = str(fault["loc"][0])
            title = type(self).model_fields[name].title
            raise Invalid(f"“{title}” {fault['msg']}.", name) from None
        return given


class AsteriskInput(ConnectionInput):
    """How to reach and read an Asterisk."""

    dialect: ClassVar = ASTERISK

    port: int = Field(default=5038, title="Port", ge=1, le=65535)
    user: _Plain = Field(title="User", max_length=80)
    outgoing_prefixes: _Words = Field(default=None, title="Outgoing prefixes")


class FreeswitchInput(ConnectionInput):
    """How to reach and read a FreeSWITCH. Its event socket has a password and no users."""

    dialect: ClassVar = FREESWITCH

    port: int = Field(default=8021, title="Port", ge=1, le=65535)
    secret: _Plain | None = Field(default=None, title="Password", max_length=200)


@dataclass(frozen=True)
class LiveSystem:
    """A kind of phone system. ``secret`` is what it calls the secret of the log-in."""

    dialect: Dialect
    link: Callable[[Account], Link]
    form: type[ConnectionInput]

    @property
    def name(self) -> str:
        """Its name in commands, addresses and the database."""
        return self.dialect.name

    @property
    def title(self) -> str:
        """Its name for people."""
        return self.dialect.title

    @property
    def secret(self) -> str:
        """What its log-in's secret is called there."""
        return self.form.model_fields["secret"].title or "Secret"

    @property
    def port(self) -> int:
        """The port that is usual."""
        return int(self.form.model_fields["port"].default)


SYSTEMS: Final[Mapping[str, LiveSystem]] = {
    system.name: system
    for system in (
        LiveSystem(ASTERISK, AmiLink, AsteriskInput),
        LiveSystem(FREESWITCH, EslLink, FreeswitchInput),
    )
}
