"""Fixture: ``services`` on an empty database; no process of the appliance runs."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from webhooks.db.store import Store
from webhooks.runtime.startup import prepare
from webhooks.services.container import Services, compose
from webhooks.settings import Settings


@pytest.fixture
def services(tmp_path: Path, database: Callable[..., dict[str, Any]]) -> Iterator[Services]:
    url = database().get("DATABASE_URL")
    settings = Settings(
        data_dir=tmp_path, database_url=url, admin_password="unused here",
        allow_nets=("127.0.0.0/8", "::1"),  # type: ignore[arg-type]  # read as the environment's is
    )  # fmt: skip
    store = Store(settings)
    prepare(settings, store)
    yield compose(settings, store)
    store.engine.dispose()
