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

NONE: Final = "none"  # in a list: there are none, whatever the default is
_ACCOUNT: Final = frozenset({"host", "port", "user", "tls", "ca"})


def _plain(text: str) -> str:
    if not text or not fit(text) or any(character.isspace() for character in text):
        raise ValueError("has to be without white space and control characters")
    return text


_Plain = Annotated[str, AfterValidator(_plain)]


def _words(value: object) -> object:
    """A list as people type it; blank is left out, so that a word says that there are none."""
    if not isinstance(value, str):
        return value
    words = tuple(re.split(r"[\s,;]+", value.strip(" \t\r\n,;")))
    return () if [word.lower() for word in words] == [NONE] else words


_Words = Annotated[tuple[str, ...] | None, BeforeValidator(_words)]


class SiteOptions(Input):
    """What differs between sites, as the dialect's options have it; left out, their defaults hold."""

    dialect: ClassVar[Dialect]

    internal_numbers: _Words = Field(default=None, title="Internal numbers")
    trunks: _Words = Field(default=None, title="Trunks")
    trunk_contexts: _Words = Field(default=None, title="Trunk contexts")
    internal_calls: bool = Field(default=False, title="Internal calls")

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


class ConnectionInput(SiteOptions):
    """How to reach a phone system and to read it. A secret left out keeps the one that is there."""

    host: _Plain = Field(title="Host", max_length=253)
    port: int = Field(title="Port", ge=1, le=65535)
    tls: bool = Field(default=False, title="TLS")
    ca: str | None = Field(default=None, title="Certificate to trust", max_length=20_000)
    secret: _Plain | None = Field(default=None, title="Secret", max_length=200)

    def account(self) -> dict[str, object]:
        """Return how to reach it, without the secret."""
        return {"user": "", **self.model_dump(include=set(_ACCOUNT))}


class AsteriskSite(SiteOptions):
    """What differs between sites with an Asterisk."""

    dialect: ClassVar = ASTERISK

    outgoing_prefixes: _Words = Field(default=None, title="Outgoing prefixes")


class AsteriskInput(AsteriskSite, ConnectionInput):
    """How to reach and read an Asterisk."""

    port: int = Field(default=5038, title="Port", ge=1, le=65535)
    user: _Plain = Field(title="User", max_length=80)


class FreeswitchSite(SiteOptions):
    """What differs between sites with a FreeSWITCH."""

    dialect: ClassVar = FREESWITCH


class FreeswitchInput(FreeswitchSite, ConnectionInput):
    """How to reach and read a FreeSWITCH. Its event socket has a password and no users."""

    port: int = Field(default=8021, title="Port", ge=1, le=65535)
    secret: _Plain | None = Field(default=None, title="Password", max_length=200)


@dataclass(frozen=True)
class LiveSystem:
    """A kind of phone system. ``secret`` is what it calls the secret of the log-in."""

    dialect: Dialect
    link: Callable[[Account], Link]
    site: type[SiteOptions]
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
        LiveSystem(ASTERISK, AmiLink, AsteriskSite, AsteriskInput),
        LiveSystem(FREESWITCH, EslLink, FreeswitchSite, FreeswitchInput),
    )
}
