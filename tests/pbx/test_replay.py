"""``pbx replay FILE`` prints what a recorded stream becomes."""

import gzip
import json
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from pbx.replaying import LAB


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setenv("SPOKE_DATA_DIR", str(tmp_path / "data"))
    from app import create_app

    return create_app()


def _replay(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["pbx", "replay", *words])


def _recording(folder: Path, name: str) -> Path:
    path = folder / f"{name}.jsonl"
    path.write_bytes(gzip.decompress((LAB / "22" / f"{name}.jsonl.gz").read_bytes()))
    return path


def test_a_recording_becomes_one_event_a_line_in_order(app: Flask, tmp_path: Path) -> None:
    ran = _replay(app, str(_recording(tmp_path, "caller_name_utf8")), "--system", "asterisk")
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert [event["subtype"] for event in events] == ["ringing", "answered", "ended"]
    assert events[0]["from_name"] == "Zoë: Müller & Söhne"
    assert "Zoë" in ran.stdout  # readable, not escaped
    assert events[0]["timestamp"].startswith("2026-11-25T")  # by the Uniqueid: ms counts from the start


def test_the_same_recording_gives_the_same_lines(app: Flask, tmp_path: Path) -> None:
    path = str(_recording(tmp_path, "three_calls_at_once"))
    assert _replay(app, path).stdout == _replay(app, path).stdout != ""


def test_lines_that_are_no_messages_are_passed_over(app: Flask, tmp_path: Path) -> None:
    path = _recording(tmp_path, "busy")
    alone = _replay(app, str(path)).stdout
    others = [
        '{"event": "text"}',
        '{"event": [["a"]]}',
        '{"event": [[1, 2]]}',
        "[]",
        "7",
        "{",
        "",
        '{"ms": 1}',
    ]
    path.write_text("\n".join([*others, path.read_text(), '{"ms": 1, "event": [["Event", "New']))
    ran = _replay(app, str(path))
    assert ran.exit_code == 0 and ran.stdout == alone != ""


def test_a_call_that_is_open_at_the_end_is_told_of_and_not_closed(app: Flask, tmp_path: Path) -> None:
    path = _recording(tmp_path, "busy")
    lines = path.read_text().splitlines()
    end = next(n for n, line in enumerate(lines) if '"DialEnd"' in line)
    path.write_text("\n".join(lines[:end]))
    ran = _replay(app, str(path))
    assert [json.loads(line)["subtype"] for line in ran.stdout.splitlines()] == ["ringing"]
    assert ran.stderr == "1 call open at the end of the recording.\n"


def test_a_file_without_a_message_is_one_sentence(app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing\n")
    ran = _replay(app, str(path))
    assert ran.exit_code == 1 and ran.stdout == ""
    assert ran.stderr.startswith(f"{path} has no message of asterisk") and ran.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [["missing.jsonl"], ["FILE", "--system", "pigeon"], []])
def test_wrong_usage_is_exit_status_2(app: Flask, tmp_path: Path, words: list[str]) -> None:
    path = str(_recording(tmp_path, "busy"))
    assert _replay(app, *[path if word == "FILE" else word for word in words]).exit_code == 2


@pytest.mark.parametrize(
    ("course", "words", "wanted"),
    [
        ("internal_answered", [], []),
        ("internal_answered", ["--internal-calls"], ["ringing 5010>5011", "answered 5010>5011"]),
        (
            "no_answer",
            ["--trunk-contexts", "from-pst*"],
            ["ringing +12025550123>5010", "missed +12025550123>5010"],
        ),
        ("no_answer", ["--trunk-contexts", "elsewhere"], []),
    ],
)
def test_a_stream_is_read_by_the_options_that_a_connection_has(
    app: Flask, tmp_path: Path, course: str, words: list[str], wanted: list[str]
) -> None:
    ran = _replay(app, str(_recording(tmp_path, course)), *words)
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [f"{one['subtype']} {one['from']}>{one['to']}" for one in events][: len(wanted) or 9] == wanted


def test_numbers_of_a_stream_are_read_by_a_country(app: Flask, tmp_path: Path) -> None:
    path = _recording(tmp_path, "no_answer")
    path.write_text(path.read_text().replace("+12025550123", "2025550123"))
    (first, *_) = _replay(app, str(path), "--country", "us").stdout.splitlines()
    assert (json.loads(first)["from"], json.loads(first)["from_raw"]) == ("+12025550123", "2025550123")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--country", "xx"], "“Country” has to be two letters"),
        (["--internal-numbers", "five"], "neither a length such as 4"),
    ],
)
def test_an_option_that_cannot_be_is_one_sentence(
    app: Flask, tmp_path: Path, words: list[str], sentence: str
) -> None:
    ran = _replay(app, str(_recording(tmp_path, "busy")), *words)
    assert (ran.exit_code, ran.stdout) == (1, "") and sentence in ran.stderr
