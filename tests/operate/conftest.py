"""Appliances that several tests of a module share are started in one process of pytest-xdist's."""

import pytest

SHARED = ("fresh", "far_away", "guest")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for name in SHARED:
            if name in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group(name))
