from hypothesis import given
from hypothesis import strategies as st

from steering.study.choice import Outcome, pareto
from steering.study.setting import Recipe, Setting

OUTCOMES = st.lists(
    st.builds(
        Outcome,
        st.just(Setting(Recipe(1), "projection", 2.5)),
        presence=st.just(0.0),
        debris=st.just(0.0),
        kept=st.just(0.0),
        clean=st.integers(0, 100).map(float),
        counterfactual=st.none(),
        sibling=st.integers(-10, 60).map(float),
        unrelated=st.integers(-10, 60).map(float),
        change=st.floats(0, 50),
    ),
    min_size=1,
    max_size=30,
)


def beats(a, b):
    return a.removed >= b.removed and a.cost <= b.cost and (a.removed, a.cost) != (b.removed, b.cost)


@given(OUTCOMES)
def test_nothing_beats_the_front_and_something_beats_or_equals_the_rest(outcomes):
    front = pareto(outcomes)
    assert front
    for one in front:
        assert not any(beats(other, one) for other in outcomes)
    for one in outcomes:
        assert any(beats(other, one) or (other.removed, other.cost) == (one.removed, one.cost) for other in front)
