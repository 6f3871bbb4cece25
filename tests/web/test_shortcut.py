"""The shortcut past Flask: whichever way an event takes, it is answered alike."""

import uuid
from collections.abc import Callable

import pytest
from appliance import Appliance, Place

pytestmark = pytest.mark.databases("one")

_VIEW = "?way=view"  # a request with a query is not plain: Flask's view takes it


def _event(id_: str) -> str:
    return f'{{"type": "incoming_call", "subtype": "ringing", "id": "{id_}"}}'


_BODIES: dict[str, Callable[[str], str]] = {
    "an event": _event,
    "a batch with a twin": lambda id_: f"[{_event(id_)}, {_event(id_)}]",
    "an empty batch": lambda id_: "[]",
    "a type that is none": lambda id_: '{"type": "nonsense"}',
    "no json": lambda id_: "{",
    "nothing": lambda id_: "",
}


def _told(appliance: Appliance, path: str, body: str, headers: dict[str, str]) -> tuple[int, object, str]:
    answer = appliance.post(path, data=body, headers={"Content-Type": "application/json", **headers})
    head = {name.lower(): value for name, value in answer.headers.items() if name.lower() != "date"}
    return answer.status_code, head, answer.text


@pytest.mark.parametrize("body", _BODIES.values(), ids=_BODIES)
@pytest.mark.parametrize("token_in", ["header", "path", "both", "none of a location"])
def test_both_ways_answer_alike(
    appliance: Appliance, place: Place, body: Callable[[str], str], token_in: str
) -> None:
    token = place[1]
    path = f"/api/events/t/{token}" if token_in in ("path", "both") else "/api/events"
    bearer = {"header": token, "both": "theirs", "none of a location": "x" * 43}.get(token_in)
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    ids = [str(uuid.uuid4()), str(uuid.uuid4())]
    for _ in range(2):
        short = _told(appliance, path, body(ids[0]), headers)
        long = _told(appliance, path + _VIEW, body(ids[1]), headers)
        assert short == (*long[:2], long[2].replace(ids[1], ids[0]))
