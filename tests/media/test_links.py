"""Who may fetch a recording, and until when: only a link as it was sent, for as long as it says."""

import random
import string
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from appliance import Appliance, eventually
from media import client
from receiver import Receiver

DAY = 86_400
LETTERS = string.ascii_letters + string.digits + "-_"


def parts(link: str) -> tuple[str, str, str]:
    query = parse_qs(urlsplit(link).query)
    return urlsplit(link).path.rpartition("/")[2], query["expires"][0], query["signature"][0]


def made(appliance: Appliance, media_id: str, expires: str, signature: str) -> str:
    return f"{appliance.url}/api/media/download/{media_id}?expires={expires}&signature={signature}"


@pytest.mark.databases("one")
def test_two_hundred_ways_of_tampering_and_none_gets_through(appliance: Appliance, link: str) -> None:
    assert client.fetch(appliance, link).status_code == 200
    media_id, expires, signature = parts(link)
    chance = random.Random(7)
    tried: set[tuple[str, str, str]] = set()
    while len(tried) < 200:
        texts = [media_id, expires, signature]
        which = chance.randrange(3)
        text = texts[which]
        at = chance.randrange(len(text))
        alphabet = string.digits if which == 1 else LETTERS
        texts[which] = chance.choice(
            [
                text[:at] + chance.choice(alphabet) + text[at + 1 :],
                text[:at] + chance.choice(alphabet) + text[at:],
                text[:at] + text[at + 1 :],
                text.swapcase(),
                str(uuid.UUID(int=chance.getrandbits(128))) if which == 0 else text[::-1],
            ]
        )
        if texts != [media_id, expires, signature]:
            tried.add((texts[0], texts[1], texts[2]))
    answers = [client.fetch(appliance, made(appliance, *one)) for one in tried]
    assert {answer.status_code for answer in answers} <= {403, 404}
    assert sum(answer.status_code == 404 for answer in answers) == sum(not one[0] for one in tried)
    assert {answer.headers["Content-Type"] for answer in answers} == {"application/problem+json"}


@pytest.mark.databases("one")
def test_the_same_signature_in_another_spelling_is_refused(appliance: Appliance, link: str) -> None:
    media_id, expires, signature = parts(link)
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    last = alphabet.index(signature[-1])  # 43 characters carry 258 bits, of which the last two say nothing
    twins = [signature[:-1] + alphabet[last & ~3 | low] for low in range(4) if (last & ~3 | low) != last]
    for other in [*twins, signature + "=", signature + "%3D%3D", signature + "%0A", "+" + signature]:
        assert client.fetch(appliance, made(appliance, media_id, expires, other)).status_code == 403


@pytest.mark.parametrize("expires", ["0{}", "+{}", " {}", "{}.0", "{}e0", "1" + "0" * 12, "", "-1", "٣{}"])
@pytest.mark.databases("one")
def test_an_expiry_that_is_written_otherwise_is_refused(
    appliance: Appliance, link: str, expires: str
) -> None:
    media_id, right, signature = parts(link)
    answer = client.fetch(appliance, made(appliance, media_id, expires.format(right), signature))
    assert answer.status_code == 403


@pytest.mark.databases("one")
def test_what_is_missing_or_given_twice_is_refused_and_what_is_unknown_ignored(
    appliance: Appliance, link: str
) -> None:
    media_id, expires, signature = parts(link)
    base = f"{appliance.url}/api/media/download/{media_id}"
    for query in ("", f"expires={expires}", f"signature={signature}",
                  f"expires={expires}&signature={signature}&expires={expires}",
                  f"expires={expires}&signature={signature}&signature={signature}"):  # fmt: skip
        assert client.fetch(appliance, f"{base}?{query}").status_code == 403
    assert client.fetch(appliance, link + "&utm_source=mail&expire=1").status_code == 200


@pytest.mark.databases("one")
def test_a_link_lives_a_day_and_a_late_attempt_brings_one_that_works(
    start_appliance: Callable[..., Appliance],
    clock: dict[str, str],
    tmp_path: Path,
    receiver: Receiver,
    voice: bytes,
) -> None:
    receiver.answers["/media"] = [500, 500, 200]
    one = start_appliance(SPOKE_RETRY_SCHEDULE=f"1,{2 * DAY}", **clock)
    token = one.location("Office")
    one.webhook("Office", receiver.url("/media"), "media")
    client.send(one, token, voice)
    first, second = [got.json["attachments"] for got in receiver.wait("/media", 2)]
    assert client.fetch(one, first).status_code == 200
    # The next attempt's time is counted from the outcome of this one.
    eventually(lambda: one.rows("SELECT attempts FROM delivery")[0].attempts == 2)
    (tmp_path / "clock").write_text(str(DAY - 60))
    assert client.fetch(one, first).status_code == 200
    (tmp_path / "clock").write_text(str(DAY + 60))
    gone = client.fetch(one, second)
    assert gone.status_code == 410 and "expired" in gone.json()["detail"]
    (tmp_path / "clock").write_text(str(int(2.5 * DAY)))
    third = receiver.wait("/media", 3)[2]
    assert client.fetch(one, third.json["attachments"]).status_code == 200
    assert third.webhook_id == receiver.at("/media")[0].webhook_id


@pytest.mark.databases("one")
def test_after_a_new_key_old_links_live_on(
    start_appliance: Callable[..., Appliance], receiver: Receiver, voice: bytes
) -> None:
    one = start_appliance()
    token = one.location("Office")
    one.webhook("Office", receiver.url("/media"), "media")
    client.send(one, token, voice)
    before = client.arrived(receiver, "/media").json["attachments"]
    assert one.cli("media", "rotate-key") == {"former_keys": 1}
    client.send(one, token, voice)
    after = client.arrived(receiver, "/media", 2).json["attachments"]
    for link in (before, after):
        assert client.fetch(one, link).status_code == 200
    media_id, expires, _ = parts(before)
    key = (one.folder / "data" / "secret.key").read_text().splitlines()[1].split()[0]
    # Whoever learns the former key cannot make links that outlive its own.
    assert client.fetch(one, made(one, media_id, expires, _sign(key, media_id, expires))).status_code == 200
    later = str(int(expires) + DAY)
    assert client.fetch(one, made(one, media_id, later, _sign(key, media_id, later))).status_code == 403
    one.stop()
    one.environment |= {"SPOKE_SECRET_KEY": "another key altogether"}
    one.start()
    assert client.fetch(one, after).status_code == 200


def _sign(key: str, media_id: str, expires: str) -> str:
    program = (
        "import sys; from webhooks.keyring import Key; from webhooks.media.signed_links import _signature; "
        "print(_signature(Key(sys.argv[1]), sys.argv[2], sys.argv[3]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, key, media_id, expires], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    return done.stdout.strip()


@pytest.mark.databases("one")
def test_no_log_line_has_a_signature(appliance: Appliance, link: str) -> None:
    signature = parts(link)[2]
    client.fetch(appliance, link.replace("download", "nothing"))
    assert signature not in appliance.log


def test_a_link_made_by_the_command_line_works(appliance: Appliance, link: str) -> None:
    media_id = parts(link)[0]
    fresh = appliance.cli("media", "link", media_id)["link"]
    assert client.fetch(appliance, fresh).status_code == 200
    assert "no recording" in appliance.cli("media", "link", str(uuid.uuid4()), status=1)


def test_a_link_to_what_is_gone_is_404(appliance: Appliance, link: str, place: tuple[str, str]) -> None:
    media_id = parts(link)[0]
    (found,) = appliance.rows(
        "SELECT e.thread_key FROM event e JOIN media m ON m.event_id = e.id WHERE m.id = :id", id=media_id
    )
    counts = eventually(lambda: appliance.cli("erase", "--thread", found.thread_key, "--yes"))
    assert counts == {"events": 1, "deliveries": 1, "attempts": 1, "media": 1}
    assert client.fetch(appliance, link).status_code == 404
    assert not any(media_id in name for name in client.files(appliance))
