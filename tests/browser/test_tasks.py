"""What a person comes for, done by someone who knows only the words on the pages, in few clicks.

Typing and choosing from a list are not clicks; each test says how many there may be from the main page.
"""

import uuid
from collections.abc import Callable, Iterator

import pytest
from appliance import Appliance, Visitor, eventually, free_port
from browsing import log_in
from media import client, sounds
from playwright.sync_api import Browser, Locator, Page, expect
from receiver import Answer, Receiver
from sample_data import call, states

from webhooks.db.meta import config_changed

pytestmark = [pytest.mark.browser, pytest.mark.databases("one")]


class Person:
    """Counts clicks."""

    def __init__(self, page: Page, office: str) -> None:
        self.page, self.office, self.clicks = page, office, 0

    def click(self, role: str, words: str, within: Locator | None = None) -> None:
        self.clicks += 1
        (within or self.page).get_by_role(role, name=words, exact=True).first.click()  # type: ignore[arg-type]

    def manage(self) -> None:
        card = self.page.get_by_role("listitem").filter(has_text=f"{self.office} & Webhooks")
        self.click("link", "Manage Webhooks", card)


@pytest.fixture
def person(browser: Browser, appliance: Appliance, place: tuple[str, str]) -> Iterator[Person]:
    context = browser.new_context(base_url=appliance.url)
    page = context.new_page()
    log_in(page, appliance)
    where = appliance.location_id(place[0])
    Visitor(appliance).post("/connect", location=where)
    page.reload()
    yield Person(page, place[0])
    context.close()


@pytest.fixture
def webhook(appliance: Appliance, receiver: Receiver, place: tuple[str, str]) -> int:
    """One whose first delivery fails for good."""
    receiver.answers["/task"] = [*[Answer(500, body=b"out of paper")] * 3, 200]
    number = int(appliance.webhook(place[0], receiver.url("/task"))["id"])
    call(appliance, place[1], "ringing")
    eventually(lambda: states(appliance, number) == ["failed"], seconds=20)
    return number


def test_add_a_call_webhook_in_4(person: Person, appliance: Appliance) -> None:
    person.manage()
    person.click("link", "Add New Call Webhook")
    person.page.get_by_label("Call status").select_option("Missed")
    person.page.get_by_label("URL").fill("https://crm.example/missed")
    person.click("button", "Add webhook")
    expect(person.page.get_by_role("heading", name="Any call, Missed")).to_be_visible()
    assert person.clicks <= 4


def test_see_why_the_last_delivery_failed_in_2(person: Person, webhook: int) -> None:
    person.click("link", "Deliveries")
    row = person.page.get_by_role("row").filter(has_text=person.office).first
    person.click("link", "Incoming Call, Ringing", row)
    expect(person.page.get_by_text("The receiver answered 500.").first).to_be_visible()
    expect(person.page.get_by_text("out of paper").first).to_be_visible()
    assert person.clicks <= 2


def test_resend_it_in_3(person: Person, appliance: Appliance, webhook: int) -> None:
    person.click("link", "Deliveries")
    row = person.page.get_by_role("row").filter(has_text=person.office).first
    person.click("link", "Incoming Call, Ringing", row)
    person.click("button", "Resend")
    assert person.clicks <= 3
    eventually(lambda: states(appliance, webhook) == ["delivered"])


def test_pause_a_webhook_in_3(person: Person, appliance: Appliance, webhook: int) -> None:
    person.page.reload()
    person.manage()
    person.click("button", "Pause")
    expect(person.page.get_by_role("status").filter(has_text="is paused")).to_be_visible()
    assert person.clicks <= 3


def test_find_the_deliveries_of_one_number_in_3(
    person: Person, appliance: Appliance, place: tuple[str, str], webhook: int
) -> None:
    number = f"+4930{uuid.uuid4().int % 10**8:08}"
    call(appliance, place[1], "ringing", "ended", **{"from": number})
    call(appliance, place[1], "ringing", **{"from": "+15550000000"})
    person.click("link", "Deliveries")
    person.page.get_by_label("Number or name").fill(number[-8:])
    rows = person.page.get_by_role("row").filter(has_text="Call")
    expect(rows.filter(has_text=number)).to_have_count(2)
    expect(person.page.get_by_text("+15550000000")).to_have_count(0)
    assert person.clicks <= 3


def test_rotate_a_secret_in_4(person: Person, webhook: int) -> None:
    person.page.reload()
    person.manage()
    person.click("link", f"Webhook {webhook}")
    person.click("link", "Rotate secret")
    person.click("button", "Rotate secret")
    expect(person.page.get_by_text("whsec_")).to_be_visible()
    assert person.clicks <= 4


def test_hear_a_voicemail_in_3(
    person: Person, appliance: Appliance, receiver: Receiver, place: tuple[str, str]
) -> None:
    appliance.webhook(place[0], receiver.url("/voice"), "media")
    client.send(appliance, place[1], sounds.long_wav(5), type="voicemail")
    receiver.wait("/voice")
    person.click("link", "Deliveries")
    row = person.page.get_by_role("row").filter(has_text=person.office).first
    person.click("link", "Voicemail", row)
    player = person.page.locator("audio")
    expect(player).to_have_js_property("readyState", 4)
    person.clicks += 1
    player.click(position={"x": 28, "y": 27})  # its play button
    eventually(lambda: player.evaluate("audio => audio.currentTime") > 0.3)
    assert person.clicks <= 3


def test_make_a_test_inbox_and_send_to_it_in_4(person: Person) -> None:
    person.click("link", "Test inbox")
    person.click("button", "New test inbox")
    person.page.get_by_label("Webhook to send here").select_option(
        f"New webhook: all calls of {person.office}"
    )
    person.click("button", "Send to this inbox")
    person.click("button", "Send test")
    expect(person.page.get_by_text("The signature is valid")).to_be_visible()
    assert person.clicks <= 4


def test_add_a_location_in_3(person: Person) -> None:
    name = f"Branch {uuid.uuid4().hex[:6]}"
    person.click("link", "Locations")
    person.page.get_by_label("Name").fill(name)
    person.click("button", "Add location")
    expect(person.page.get_by_text(f"The token of {name}")).to_be_visible()
    assert person.clicks <= 3


def test_see_a_calls_whole_story_in_3(
    person: Person, appliance: Appliance, place: tuple[str, str], webhook: int
) -> None:
    call(appliance, place[1], "ringing", "answered", "ended")
    eventually(lambda: states(appliance, webhook).count("delivered") == 3)
    person.click("link", "Deliveries")
    row = person.page.get_by_role("row").filter(has_text=person.office).first
    person.click("link", "Incoming Call, Ended", row)
    story = person.page.get_by_role("region", name="The call").get_by_role("listitem")
    for step in ("Ringing", "Answered", "Ended"):
        expect(story.filter(has_text=f"Incoming Call, {step}").first).to_be_visible()
    assert person.clicks <= 3


def an_hour_ago(appliance: Appliance, webhook: int) -> None:
    """Move a webhook's failures an hour back, with the next probe in five minutes, as it is after an hour."""
    hour = {"ms": 3_600_000, "id": webhook}
    with appliance.app.extensions["spoke"].store.direct() as direct:
        direct.run(
            "UPDATE lane SET failing_since = failing_since - :ms, probe_at = probe_at + 300000"
            " WHERE webhook_id = :id",
            hour,
        )
        direct.run("UPDATE delivery SET created_at = created_at - :ms WHERE webhook_id = :id", hour)
        direct.run(
            "UPDATE attempt SET started_at = started_at - :ms"
            " WHERE delivery_id IN (SELECT id FROM delivery WHERE webhook_id = :id)",
            hour,
        )
        config_changed(direct)


def test_an_outage_is_seen_understood_repaired_and_made_good_in_4(
    browser: Browser, start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    """One receiver has been away for an hour, others were well: what waits arrives within 10 seconds."""
    patient = start_appliance(
        SPOKE_RETRY_SCHEDULE="600,600"
    )  # a shared one has too many failing webhooks to show
    office, name = f"Office {uuid.uuid4().hex[:8]}", f"CRM {uuid.uuid4().hex[:8]}"
    token = patient.location(office)
    well = [int(patient.webhook(office, receiver.url(f"/{n}"))["id"]) for n in range(3)]
    away = f"http://127.0.0.1:{free_port()}/hook"
    failing = int(patient.webhook(office, away, description=name)["id"])
    for _ in range(12):
        call(patient, token, "missed")
    eventually(lambda: patient.rows("SELECT broken FROM lane WHERE webhook_id = :id", id=failing)[0][0] >= 5)
    for webhook in well:
        eventually(lambda number=webhook: states(patient, number) == ["delivered"] * 12)
    an_hour_ago(patient, failing)

    context = browser.new_context(base_url=patient.url)
    page = context.new_page()
    log_in(page, patient)
    person = Person(page, office)
    needs = page.get_by_role("list", name="What needs you").get_by_role("listitem").filter(has_text=office)
    expect(needs).to_have_count(1)
    expect(needs).to_contain_text("nothing listens at that address and port. 12 deliveries wait, next try at")
    person.click("link", name, needs)
    person.click("link", "Edit")
    page.get_by_label("URL").fill(receiver.url("/repaired"))
    person.click("button", "Save changes")
    person.click("button", "Try all waiting now (12)")
    receiver.wait("/repaired", 12, 10)
    expect(page.locator(".result")).to_contain_text("Delivered 200 in")
    expect(page.locator("#state")).to_contain_text("Working")
    assert person.clicks <= 4
    context.close()
