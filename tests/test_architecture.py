"""The layout: imports go down the layers only, and what stands in two places agrees."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from appliance import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = ROOT / "webhooks"


def test_no_package_is_empty() -> None:
    for folder in {path.parent for path in PACKAGE.rglob("*.py")}:
        assert any(path.stat().st_size for path in folder.glob("*.py")), f"{folder} has nothing in it"


def test_the_schema_head_is_the_newest_migration() -> None:
    from webhooks.db.store import SCHEMA_HEAD

    newest = max(path.name for path in (PACKAGE / "db" / "migrations" / "versions").glob("*.py"))
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


def test_the_code_is_typed_and_tidy_and_imports_go_down_only_and_in_no_circle() -> None:
    """The layers stand in pyproject.toml."""
    check = [str(ROOT / ".ci" / "check"), "static"]
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix}
    done = subprocess.run(check, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
