"""What people type of a site with a live phone system: lists, blanks, and the word for none."""

import pytest
from werkzeug.datastructures import MultiDict

from webhooks.errors import Invalid
from webhooks.pbx.asterisk import AsteriskOptions
from webhooks.services.parsing import parse
from webhooks.services.pbx_systems import AsteriskSite, FreeswitchSite


@pytest.mark.parametrize(
    ("typed", "prefixes", "rest"),
    [
        ("", ("9",), "+12025550188"),
        ("none", (), "912025550188"),
        (" None ", (), "912025550188"),
        ("0, 8;9", ("0", "8", "9"), "+12025550188"),
    ],
)
def test_a_blank_list_is_the_default_and_none_is_empty(
    typed: str, prefixes: tuple[str, ...], rest: str
) -> None:
    site = parse(AsteriskSite, MultiDict({"outgoing_prefixes": typed}))
    options = AsteriskOptions.model_validate(site.options())
    assert options.outgoing_prefixes == prefixes
    assert options.without_prefix("912025550188", "+12025550188") == rest


def test_none_means_none_at_each_system() -> None:
    site = parse(FreeswitchSite, MultiDict({"trunk_contexts": "none"}))
    options = FreeswitchSite.dialect.options.model_validate({"source": "", **site.options()})
    assert not options.is_trunk_context("public")  # type: ignore[attr-defined]  # FreeSWITCH's options


def test_a_system_refuses_the_option_of_another() -> None:
    with pytest.raises(Invalid, match="not known"):
        parse(FreeswitchSite, {"outgoing_prefixes": "9"})
