import time

import pytest

from steering.pocket.pace import Clock, cosine, trapezoid


def test_a_clock_counts_what_an_earlier_sitting_used():
    clock = Clock(10, elapsed=4)
    time.sleep(0.01)
    assert 4 < clock.elapsed < 5
    assert clock.share == pytest.approx(clock.elapsed / 10, abs=0.01)
    assert Clock(10, elapsed=11).share == 1


def test_a_cosine_rises_and_falls_to_zero():
    rates = [cosine(share, 2.0) for share in (0.001, 0.02, 0.5, 1.0)]
    assert rates == pytest.approx([0.1, 1.998, 1.0, 0], abs=1e-3)
    assert [cosine(share, 2.0, warm=0) for share in (0, 0.5, 1)] == pytest.approx([2, 1, 0])


def test_a_trapezoid_warms_up_stays_and_falls_to_zero():
    rates = [trapezoid(share, 1e-3, 0.3) for share in (0, 0.01, 0.69, 0.85, 1)]
    assert rates == pytest.approx([1e-5, 1e-3, 1e-3, 5e-4, 0])
    assert trapezoid(1, 1e-3, 0) == 1e-3  # without cooling a later sitting goes on
