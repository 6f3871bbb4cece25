"""A setting that cannot be used: one sentence, in our words."""

import pytest

from webhooks.errors import SettingsError
from webhooks.settings import load_settings


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SPOKE_TIMEOUT", "abc", "SPOKE_TIMEOUT=abc cannot be used: has to be a number"),
        ("SPOKE_TIMEOUT", "99", "SPOKE_TIMEOUT=99 cannot be used: has to be at most 25"),
        ("SPOKE_WORKERS", "1.5", "SPOKE_WORKERS=1.5 cannot be used: has to be a whole number"),
        ("SPOKE_LOG", "xml", "SPOKE_LOG=xml cannot be used: has to be 'text' or 'json'"),
        (
            "SPOKE_ADMIN_PASSWORD",
            "geheim",
            "SPOKE_ADMIN_PASSWORD cannot be used: has to have at least 8 characters",
        ),
    ],
)
def test_the_sentence_names_variable_value_and_what_would_be_right(
    name: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value) == sentence
