"""A download link is good until it expires, and only as it was made."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.errors import LinkExpired, LinkForbidden
from webhooks.keyring import Key
from webhooks.media.signed_links import Links

MEDIA_ID = "ad1c5ba3-9f9b-454d-b4b1-cfb592bb8fd9"
NOW_S = 1_700_000_000
TTL_S = 86_400
PRESENT, FORMER = Key("a secret of the tests"), Key("its former secret", last_expiry_s=NOW_S + 100)


def links(*keys: Key, now_s: float = NOW_S, ttl_s: int = TTL_S) -> Links:
    return Links(lambda: list(keys or [PRESENT]), "https://pbx.example/spoke", ttl_s, lambda: now_s)


def parts(link: str) -> tuple[str, str, str]:
    """The id, the expiry and the signature of a link."""
    address = urlsplit(link)
    query = parse_qs(address.query)
    return address.path.rpartition("/")[2], query["expires"][0], query["signature"][0]


def test_a_link_has_the_public_address_and_its_expiry() -> None:
    link = links().link(MEDIA_ID)
    assert link.startswith(f"https://pbx.example/spoke/api/media/download/{MEDIA_ID}?expires=")
    assert parts(link)[:2] == (MEDIA_ID, str(NOW_S + TTL_S))


def test_a_link_lives_until_its_expiry_and_no_longer() -> None:
    link = parts(links().link(MEDIA_ID))
    links(now_s=NOW_S + TTL_S - 0.001).check(*link)
    with pytest.raises(LinkExpired):
        links(now_s=NOW_S + TTL_S).check(*link)


@given(st.integers(0, 2), st.data())
def test_a_link_with_anything_changed_is_forbidden(which: int, data: st.DataObject) -> None:
    link = list(parts(links().link(MEDIA_ID)))
    other = data.draw(st.text() | st.from_regex(r"[A-Za-z0-9_-]{43}", fullmatch=True).map(str))
    at = data.draw(st.integers(0, len(link[which])))
    changed = data.draw(
        st.sampled_from([other, link[which][:at] + other + link[which][at:], link[which][:at]])
    )
    if changed == link[which]:
        return
    link[which] = changed
    with pytest.raises(LinkForbidden):
        links().check(*link)


def test_an_expired_link_that_is_forged_is_forbidden_not_expired() -> None:
    media_id, expires, signature = parts(links().link(MEDIA_ID))
    with pytest.raises(LinkForbidden):
        links(now_s=NOW_S + 2 * TTL_S).check(media_id, expires, signature[:-1])


def test_the_same_bytes_in_another_spelling_are_forbidden() -> None:
    """The last letter of base64 has bits that do not count, and padding is optional."""
    media_id, expires, signature = parts(links().link(MEDIA_ID))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    sibling = alphabet[alphabet.index(signature[-1]) ^ 1]
    for spelling in (signature[:-1] + sibling, f"{signature}=", f" {signature}"):
        with pytest.raises(LinkForbidden):
            links().check(media_id, expires, spelling)


@pytest.mark.parametrize("expires", ["0{}", "+{}", " {}", "{}.0", "{}\n", "", "-1", "1" * 13])
def test_an_expiry_is_plain_digits_even_where_it_is_signed(expires: str) -> None:
    odd = expires.format(NOW_S + 10)
    good = links(ttl_s=10)
    _, _, signature = parts(good.link(MEDIA_ID))
    with pytest.raises(LinkForbidden):
        good.check(MEDIA_ID, odd, signature)


def test_links_of_a_former_key_live_on_and_new_ones_of_it_do_not() -> None:
    rotated = links(PRESENT, FORMER)
    rotated.check(*parts(links(FORMER, ttl_s=100).link(MEDIA_ID)))
    with pytest.raises(LinkForbidden):
        rotated.check(*parts(links(FORMER, ttl_s=101).link(MEDIA_ID)))
    assert rotated.link(MEDIA_ID) == links(PRESENT).link(MEDIA_ID)
    with pytest.raises(LinkForbidden):
        links(PRESENT).check(*parts(links(FORMER, ttl_s=100).link(MEDIA_ID)))
