"""Fixtures for phone systems."""

from collections.abc import Iterator

import pytest
from asterisk import Lab, build_or_skip
from labkit import server


@pytest.fixture
def asterisk_22() -> Iterator[Lab]:
    """An Asterisk 22 of the test's own, which it may kill."""
    build_or_skip("22")
    with server.Asterisk("22") as running:
        yield Lab(running)
