"""Fixtures for phone systems."""

from collections.abc import Iterator

import pytest
from asterisk import Lab, build_or_skip
from labkit import server


@pytest.fixture(scope="module", params=["22", "16"])
def asterisk(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """An Asterisk 22 and an Asterisk 16, which a module's tests share."""
    build_or_skip(request.param)
    with server.Asterisk(request.param) as running:
        yield Lab(running)


@pytest.fixture
def asterisk_22() -> Iterator[Lab]:
    """An Asterisk 22 of the test's own, which it may kill."""
    build_or_skip("22")
    with server.Asterisk("22") as running:
        yield Lab(running)
