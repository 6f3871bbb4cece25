"""What the embedded Redis prints, in our log."""

import os

import pytest

from webhooks.runtime.redis_log import RedisLog


def test_lines_are_passed_on_without_their_heads_and_without_what_frightens_for_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said = RedisLog()
    head = "4711:M 28 Nov 2026 09:01:08.123"
    os.write(said.into, f"{head} # WARNING Memory overcommit must be enabled! Without it, a bac".encode())
    said.pass_on()
    os.write(
        said.into, f"kground save may fail.\n{head} # Out Of Memory allocating 8 bytes!\nbare\n".encode()
    )
    said.pass_on()
    said.pass_on()
    assert [record.getMessage() for record in caplog.records] == [
        "Redis says: Out Of Memory allocating 8 bytes!",
        "Redis says: bare",
    ]
