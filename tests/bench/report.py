"""What a run prints: the conclusion, the table, then machine, versions and command."""

import os
import platform
import shlex
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from appliance import ROOT

from bench.session import Session
from webhooks.data_dir import file_system

_HEAD: Final = ("what", "ours", "peers", "limit", "ratio", "target", "")


@dataclass(frozen=True)
class Line:
    """One line of the table. ``hit`` of None: for information, no target. ``note`` stands below the table."""

    what: str
    ours: str
    peers: str = ""
    limit: str = ""
    ratio: str = ""
    target: str = ""
    hit: bool | None = None
    note: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        verdict = {True: "hit", False: "MISS", None: ""}[self.hit]
        return self.what, self.ours, self.peers, self.limit, self.ratio, self.target, verdict


def conclusion(lines: Sequence[Line], failed: Sequence[str]) -> str:
    judged = [line for line in lines if line.hit is not None]
    missed = [line for line in judged if not line.hit]
    told = f"{len(judged) - len(missed)} of {len(judged)} targets hit."
    told += "".join(
        f"\nMissed: {line.what}: {line.ratio or line.ours}, target {line.target}." for line in missed
    )
    return told + "".join(f"\nNot measured: {row}" for row in failed)


def table(lines: Sequence[Line]) -> str:
    """Markdown, in columns that also read well in a terminal."""
    rows = [_HEAD, *(line.cells for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in rows
    )


def notes(lines: Sequence[Line]) -> str:
    """The lines' notes, each once."""
    return "\n".join(f"- {note}" for note in dict.fromkeys(line.note for line in lines) if note)


def document(rows: Mapping[str, Sequence[Line]], failed: Sequence[str], circumstances: str) -> str:
    """All that a run has to tell as a page of Markdown: a section a row of the bench."""
    lines = [line for row in rows.values() for line in row]
    parts = [conclusion(lines, failed).replace("\n", "\n\n")]
    for name, measured in rows.items():
        parts += [f"## {name}", table(measured), notes(measured)]
    facts = "\n".join(f"- {fact}" for fact in circumstances.splitlines())
    return "\n\n".join(part for part in (*parts, "## Circumstances", facts) if part) + "\n"


def circumstances(session: Session, load_before: float) -> str:
    """Machine, versions, state of the checkout, command."""
    folder = session.folder
    facts = [
        f"{time.strftime('%Y-%m-%d %H:%M')}, {_cpu()}, {os.cpu_count()} cores, "
        f"load {load_before:.1f} before the start, {platform.platform()}",
        f"{file_system(folder)} in {folder.parent}, fsync {_fsync_ms(folder):.2f} ms (median)",
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        + ", ".join(
            f"{name} {version(name)}" for name in ("Flask", "SQLAlchemy", "waitress", "requests", "rq")
        ),
        f"commit {_git('rev-parse', '--short', 'HEAD') or 'unknown'}"
        f"{' with changes' if _git('status', '--porcelain') else ''}",
        f"command: {shlex.join(['.venv/bin/python', *sys.argv])}",
    ]
    rounds = session.rounds
    facts.append("one round" if rounds == 1 else f"medians of {rounds} rounds, with their range in brackets")
    if session.quick:
        facts.append("A smoke run: too short for these figures to mean much.")
    return "\n".join(facts)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _fsync_ms(folder: Path) -> float:
    def once() -> float:
        os.pwrite(fd, b"x" * 4096, 0)
        begin = time.perf_counter()
        os.fsync(fd)
        return (time.perf_counter() - begin) * 1000

    fd = os.open(folder / "fsync", os.O_RDWR | os.O_CREAT)
    try:
        return statistics.median(once() for _ in range(100))
    finally:
        os.close(fd)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip()
