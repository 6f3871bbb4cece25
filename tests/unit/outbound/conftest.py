"""Fixture ``serve``: receivers over bare sockets, closed with the test."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from raw_receiver import RawReceiver, Script, Serve


@pytest.fixture
def serve() -> Iterator[Serve]:
    with contextlib.ExitStack() as receivers:

        def start(*scripts: Script, **more: Any) -> RawReceiver:
            one = RawReceiver(*scripts, **more)
            receivers.callback(one.close)
            return one

        yield start
