"""Domain errors. Each carries its data; HTTP and the command line decide how to present it."""

from dataclasses import dataclass


class SpokeError(Exception):
    """An error that the caller can act on. ``str()`` is a sentence for an operator."""


class SettingsError(SpokeError):
    """A setting that cannot be used. The sentence names the variable, its value and what would be right."""


class StartError(SpokeError):
    """The appliance cannot start, as with a port in use, a data dir in use, or no Redis server."""


class NotFound(SpokeError):
    """No row has this id or name."""


class Conflict(SpokeError):
    """The request contradicts the present state, as with a name that is taken."""


class Stale(Conflict):
    """The row was changed since it was read. Nothing was overwritten."""


class TooMany(SpokeError):
    """Too many tries. ``retry_after`` is in seconds."""

    def __init__(self, sentence: str, retry_after: int) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class Invalid(SpokeError):
    """A value that cannot be accepted. ``field`` names the form's field, if it is of a form.

    ``pointer`` is its place in a body (RFC 6901), where that is not ``/field``.
    """

    def __init__(self, sentence: str, field: str | None = None, pointer: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field
        self.pointer = pointer or (f"/{field}" if field else "")


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


class RowRefused(WriteFailed):
    """The database refused this one row, and will refuse it again. Others are not concerned."""


class Unconfirmed(Unavailable):
    """A commit began, and nobody knows its outcome: the write was made, or it was not."""


class NoCapacity(Unavailable):
    """All places for work of this kind are taken."""


@dataclass(frozen=True)
class FieldError:
    """An error in an event: its place, as a JSON pointer (RFC 6901) from the body's root, and a sentence."""

    pointer: str
    detail: str


class InvalidEvent(SpokeError):
    """An event that breaks the rules of docs/reference.md, or a batch with such an event."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{self._place(e.pointer)} {e.detail}" for e in errors) + ".")
        self.errors = errors

    def _place(self, pointer: str) -> str:
        return pointer or "The body"


class InvalidForm(InvalidEvent):
    """An invalid event in form encoding: ``pointer`` is the field's name."""

    def _place(self, pointer: str) -> str:
        return f"The field '{pointer}'" if pointer else "The body"


class Unreadable(SpokeError):
    """A body that is not what its content type says, such as broken JSON."""


class Unsupported(SpokeError):
    """A body in an unknown charset."""


class Coded(Unsupported):
    """A body with a Content-Encoding."""


class Unauthorised(SpokeError):
    """A missing or unknown token."""


class LocationPaused(SpokeError):
    """The token's location is paused: its PBX loses events."""


class TooLarge(SpokeError):
    """More bytes than SPOKE_MAX_MEDIA or SPOKE_MAX_BODY allow."""


class DiskFull(SpokeError):
    """Too little disk space is left for a recording: the rest is for events."""


class TooSlow(SpokeError):
    """The caller stopped sending in the middle of a body."""


class NoAudio(SpokeError):
    """A file that is no usable recording. The sentence says why."""


class FetchFailed(SpokeError):
    """The ``media_url`` of an event gave no recording."""


class LinkForbidden(SpokeError):
    """A download link whose signature is wrong."""


class LinkExpired(SpokeError):
    """A download link that has expired."""


class SecretLost(SpokeError):
    """A secret that none of the present keys can decrypt."""

    def __init__(self) -> None:
        super().__init__(
            "The webhook's secret, its client key or one of its headers cannot be read: it was sealed with "
            "another secret key. Restore that key or set SPOKE_OLD_SECRET_KEYS to it; if it is lost, rotate "
            "the secret and enter key and headers again."
        )


class PbxProblem(SpokeError):
    """A phone system that cannot be reached or used. The sentence is shown with the connection."""


class LoginRefused(PbxProblem):
    """A phone system that refused the log-in. Trying again soon would not help, and may lock the user."""


class Replaced(SpokeError):
    """Other workers have taken this one for dead and replaced it: the process has to start anew."""


class AttemptError(SpokeError):
    """An attempt without a usable response. The sentence is kept with the attempt.

    ``connection``: a timeout or connection error, which counts for the circuit breaker.
    """

    connection = False


class TargetRefused(AttemptError):
    """The address rules forbid the receiver's address."""


class ConnectionFailed(AttemptError):
    """No connection, a broken one, a failed look-up or TLS handshake, or no complete response in time."""

    connection = True


class ZohoRefused(SpokeError):
    """Zoho takes our grant, or what we are at Zoho, no longer: a person has to connect again."""


class ZohoFailed(SpokeError):
    """A request to Zoho that did not do what it should. The sentence has Zoho's own code in plain words."""


class ZohoTooMany(SpokeError):
    """Zoho would give no further access token now. ``retry_after_s`` says for how long."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(
            "Zoho gives ten access tokens in ten minutes for a connection, and those are used up. The next "
            f"one is asked for in {max(1, round(retry_after_s / 60))} min."
        )
        self.retry_after_s = retry_after_s
