"""Intake of recordings: a file and its event, both or neither.

The file is probed, forced to the disk and put in its place first; then its row is committed with the event
and the deliveries. A crash in between leaves a file that no row names, which housekeeping removes.
"""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from webhooks.errors import FieldError, Invalid, InvalidEvent, TargetRefused, Unavailable, Unconfirmed
from webhooks.events.first_use import FirstUse
from webhooks.events.intake import Intake
from webhooks.events.schema import MediaEvent
from webhooks.events.storage import Accepted
from webhooks.media import rows
from webhooks.media.spool import read_spooled
from webhooks.media.storage import Folder, Upload
from webhooks.media.transcode import probe
from webhooks.outbound.fetch import Fetcher
from webhooks.outbox.wakeup import MEDIA_QUEUE, SHORT_MEDIA_QUEUE, Waker
from webhooks.settings import Settings


@dataclass(frozen=True, slots=True)
class AcceptedMedia:
    """An accepted media event. ``media_id`` is None for a duplicate, whose file was not kept."""

    event: Accepted
    media_id: str | None


class RecordingIntake:
    """The way of recordings to the disk, one for each process that takes them.

    Its threads start with the first recording, so after any fork.
    """

    def __init__(self, settings: Settings, intake: Intake) -> None:
        self._settings, self._intake = settings, intake
        self._folder = Folder(settings.data)
        self._waker, self._short_waker = Waker(settings, MEDIA_QUEUE), Waker(settings, SHORT_MEDIA_QUEUE)
        self._start = FirstUse(self._start_wakers)
        self._fetcher: Fetcher | None = None

    def upload(self, announced_bytes: int = 0) -> Upload:
        """Make a place for a file on its way in, of which so many bytes are announced.

        Raises:
            DiskFull: less than 200 MB of disk would be left.
        """
        self._folder.make()
        self._folder.check_space(announced_bytes)
        return Upload(self._folder, self._settings.max_media)

    def collect(self, event: MediaEvent, upload: Upload) -> str | None:
        """Get the file that the event names. Returns the file's name.

        Raises:
            InvalidEvent: the event names none, or one that may not be taken. FetchFailed, TooLarge, DiskFull.
        """
        try:
            if event.path is not None:
                return read_spooled(self._settings.spool_dirs, event.path, upload.write)
            if event.url is not None:
                self._fetch(event.url, upload)
                return unquote(urlsplit(event.url).path)
        except (Invalid, TargetRefused) as error:
            where = "/media_path" if event.path is not None else "/media_url"
            raise InvalidEvent([FieldError(where, f"cannot be used: {error}".rstrip("."))]) from None
        raise InvalidEvent(
            [FieldError("", "has no recording: add the part 'file', or media_path or media_url to the event")]
        )

    def take(self, sender: bytes, event: MediaEvent, upload: Upload, name: str | None) -> AcceptedMedia:
        """Keep an uploaded file with its event; return once both are on disk.

        Raises:
            NoAudio: the file is no recording. Unavailable, Unauthorised, LocationPaused: as for events.
        """
        with upload.reader() as file:
            milliseconds = probe(file)
        upload.place()
        incoming = event.with_recording(upload.media_id, name, upload.size, milliseconds)
        submission = self._intake.hand_in(sender, [incoming])
        try:
            (accepted,) = submission.result()
        except Unconfirmed:
            upload.leave(submission.wait_until_settled)
            raise
        except Unavailable:  # after a power cut SQLite may find a commit that had failed
            upload.leave()
            raise
        if accepted.duplicate:
            return AcceptedMedia(accepted, None)
        upload.keep()
        self._wake(short=milliseconds is not None and milliseconds <= rows.SHORT_MS)
        return AcceptedMedia(accepted, upload.media_id)

    def _fetch(self, url: str, upload: Upload) -> None:
        if self._fetcher is None:
            self._fetcher = Fetcher(self._settings)
        self._fetcher.fetch(url, upload.write)

    def _start_wakers(self) -> None:
        self._waker.start()
        self._short_waker.start()

    def _wake(self, *, short: bool) -> None:
        self._start()
        (self._short_waker if short else self._waker).wake()
