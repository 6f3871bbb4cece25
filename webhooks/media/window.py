"""A part of a file as a file, with another header in front."""

from typing import IO


class Window:
    """The bytes from ``start`` to ``end`` behind ``head``, with the methods that PyAV wants of a file.

    After ``budget_bytes`` reads return nothing, so that a probe does not read all of a large file. ``seek``
    knows the true end all the same.
    """

    def __init__(
        self, file: IO[bytes], start: int, end: int, head: bytes = b"", budget_bytes: int | None = None
    ) -> None:
        self._file, self._start, self._head = file, start, head
        self._size = len(head) + end - start
        self._at = 0
        self._left = self._size if budget_bytes is None else budget_bytes
        self._counts = budget_bytes is not None

    def read(self, count: int) -> bytes:
        if self._counts:
            count = min(count, self._left)
        data = self._head[self._at : self._at + count]
        count = min(count, self._size - self._at) - len(data)
        if count > 0:
            self._file.seek(self._start + self._at + len(data) - len(self._head))
            data += self._file.read(count)
        self._at += len(data)
        self._left -= len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def tell(self) -> int:
        return self._at
