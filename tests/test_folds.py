import pytest

from steering.folds import folds_of


def test_every_pair_is_held_out_once():
    for count in (2, 3, 50):
        folds = folds_of(count)
        assert sum(test.long() for _, test in folds).tolist() == [1] * count
        assert all((train ^ test).all() for train, test in folds)
    with pytest.raises(ValueError, match="at least two"):
        folds_of(1)
