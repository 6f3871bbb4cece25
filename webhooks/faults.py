"""pydantic's faults in words that people understand, for settings, forms, commands and API bodies alike."""

from typing import Final

from pydantic_core import ErrorDetails

_FAULTS: Final[dict[str, str]] = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_too_long": "has at most {max_length} characters",
    "string_too_short": "has to have at least {min_length} characters",
    "too_long": "has at most {max_length} entries",
    "literal_error": "has to be {expected}",
    # Limits as they are to be typed, without separators.
    "greater_than": "has to be more than {gt}",
    "greater_than_equal": "has to be at least {ge}",
    "less_than": "has to be less than {lt}",
    "less_than_equal": "has to be at most {le}",
    "finite_number": "has to be a number",
}
_KINDS: Final[dict[str, str]] = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "list": "a list",
    "tuple": "a list",
    "dict": "an object",
    "model": "an object",
}


def need(error: ErrorDetails) -> str:
    """Return what a value has to be, as the rest of a sentence that begins with its name."""
    kind = error["type"]
    context = {key: _shown(key, value) for key, value in error.get("ctx", {}).items()}
    if kind == "value_error":
        return str(context["error"])
    if kind in _FAULTS:
        return _FAULTS[kind].format(**context)
    needed = _KINDS.get(kind.partition("_")[0])
    return f"has to be {needed}" if needed else "cannot be used as it is"


def _shown(name: str, value: object) -> object:
    if not isinstance(value, int | float):
        return value
    return (f"{value:,}" if name.endswith("_length") else str(value)).removesuffix(".0")
