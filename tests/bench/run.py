"""Measure the targets of the design and print them as a table. ``--help`` teaches by example."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(1, str(Path(__file__).resolve().parents[2]))
# Before anything of ours is imported: a bench never touches the checkout's own data dir.
os.environ["SPOKE_DATA_DIR"] = tempfile.mkdtemp(prefix="spoke-bench-")
os.environ["SPOKE_ADMIN_PASSWORD"] = "nobody is told"

from bench import report
from bench.report import Line
from bench.rows import deliveries, history, hook, isolation, latency, many, media, pages, slow, start
from bench.session import Session

FOLDER = Path(os.environ["SPOKE_DATA_DIR"])
ROWS = {
    "deliveries": (deliveries, "a fast receiver, beside seven task queues and a bare loop; 15 minutes"),
    "slow": (slow, "receivers that take 100 ms; 1 minute"),
    "latency": (latency, "accepted → received, 50 events a second; 2 minutes"),
    "isolation": (isolation, "the same beside up to 1,000 that hang, a dead Zap, a Zoho outage; 15 minutes"),
    "hook": (hook, "accepted events a second, beside Flask answering ok; 2 minutes"),
    "many": (many, "1,000 webhooks; two backlogs beside five lively webhooks; 2 minutes"),
    "history": (history, "claims with a million deliveries in the tables; 1 minute"),
    "pages": (pages, "every page with a million deliveries, on both databases; 4 minutes"),
    "media": (media, "the hook beside slow uploads and downloads, 50 MB downloads, conversion; 1 minute"),
    "start": (start, "start to ready, memory; 1 minute"),
}


def main() -> int:
    """0: all targets hit. 1: one was missed, or could not be measured."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that all that was started is ended
    load = os.getloadavg()[0]
    session = Session(FOLDER, arguments.quick, arguments.rounds or (1 if arguments.quick else 5))
    rows: dict[str, list[Line]] = {}
    failed: list[str] = []
    for name in arguments.rows or ROWS:
        session.say(f"--- {name}: {ROWS[name][1].partition(';')[0]}")
        try:
            rows[name] = ROWS[name][0].measure(session)
        except Exception as error:
            traceback.print_exc()
            failed.append(f"{name}: {type(error).__name__}: {error}")
    lines = [line for row in rows.values() for line in row]
    circumstances = report.circumstances(session, load)
    told = (report.conclusion(lines, failed), report.table(lines), report.notes(lines), circumstances)
    print("\n\n".join(part for part in told if part))
    if arguments.markdown:
        arguments.markdown.write_text(report.document(rows, failed, circumstances))
    return 1 if failed or any(line.hit is False for line in lines) else 0


def _arguments() -> argparse.Namespace:
    rows = "\n".join(f"  {name:<12}{what}" for name, (_, what) in ROWS.items())
    parser = argparse.ArgumentParser(
        usage="%(prog)s [--quick] [--rounds N] [--markdown FILE] [row …]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=__doc__,
        epilog=f"rows:\n{rows}\n\nexamples:\n"
        "  .venv/bin/python tests/bench/run.py                    all rows, three quarters of an hour\n"
        "  .venv/bin/python tests/bench/run.py --quick            all rows, 8 minutes: does it run at all?\n"
        "  .venv/bin/python tests/bench/run.py hook latency       two rows\n"
        "  .venv/bin/python tests/bench/run.py --markdown t.md a section a row, for docs/performance.md\n\n"
        "It wants wrk (apt install wrk), PostgreSQL, and a package index for the peers of peers.txt,\n"
        "installed once in ~/.cache/spoke-bench. BullMQ takes part where node and npm are (apt install\n"
        "nodejs npm). Its servers listen on 127.0.0.1 only. Progress is told on standard error.",
    )
    parser.add_argument("rows", nargs="*", metavar="row", choices=[[], *ROWS], help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="short steps: a smoke run, no measurement")
    parser.add_argument("--rounds", type=int, metavar="N", help="of each measurement (5; with --quick 1)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the tables to a file")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
