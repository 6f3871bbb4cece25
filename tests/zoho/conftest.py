"""An appliance that takes a fake for Zoho, and a location in it that people connect."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from appliance import Appliance
from zoho.fake_zoho import USERS, FakeZoho
from zoho.site import Site


@pytest.fixture(scope="session")
def running(
    tmp_path_factory: pytest.TempPathFactory, database: Callable[..., dict[str, Any]]
) -> Iterator[tuple[Appliance, FakeZoho]]:
    """An appliance that takes a fake for Zoho. Its address is a setting: the shared one will not do."""
    zoho = FakeZoho()
    one = Appliance(
        tmp_path_factory.mktemp("zoho"), SPOKE_RETRY_SCHEDULE="1,1,1", **zoho.environment, **database()
    )
    yield one, zoho
    one.end()
    zoho.close()


@pytest.fixture
def site(running: tuple[Appliance, FakeZoho]) -> Iterator[Site]:
    appliance, zoho = running
    zoho.__dict__.update(
        home="us", registered=True, expires_in=3600, notice_s=0.0, down=False, plan=[], notices=[], faults=[],
        refreshes=[], calls=[], users=USERS, turns_pages=True,
    )  # fmt: skip
    one = Site(appliance, zoho)
    yield one
    assert zoho.faults == []
    zoho.down = False
    if appliance.invoke("zoho", "status").stdout.count(one.name):
        appliance.cli("zoho", "disconnect", one.name)
