"""Which extension is whose at Zoho, as a person writes it. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from webhooks.errors import Invalid

_LONGEST: Final = 40  # characters of an extension


def extensions_of(given: Mapping[str, str], users: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Read extensions by user into users by extension.

    Args:
        given: by a user's id at Zoho, its extensions with commas between them.
        users: those that Zoho has.

    Raises:
        Invalid: a user that Zoho does not have, an extension that is none, or two users' own.
    """
    names = {user["zohouser"]: user["username"] or user["email"] for user in users}
    found: dict[str, str] = {}
    for user, text in given.items():
        field = f"user-{user}"
        for extension in filter(None, map(str.strip, text.split(","))):
            if user not in names:
                raise Invalid(f"Zoho has no user {user[:60]!r}. Read the users anew.", field)
            if len(extension) > _LONGEST or not extension.isprintable():
                raise Invalid(
                    f"{extension[:_LONGEST]!r} is no extension: write 1 to {_LONGEST} characters.", field
                )
            if found.get(extension, user) != user:
                owner = names[found[extension]]
                raise Invalid(f"The extension {extension} is {owner}'s already: one user at a time.", field)
            found[extension] = user
    return found


def by_user(extensions: Mapping[str, str]) -> dict[str, str]:
    """Write users by extension as a person reads them: extensions by user, with commas between them."""
    texts: dict[str, list[str]] = {}
    for extension, user in extensions.items():
        texts.setdefault(user, []).append(extension)
    return {user: ", ".join(sorted(own)) for user, own in texts.items()}
