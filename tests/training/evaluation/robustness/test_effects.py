"""Shares and mean changes of answers, compared with plain NumPy."""

import numpy as np
import pytest

from tests.low_risk_shares import low_risk_shares
from training.evaluation.bootstrap import resample_lesions
from training.evaluation.robustness.effects import measure_effect, percentiles
from training.evaluation.robustness.goals import CLASS_CHANGES, misses_goal, worst_changes
from training.evaluation.robustness.serving import Answers


def answers(outcomes: str, malignant: list[float]) -> Answers:
    """Answers from a letter each: l(ow risk), n(oticed), s(ee a doctor)."""
    letters = np.array(list(outcomes))
    return Answers(
        low_risk=letters == "l",
        noticed=letters == "n",
        see_a_doctor=letters == "s",
        malignant=np.array(malignant),
        leading=np.zeros(len(letters), int),
    )


def test_the_shares_add_up_and_the_change_of_the_probability_is_absolute() -> None:
    lesion_id = np.arange(10)
    before = answers("s" * 10, [0.8] * 10)
    after = answers("lllnsssssl", [0.1, 0.1, 0.1, 0.7, 0.9, 0.9, 0.8, 0.8, 0.8, 0.1])
    effect = measure_effect("light", before, after, lesion_id, resample_lesions(lesion_id, 500, 0))
    assert (effect.low_risk.value, effect.noticed.value, effect.unchanged.value) == pytest.approx((0.4, 0.1, 0.5))
    assert effect.probability_change.value == pytest.approx(0.31)
    assert effect.probability_change_p95.value == pytest.approx(0.7)
    assert effect.low_risk.low < 0.4 < effect.low_risk.high


def test_a_share_of_zero_or_one_gets_its_exact_interval_over_lesions() -> None:
    lesion_id = np.repeat(np.arange(10), 3)  # thirty pictures of ten lesions
    before = after = answers("s" * 30, [0.8] * 30)
    effect = measure_effect("light", before, after, lesion_id, resample_lesions(lesion_id, 500, 0))
    assert (effect.low_risk.value, effect.low_risk.low) == (0, 0)
    assert effect.low_risk.high == pytest.approx(1 - 0.025 ** (1 / 10))  # of ten trials without an event
    assert effect.unchanged.low == pytest.approx(0.025 ** (1 / 10))


def test_pictures_of_one_lesion_make_the_interval_wider() -> None:
    before, after = answers("s" * 100, [0.5] * 100), answers("l" * 20 + "s" * 80, [0.5] * 100)
    widths = []
    for per_lesion in (1, 10):
        lesion_id = np.arange(100) // per_lesion
        weights = resample_lesions(lesion_id, 1000, 0)
        effect = measure_effect("light", before, after, lesion_id, weights)
        widths.append(effect.low_risk.high - effect.low_risk.low)
    assert widths[1] > 2 * widths[0]


def test_percentiles_agree_with_numpy_on_the_repeated_values() -> None:
    random = np.random.default_rng(0)
    values = random.random(40).round(1)  # with ties
    weights = random.integers(0, 4, (50, 40))
    expected = [np.quantile(np.repeat(values, row), 0.95, method="inverted_cdf") for row in weights]
    assert percentiles(values, weights.astype(float), 0.95).tolist() == expected


def test_a_change_misses_its_goal_by_either_share() -> None:
    changes = low_risk_shares(
        {"light_0.4": 0.021, "dark_circle_1.0": 0.3, "ink": 0.02, "mirrored": 0.01},
        class_changes={"turned_90": CLASS_CHANGES + 0.001, "turned_180": CLASS_CHANGES},
    ).changes
    assert worst_changes(changes) == ["dark_circle_1.0", "light_0.4", "turned_90"]
    assert not misses_goal(changes["mirrored"])
