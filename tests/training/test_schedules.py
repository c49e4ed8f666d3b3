import pytest

from verydeep.studies import Recipe
from verydeep.training.schedules import Schedule


def test_cosine_rises_falls_and_ends_at_nothing():
    schedule = Schedule(Recipe(schedule="cosine", learning_rate=0.1, epochs=10, warmup_epochs=2), 50)
    rates = [schedule.rate(step) for step in range(500)]
    assert rates[:100] == sorted(rates[:100]) and rates[99] < 0.1
    assert rates[100] == pytest.approx(0.1)
    assert rates[100:] == sorted(rates[100:], reverse=True) and rates[-1] < 1e-5
    assert [rates[step] for step in (200, 300, 400)] == pytest.approx([0.0853553, 0.05, 0.0146447], abs=1e-6)


def test_plateau_divides_by_ten_when_the_best_error_is_old():
    schedule = Schedule(Recipe(plateau_patience=2, rate_drops=2), 10)
    rates = []
    for error in (50, 40, 41, 42, 39, 39, 39, 39, 39):
        schedule.errors.append(error)
        rates.append(schedule.rate(len(schedule.errors) * 10))
    assert rates == pytest.approx([1e-2] * 3 + [1e-3] * 3 + [1e-4] * 3)


def test_training_ends_after_all_epochs_or_at_the_plateau_of_the_last_rate():
    cosine = Schedule(Recipe(schedule="cosine", epochs=3), 10, [9.0, 9.0])
    assert not cosine.finished
    cosine.errors.append(9.0)
    assert cosine.finished
    plateau = Schedule(Recipe(plateau_patience=1, rate_drops=3, epochs=74), 10, [9.0] * 4)
    assert not plateau.finished
    plateau.errors.append(9.0)
    assert plateau.finished
