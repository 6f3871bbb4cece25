"""The papers are true where a machine can tell: settings, commands, links, length of lines."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from appliance import ROOT

from webhooks.settings import Settings, variable

PAPERS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "zapier" / "README.md"])
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")


def variables() -> dict[str, object]:
    """Every environment variable of ours, with its default."""
    return {variable(name): field.default for name, field in Settings.model_fields.items()}


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def headings(paper: Path) -> set[str]:
    """The anchors that a paper's headings get where Markdown is shown (GitHub's rule)."""
    found = re.findall(r"^#{1,6} (.+)$", _FENCE.sub("", paper.read_text()), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", text.lower().replace("`", "")) for text in found)
    return {text.replace(" ", "-") for text in plain}


def links(paper: Path) -> Iterator[str]:
    for match in _LINK.finditer(_FENCE.sub("", paper.read_text())):
        link = match[1] or match[2]
        if not re.match(r"[a-z]+:", link):
            yield link


def test_every_setting_is_in_the_reference_with_its_default() -> None:
    rows = {
        name: row
        for row in re.findall(r"^\| `(?:SPOKE_|DATABASE_|REDIS_).*$", REFERENCE, re.MULTILINE)
        for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])
    }
    assert rows.keys() == variables().keys()
    for name, default in variables().items():
        if name == "SPOKE_WORKERS":  # depends on the machine
            continue
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
        if isinstance(shown, int | float | str) and shown != "":
            told = f"{shown:g}" if isinstance(shown, float) else f"{shown}"
            assert re.search(rf"`(?:\./)?{re.escape(told)}`", rows[name]), f"{name}: {told}"


def section(of: str) -> str:
    """The part of the reference about a group of commands."""
    for part in re.split(r"^### ", REFERENCE, flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        if of in heading.split(", "):
            return " ".join(text.partition("\n## ")[0].split())
    raise AssertionError(f"the reference has no section about {of}")


def test_every_command_and_option_is_in_the_reference() -> None:
    from app import app

    flasks = ("run", "shell", "routes")
    own = click.Group(commands={name: one for name, one in app.cli.commands.items() if name not in flasks})
    assert len(list(commands(own))) > 20
    for name, command in commands(own):
        text = section(name.partition(" ")[0])
        assert re.search(rf"`{name}[` ]", text), f"the command {name!r}"
        for option in command.params:
            for flag in (*option.opts, *option.secondary_opts):
                told = not flag.startswith("--") or flag == "--json" or re.search(rf"[` ]{flag}[` ]", text)
                assert told, f"{name} {flag}"


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_every_link_leads_somewhere(paper: Path) -> None:
    for link in links(paper):
        path, _, anchor = link.partition("#")
        target = (paper.parent / path).resolve() if path else paper
        assert target.exists() and target.is_relative_to(ROOT), f"{link}: there is no such file"
        assert not anchor or anchor in headings(target), f"{link}: {target.name} has no such heading"


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_every_setting_that_a_paper_names_exists(paper: Path) -> None:
    named = set(re.findall(r"\bSPOKE_[A-Z_]*[A-Z]\b", paper.read_text()))
    assert named <= variables().keys()


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_no_line_is_too_long_for_a_diff(paper: Path) -> None:
    # The code in a flow of Node-RED is one line, because JSON has no others.
    lines = [line for line in paper.read_text().splitlines() if not line.startswith('   "func": ')]
    assert not [line for line in lines if len(line) > 120]


def test_every_path_that_the_architecture_names_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = re.findall(r"`([\w./]+(?:\.py|/))`", text)
    paths = [path for path in named if path.endswith(".py") or path.startswith(("webhooks/", "templates/"))]
    assert len(paths) > 40
    # A path without its package, such as ``outbox/hold.py``, is one below webhooks/.
    gone = [path for path in paths if not (ROOT / path).exists() and not (ROOT / "webhooks" / path).exists()]
    assert not gone


def test_every_command_that_a_paper_shows_exists() -> None:
    from app import app

    known = {name for name, _ in commands(click.Group(commands=app.cli.commands))}
    for paper in PAPERS:
        for words in re.findall(r"flask --app app ([a-z][a-z-]*(?: [a-z][a-z-]*)?)", paper.read_text()):
            alone = words.partition(" ")[0]
            assert words in known or alone in known, f"{paper.name}: there is no command {words!r}"
