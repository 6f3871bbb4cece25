"""A person who connects a location to Zapier."""

import re

from appliance import Appliance, Visitor


def connect_by_key(appliance: Appliance, visitor: Visitor, location: str) -> str:
    """Connect a location on the pages. Returns the API key that is shown."""
    answer = visitor.post("/zapier/connect", location=str(appliance.location_id(location)))
    assert answer.status_code == 303, answer.text
    return shown_key(visitor, answer.headers["Location"])


def shown_key(visitor: Visitor, path: str) -> str:
    """The key on the page, which is there once."""
    found = re.search(r'id="secret">([^<]+)<', visitor.get(path).text)
    assert found and found[1] not in visitor.get(path).text
    return found[1]
