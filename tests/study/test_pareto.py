from hypothesis import given
from hypothesis import strategies as st

from steering.study.choice import TIE_OF_SUMS, Outcome, knee, pareto, promising
from steering.study.setting import Recipe, Setting

ANY = Setting(Recipe(1), "projection", 2.5)
OUTCOMES = st.lists(
    st.builds(
        Outcome,
        st.just(ANY),
        presence=st.integers(0, 100).map(float),
        sibling=st.integers(-10, 60).map(float),
        unrelated=st.integers(-10, 60).map(float),
        bound=st.just(0.0),
        change=st.floats(0, 50),
    ),
    min_size=1,
    max_size=30,
)


def beats(a, b):
    return a.presence <= b.presence and a.cost <= b.cost and (a.presence, a.cost) != (b.presence, b.cost)


@given(OUTCOMES)
def test_nothing_beats_the_front_and_something_beats_or_equals_the_rest(outcomes):
    front = pareto(outcomes)
    assert front
    for one in front:
        assert not any(beats(other, one) for other in outcomes)
    for one in outcomes:
        assert any(beats(other, one) or (other.presence, other.cost) == (one.presence, one.cost) for other in front)


@given(OUTCOMES)
def test_the_knee_is_on_the_front_and_near_the_lowest_sum(outcomes):
    taken = knee(outcomes)
    assert taken in pareto(outcomes)
    assert taken.total <= min(one.total for one in outcomes) + TIE_OF_SUMS


def test_of_near_equals_the_gentlest_is_taken_and_gains_pay_for_nothing():
    rough, gentle = Outcome(ANY, 2.0, 0.0, 0.0, 0.0, 9.0), Outcome(ANY, 1.5, 1.0, 0.0, 0.0, 3.0)
    assert knee([rough, gentle]) is gentle
    gains = Outcome(ANY, 30.0, -40.0, 0.0, 0.0, 1.0)
    assert knee([rough, gains]) is rough
    assert promising([gains, rough, gentle], 2) == [rough, gentle]
