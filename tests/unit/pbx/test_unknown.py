"""Words of live phone systems that no table here has."""

import gzip
import json
from pathlib import Path

import pytest

from webhooks.pbx.asterisk.dialect import DIALECT as ASTERISK
from webhooks.pbx.freeswitch.dialect import DIALECT as FREESWITCH

CAPTURES = Path(__file__).parents[2] / "pbx" / "captures" / "asterisk-lab"


@pytest.mark.parametrize(
    ("message", "unknown"),
    [
        ([("Event", "Hangup"), ("Cause", "16")], []),
        ([("Event", "Hangup"), ("Cause", "199")], ["Cause 199"]),
        ([("Event", "DialEnd"), ("DialStatus", "EATEN")], ["DialStatus EATEN"]),
        ([("Event", "Newstate"), ("ChannelState", "11")], ["ChannelState 11"]),
        ([("Event", "Rename"), ("Cause", "199")], []),
        ([], []),
    ],
)
def test_a_new_word_of_asterisk_is_named(message: list[tuple[str, str]], unknown: list[str]) -> None:
    assert list(ASTERISK.unknown(message)) == unknown


@pytest.mark.parametrize(
    ("cause", "unknown"), [("NORMAL_CLEARING", []), ("GATEWAY_DOWN", []), ("EATEN", ["Hangup-Cause EATEN"])]
)
def test_a_new_cause_of_freeswitch_is_named(cause: str, unknown: list[str]) -> None:
    message = [("Event-Name", "CHANNEL_HANGUP_COMPLETE"), ("Hangup-Cause", cause)]
    assert list(FREESWITCH.unknown(message)) == unknown


def test_no_capture_of_the_lab_has_an_unknown_word() -> None:
    files = sorted(CAPTURES.rglob("*.jsonl.gz"))
    assert len(files) >= 65
    for file in files:
        for line in gzip.decompress(file.read_bytes()).decode(errors="replace").splitlines():
            fields = json.loads(line).get("event") or []
            assert not ASTERISK.unknown([(key, value) for key, value in fields]), (file.name, fields)
