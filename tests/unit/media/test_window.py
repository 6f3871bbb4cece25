"""A window behaves as the file that it stands for."""

import io

from hypothesis import given
from hypothesis import strategies as st

from webhooks.media.window import Window

DATA = bytes(range(200))
STEPS = st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.integers(-30, 60), st.integers(0, 80)), max_size=8)


@given(st.integers(0, 200), st.integers(0, 200), st.binary(max_size=20), STEPS)
def test_it_reads_and_seeks_as_a_file_of_its_bytes(
    first: int, second: int, head: bytes, steps: list[tuple[int, int, int]]
) -> None:
    start, end = sorted((first, second))
    window, file = Window(io.BytesIO(DATA), start, end, head), io.BytesIO(head + DATA[start:end])
    size = len(head) + end - start
    for whence, offset, count in steps:
        place = max(0, (0, file.tell(), size)[whence] + offset)
        assert window.seek(offset, whence) == file.seek(place)
        if place <= size:
            assert window.read(count) == file.read(count)
            assert window.tell() == file.tell()


def test_it_ends_with_its_budget_but_knows_its_end() -> None:
    window = Window(io.BytesIO(DATA), 0, 200, b"head", budget_bytes=50)
    assert window.read(30) == b"head" + DATA[:26]
    assert window.read(30) == DATA[26:46]
    assert window.read(30) == b""
    assert window.seek(0, 2) == 204
