"""Every domain error. Each carries its data; the doors (HTTP, command line) decide how to say it."""

from dataclasses import dataclass


class SpokeError(Exception):
    """Something the caller can understand and act on; ``str()`` is a sentence for an operator."""


class SettingsError(SpokeError):
    """A setting that cannot be used: the sentence names the variable, its value and what would be right."""


class StartError(SpokeError):
    """The appliance cannot start: a port in use, a data dir taken, no Redis server found."""


class NotFound(SpokeError):
    """No such location, webhook, key or delivery."""


class Conflict(SpokeError):
    """The request does not fit the present state, such as a name that is taken."""


class Stale(Conflict):
    """What is to be changed was changed by somebody else since it was read; nothing was overwritten."""


class TooMany(SpokeError):
    """Too many tries; ``retry_after`` in seconds says when the next one counts."""

    def __init__(self, sentence: str, retry_after: int) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class Invalid(SpokeError):
    """A value of the caller's that cannot be taken; ``field`` names it, where it is one of a form's."""

    def __init__(self, sentence: str, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


class Unavailable(SpokeError):
    """Something that cannot be had now. Worth trying again after ``retry_after`` seconds."""

    def __init__(self, sentence: str, retry_after: int = 5) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class ReadFailed(Unavailable):
    """The database cannot be reached, or cannot be read now."""


class WriteTimedOut(Unavailable):
    """Other writes took too long; this one was not begun."""


class WriteFailed(Unavailable):
    """The database could not write; nothing was written."""


class Unconfirmed(Unavailable):
    """A commit began, and nobody knows its outcome: the write was made, or it was not."""


class NoCapacity(Unavailable):
    """All places for work of this kind are taken."""


@dataclass(frozen=True)
class FieldError:
    """One fault of an event: where (RFC 6901 pointer from the body's root) and what."""

    pointer: str
    detail: str


class InvalidEvent(SpokeError):
    """An event, or a batch with at least one event, that breaks the rules of the contract's section 2."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{self._place(e.pointer)} {e.detail}" for e in errors) + ".")
        self.errors = errors

    def _place(self, pointer: str) -> str:
        return pointer or "The body"


class InvalidForm(InvalidEvent):
    """An event of a form that breaks the rules: ``pointer`` is the field's name."""

    def _place(self, pointer: str) -> str:
        return f"The field '{pointer}'" if pointer else "The body"


class Unreadable(SpokeError):
    """A body that is not what its content type says: no JSON, no UTF-8."""


class Unsupported(SpokeError):
    """A body in a charset that is not known here."""


class Coded(Unsupported):
    """A compressed body, or one coded otherwise."""


class Unauthorised(SpokeError):
    """No token, or one that no location has."""


class LocationPaused(SpokeError):
    """The token is right, but its location is paused: the PBX is losing events."""


class TooLarge(SpokeError):
    """More bytes than SPOKE_MAX_MEDIA or SPOKE_MAX_BODY allow."""


class DiskFull(SpokeError):
    """Too little disk is left to take media: events go first."""


class TooSlow(SpokeError):
    """A caller that stopped sending in the middle of its upload."""


class NoAudio(SpokeError):
    """A file that cannot be taken as a recording: the sentence says why."""


class FetchFailed(SpokeError):
    """The address that an event names as its recording's gave none."""


class LinkForbidden(SpokeError):
    """A download link that nobody here signed."""


class LinkExpired(SpokeError):
    """A download link that was right once."""


class SecretLost(SpokeError):
    """A secret that no key here can open."""

    def __init__(self) -> None:
        super().__init__(
            "The webhook's secret, or a header of its own, cannot be read: it was sealed with another secret "
            "key. Restore that key or set SPOKE_OLD_SECRET_KEYS to it; if it is lost, rotate the secret and "
            "write the headers anew."
        )


class Replaced(SpokeError):
    """This worker's proof of life is gone, so others have what was its own: it has to start anew."""


class AttemptError(SpokeError):
    """An attempt that got no usable answer. The sentence is kept with the attempt.

    ``connection`` says whether it counts towards the circuit breaker (timeout or connection error).
    """

    connection = False


class TargetRefused(AttemptError):
    """The outbound rules forbid the address (contract, section 5)."""


class ConnectionFailed(AttemptError):
    """No connection, a broken one, a failed look-up, a TLS fault, or no whole answer in time."""

    connection = True
