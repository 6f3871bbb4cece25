"""The container image is built, started, and delivers."""

import os
import shutil
import subprocess

import pytest
from appliance import ROOT
from conftest import need


@pytest.mark.image
def test_the_image_delivers_an_event() -> None:
    for tool in ("buildah", "mmdebstrap", "curl"):
        need(shutil.which(tool), f"{tool} is missing: apt install {tool}")
    need(None if os.geteuid() else "root", "building the image needs root")
    done = subprocess.run(
        [ROOT / "tests/image/run"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("the image works\n")
