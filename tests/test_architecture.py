"""The house: imports go down the list only, and what stands in two places agrees."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from appliance import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = ROOT / "webhooks"
# From the top floor down; the modules of one floor may import each other, without a circle.
FLOORS = [
    ["app"],
    ["webhooks.web"],
    ["webhooks.operate"],
    [
        "webhooks.registry",
        "webhooks.history",
        "webhooks.library",
        "webhooks.erasures",
        "webhooks.erasure",
        "webhooks.search",
        "webhooks.sessions",
        "webhooks.pulse",
        "webhooks.inboxes",
    ],
    ["webhooks.events"],
    ["webhooks.delivery"],
    ["webhooks.media"],
    ["webhooks.migrations"],
    ["webhooks.models", "webhooks.changes"],
    ["webhooks.db"],
    ["webhooks.direct", "webhooks.apart"],
    ["webhooks.vault"],
    ["webhooks.keyring"],
    ["webhooks.catalogue", "webhooks.settings"],
    ["webhooks.errors", "webhooks.cleaning"],
]


def modules() -> dict[str, Path]:
    paths = [ROOT / "app.py", *PACKAGE.rglob("*.py")]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
    }


def imports(name: str, path: Path) -> Iterator[tuple[str, int]]:
    """Modules of ours that a module imports, with the line."""
    known = modules()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: a relative import"
            base = node.module or ""
            found = [f"{base}.{a.name}" if f"{base}.{a.name}" in known else base for a in node.names]
        else:
            continue
        yield from ((target, node.lineno) for target in found if target in known)


def floor(name: str) -> int:
    for number, rooms in enumerate(FLOORS):
        if any(name == room or name.startswith(f"{room}.") for room in rooms):
            return number
    raise AssertionError(f"{name} stands on no floor")


def test_imports_go_down_only() -> None:
    up = [
        f"{path.relative_to(ROOT)}:{line}: {name} imports {target}, which stands above it"
        for name, path in modules().items()
        if name != "webhooks"
        for target, line in imports(name, path)
        if target != "webhooks" and floor(target) < floor(name)
    ]
    assert not up, "\n".join(up)


def test_no_import_goes_round() -> None:
    edges = {name: {target for target, _ in imports(name, path)} - {name} for name, path in modules().items()}
    while edges:
        free = [name for name, targets in edges.items() if not targets & edges.keys()]
        assert free, f"these import each other in a circle: {sorted(edges)}"
        for name in free:
            del edges[name]


def test_no_room_is_empty() -> None:
    for folder in {path.parent for path in PACKAGE.rglob("*.py")}:
        assert any(path.stat().st_size for path in folder.glob("*.py")), f"{folder} has nothing in it"


def test_the_schema_head_is_the_newest_migration() -> None:
    from webhooks.db.store import SCHEMA_HEAD

    newest = max(path.name for path in (PACKAGE / "migrations" / "versions").glob("*.py"))
    assert newest.startswith(f"{SCHEMA_HEAD}_")


def test_models_and_migrations_agree(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from webhooks.db.store import Store, db
    from webhooks.runtime.startup import prepare
    from webhooks.settings import Settings

    settings = Settings(data_dir=tmp_path, admin_password="unused here")
    store = Store(settings)
    prepare(settings, store)
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, db.metadata) == []
    store.engine.dispose()


LOCKS = ["requirements.lock", "tests/requirements.lock"]


def locked(name: str) -> dict[str, set[str]]:
    """Each package of a lock with its versions."""
    versions: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([\w.-]+)(?:\[.*\])?==([^\s;]+)", (ROOT / name).read_text(), re.M):
        versions.setdefault(package, set()).add(version)
    return versions


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_every_dependency_in_a_version_that_fits(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"]
    if name.startswith("tests"):
        wanted = wanted + project["optional-dependencies"]["test"]
    for requirement in map(Requirement, wanted):
        versions = locked(name).get(canonicalize_name(requirement.name))
        assert versions, f"{requirement.name} is not in {name}"
        assert all(map(requirement.specifier.contains, versions)), f"{name} has {versions} for {requirement}"


def test_a_package_has_one_version_for_all_pythons_and_in_both_locks() -> None:
    """Else the tests would run on one version, and people on another."""
    run, test = map(locked, LOCKS)
    split = {package: run.get(package, set()) | test[package] for package in test}
    assert run.keys() <= split.keys()
    assert not {package: versions for package, versions in split.items() if len(versions) > 1}


def test_the_code_is_typed_and_tidy() -> None:
    for command in (["mypy"], ["ruff", "check", "."], ["ruff", "format", "--check", "."]):
        done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
