"""How quickly receivers are met that have not answered yet, with a clock handed in."""

from webhooks.dispatcher.pace import GROUP, MANY, PER_S, UNPROVEN_A_ROUND, Pace

NOW_S = 1000.0


def begun_in(pace: Pace, seconds: float, *, answer: bool) -> int:
    """How many attempts begin, a round each millisecond. ``answer``: each is over by the next round."""
    begun = in_flight = 0
    for millisecond in range(round(seconds * 1000)):
        at_s = NOW_S + millisecond / 1000
        allowed = pace.allowance(in_flight, at_s)
        for _ in range(allowed):
            pace.begun(at_s)
        begun += allowed
        in_flight = 0 if answer else in_flight + allowed
    return begun


def test_receivers_that_answer_are_met_as_quickly_as_rounds_follow_one_another() -> None:
    assert begun_in(Pace(), 0.1, answer=True) == 100 * UNPROVEN_A_ROUND


def test_of_receivers_that_hang_the_first_are_met_at_once_and_the_others_one_by_one() -> None:
    met = begun_in(Pace(), 2, answer=False)
    assert MANY < met <= MANY + UNPROVEN_A_ROUND + 2 * PER_S + GROUP
    assert met >= 1.9 * PER_S


def test_the_others_come_in_groups() -> None:
    pace = Pace()
    assert pace.allowance(MANY, NOW_S) == GROUP
    for _ in range(GROUP):
        pace.begun(NOW_S)
    assert pace.allowance(MANY, NOW_S + 0.9 * GROUP / PER_S) == 0
    assert pace.allowance(MANY, NOW_S + 1.1 * GROUP / PER_S) == GROUP


def test_many_that_answered_cost_those_that_hang_no_more_than_a_group_would() -> None:
    pace = Pace()
    begun_in(pace, 1, answer=True)
    assert pace.allowance(MANY, NOW_S + 1 + GROUP / PER_S) == GROUP
