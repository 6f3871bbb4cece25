"""Words of phone systems that no table here has: counted and shown, so that a person learns of them."""

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Final

Words = Mapping[str, Container[str]]  # field: the words that are known

_SHOWN: Final = 60  # characters


class UnknownWord(Exception):
    """A well-formed message is of a kind that is not known: nothing can be told of it."""

    def __init__(self, field: str, word: str) -> None:
        super().__init__(named(field, word))


def named(field: str, word: str) -> str:
    """Return how a word is counted and shown."""
    return f"{field} {word}"[:_SHOWN]


def unknown_words(read: Callable[[str], str], known: Words) -> list[str]:
    """Name the fields' words that are not known. ``read`` gives a field's word, "" where there is none."""
    return [
        named(field, word) for field, words in known.items() if (word := read(field)) and word not in words
    ]


def unknown_in(message: Iterable[tuple[str, str]], event: str, known: Mapping[str, Words]) -> list[str]:
    """Name the unknown words of a live message. ``event`` is the key that says of which kind it is."""
    words = next((known.get(value) for key, value in message if key == event), None)
    if not words:
        return []
    fields = dict(message)
    return unknown_words(lambda field: fields.get(field, ""), words)
