"""Alerts on the pages: set, tried, listed; the count in the menu and in the tab's title."""

import re
from collections.abc import Iterator

import pytest
from appliance import Appliance, Place, Visitor, eventually
from receiver import Receiver
from smtp_server import SmtpServer
from standardwebhooks import Webhook as Verifier


@pytest.fixture
def smtp(visitor: Visitor) -> Iterator[SmtpServer]:
    """A mail server; after the test no alert goes anywhere any more."""
    server = SmtpServer(login=("spoke", "geheim"))
    yield server
    for channel in ("mail", "url"):
        visitor.post(f"/alerts/{channel}/remove")
    server.close()


def save_mail(visitor: Visitor, server: SmtpServer, password: str = "geheim") -> int:
    return visitor.post(
        "/alerts/mail", host="127.0.0.1", port=server.port, security="none", user="spoke", password=password,
        sender="spoke@example.com", recipients="admin@example.com; pbx@example.com",
    ).status_code  # fmt: skip


def sent(visitor: Visitor) -> str:
    """The list of what was sent, once nothing is on its way."""

    def settled() -> str | None:
        text = visitor.get("/alerts/sent").text
        return None if "Sending…" in text else text

    return str(eventually(settled, 30))


def test_a_test_alert_goes_both_ways_and_the_page_shows_it(
    appliance: Appliance, visitor: Visitor, smtp: SmtpServer, receiver: Receiver
) -> None:
    assert visitor.post("/alerts/test").status_code == 422
    assert save_mail(visitor, smtp) == 303
    assert visitor.post("/alerts/url", url=receiver.url("/alerts")).status_code == 303
    page = visitor.get("/alerts").text
    (secret,) = re.findall(r"whsec_[\w+/=]+", page)
    assert "geheim" not in page and "admin@example.com, pbx@example.com" in page
    assert "whsec_" not in visitor.get("/alerts").text
    assert visitor.post("/alerts/test").headers["Location"].endswith("/alerts#sent")
    text = sent(visitor)
    assert "Taken by the mail server." in text and "Answered 200." in text
    (mail,) = smtp.mails
    assert mail.subject == "Spoke: Test alert" and f"{appliance.url}/alerts" in mail.text
    (request,) = receiver.at("/alerts")
    assert Verifier(secret).verify(request.body, request.headers)["kind"] == "test"


@pytest.mark.databases("one")
def test_rotating_the_urls_secret_is_asked_first_and_a_third_is_refused(
    visitor: Visitor, smtp: SmtpServer, receiver: Receiver
) -> None:
    assert "Save a URL" in visitor.get("/alerts/url/rotate").text
    assert visitor.post("/alerts/url/rotate").status_code == 409
    visitor.post("/alerts/url", url=receiver.url("/alerts"))
    assert "For 24 hours alerts are signed with both" in visitor.get("/alerts/url/rotate").text
    assert visitor.post("/alerts/url/rotate").status_code == 303
    page = visitor.get("/alerts").text
    assert "whsec_" in page and "Both secrets are valid for 24 hours." in page
    again = visitor.post("/alerts/url/rotate")
    assert again.status_code == 409 and "there cannot be a third" in again.text
    assert visitor.post("/alerts/url/end-secret").status_code == 303
    page = visitor.get("/alerts").text
    assert "The old secret no longer signs." in page and "End the old secret" not in page


@pytest.mark.databases("one")
def test_a_test_alert_that_does_not_arrive_says_why_on_page_and_command_line(
    appliance: Appliance, visitor: Visitor, smtp: SmtpServer
) -> None:
    assert save_mail(visitor, smtp, password="falsch") == 303
    result = appliance.invoke("alert", "test")
    assert result.exit_code == 1 and "refused user or password: 535" in result.stdout
    assert "refused user or password: 535" in sent(visitor)
    assert save_mail(visitor, smtp) == 303
    assert (
        appliance.invoke("alert", "test").stdout == "The test alert went by mail: Taken by the mail server.\n"
    )
    assert "geheim" not in appliance.log and "falsch" not in appliance.log


@pytest.mark.databases("one")
def test_a_mail_server_that_hangs_delays_no_event_no_delivery_and_no_page(
    appliance: Appliance, visitor: Visitor, receiver: Receiver, place: Place, smtp: SmtpServer
) -> None:
    """It has taken the connection and says nothing, for as long as the other things take."""
    smtp.hangs = True
    assert save_mail(visitor, smtp) == 303
    assert visitor.post("/alerts/test").status_code == 303
    eventually(lambda: smtp.connections == 1)
    appliance.webhook(place[0], receiver.url("/beside"))
    appliance.ring(place[1])
    receiver.wait("/beside")
    assert "Sending…" in visitor.get("/alerts").text, "the attempt ended before the delivery"
    smtp.close()
    assert "Sending…" not in sent(visitor) and "Failed" in sent(visitor)


@pytest.mark.databases("one")
def test_a_form_with_a_fault_comes_back_as_it_was_typed(visitor: Visitor, smtp: SmtpServer) -> None:
    answer = visitor.post("/alerts/mail", host="127.0.0.1", port="0", sender="spoke@example.com", user="tom",
                          recipients="admin@example.com", password="secret!")  # fmt: skip
    assert answer.status_code == 422 and "“Port” has to be at least 1." in answer.text
    assert 'value="tom"' in answer.text and "secret!" not in answer.text
    for field, value in (("sender", "no address"), ("recipients", "a@b, no"), ("host", "a b")):
        given = {"host": "127.0.0.1", "sender": "a@example.com", "recipients": "a@example.com", field: value}
        assert visitor.post("/alerts/mail", **given).status_code == 422, field
    assert visitor.post("/alerts/url", url="http://169.254.169.254/").status_code == 422
    assert visitor.post("/alerts/url", url="ftp://example.com/").status_code == 422


def test_refused_events_are_an_open_matter_that_menu_and_title_count(
    appliance: Appliance, visitor: Visitor, place: Place
) -> None:
    name, token = place
    where = appliance.location_id(name)
    assert appliance.event(token, type="eaten").status_code == 422
    eventually(lambda: appliance.cli("location", "refusals", name))
    alerts = appliance.app.extensions["spoke"].alerts
    alerts.look()
    count = alerts.count_open()
    page = visitor.get("/alerts").text
    assert f"<title>({count}) Alerts" in page and f'<span class="count">{count}<' in page
    assert f"Events of {name} are refused." in page
    found = appliance.cli("alert", "list")
    assert [one["kind"] for one in found if one["subject"] == f"location {where}"] == ["events_refused"]
    assert f'href="/locations/{where}"' in page
    appliance.cli("location", "delete", name)
    page = visitor.get("/alerts").text
    assert page.index(">Resolved<") < page.index(name), "over with the location, before anybody looks again"
    assert f'href="/locations/{where}"' not in page + visitor.get("/").text


@pytest.mark.databases("one")
def test_a_location_says_how_long_it_may_be_silent(
    appliance: Appliance, visitor: Visitor, place: Place
) -> None:
    page = f"/locations/{appliance.location_id(place[0])}"
    assert visitor.post(f"{page}/silence", hours="72").status_code == 303
    assert 'name="hours" value="72"' in visitor.get(page).text
    visitor.post(f"{page}/silence", hours="0")
    text = visitor.get(page).text
    assert "“Silent for at most (hours)” has to be at least 1." in text and 'name="hours" value="72"' in text
    visitor.post(f"{page}/silence", hours="")
    assert 'name="hours" value=""' in visitor.get(page).text
