"""What the web server sends: the application's responses, files by sendfile(2), refusals of its own."""

import json
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from waitress.buffers import ReadOnlyFileBasedBuffer
from waitress.channel import ClientDisconnected
from waitress.task import ErrorTask, WSGITask

CYCLE_BYTES: Final = 1 << 20  # of a file in one cycle of the loop, so that other connections get theirs


class Stretch(NamedTuple):
    """A part of a file, for sendfile(2)."""

    file: int
    begin: int
    length: int

    def __len__(self) -> int:
        return self.length


class SentFile(ReadOnlyFileBasedBuffer):  # type: ignore[misc]
    """``wsgi.file_wrapper``: the loop sends it by sendfile(2), so that no thread waits for the caller."""

    def get(self, count: int = -1, skip: bool = False) -> Stretch:
        return Stretch(self.file.fileno(), self.file.tell(), min(self.remain, CYCLE_BYTES))


class Response(WSGITask):  # type: ignore[misc]
    """A response of the application."""

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ["wsgi.file_wrapper"] = SentFile
        environ["spoke.body_to_come"] = self.request.early
        environ["spoke.hold_answer"] = self.channel.hold
        environ["spoke.waiting"] = self.channel.waiting
        environ["spoke.stream"] = self.channel.stream
        return environ

    def finish(self) -> None:
        self.write(b"")  # the head, where there was nothing else
        if self.request.command == "HEAD":
            self.chunked_response = False  # without a body, waitress would send the end of one
        super().finish()

    def execute(self) -> None:
        try:
            super().execute()
        except ClientDisconnected:
            raise
        except Exception:
            if self.wrote_header:
                self.channel.break_off()
            raise

    def build_response_header(self) -> bytes:
        if self.request.open or self.channel.server.stopping:
            self.set_close_on_finish()
        head: bytes = super().build_response_header()
        return head


class Refusal(ErrorTask):  # type: ignore[misc]
    """A response of the server itself: a problem document (RFC 9457)."""

    def execute(self) -> None:
        error = self.request.error
        status = HTTPStatus(error.code)
        about = {"type": "about:blank", "title": status.phrase, "status": status}
        body = json.dumps({**about, "detail": error.body}).encode()
        self.status = f"{status} {status.phrase}"
        self.response_headers.append(("Content-Type", "application/problem+json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)
