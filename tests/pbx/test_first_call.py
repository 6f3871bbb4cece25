"""A new owner: the page's own lines at the phone system, the form, and the first missed call."""

import html
import re
from pathlib import Path

import pytest
from appliance import Appliance, Visitor, eventually
from asterisk import Lab
from receiver import Receiver


@pytest.mark.databases("one")
def test_the_lines_and_the_form_of_the_page_are_all_that_a_missed_call_needs(
    appliance: Appliance, visitor: Visitor, place: tuple[str, str], receiver: Receiver, asterisk_22: Lab
) -> None:
    appliance.webhook(place[0], receiver.url("/missed"), type="incoming_call", status="missed")
    path = f"/locations/{appliance.location_id(place[0])}/asterisk"
    typed = {"host": "127.0.0.1", "port": str(asterisk_22.port), "user": "spoke"}
    page = visitor.post(
        path, **typed
    ).text  # the secret is missing: the page comes back, with its lines filled in
    lines = re.search(r'<pre id="conf"[^>]*>(.*?)</pre>', page, re.S)
    assert lines
    conf = Path(asterisk_22.info["folder"]) / "etc" / "manager.conf"
    with conf.open("a") as file:
        file.write("\n" + html.unescape(lines[1]).replace("YOUR-SECRET", "tea-for-2") + "\n")
    reload = re.search(r'<pre id="reload"[^>]*>asterisk -rx (.*?)</pre>', page)
    assert reload
    asterisk_22.running.command(html.unescape(reload[1]).strip("'"))
    assert visitor.post(path, **typed, secret="tea-for-2").status_code == 303
    eventually(lambda: "Connected" in visitor.get(f"{path}/state").text, 15)
    asterisk_22.play("no_answer")
    (missed,) = receiver.wait("/missed")
    assert (missed.json["from"], missed.json["to"]) == ("+12025550123", "5010")
