"""Measures of association, compared with known values."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.explore.associations import (
    CRAMER,
    RATIO,
    SPEARMAN,
    associate,
    correlate,
    correlation_ratio,
    cramers_v,
)


def test_dependent_categories_have_a_v_of_one_and_independent_ones_of_zero() -> None:
    words = pd.Series(["a", "b", "c"] * 100)
    assert cramers_v(words, words.map({"a": "x", "b": "y", "c": "z"})) == pytest.approx(1)
    assert cramers_v(words, pd.Series(["x"] * 150 + ["y"] * 150)) == 0
    assert np.isnan(cramers_v(words, pd.Series(["x"] * 300)))


def test_v_agrees_with_bergsmas_formula_by_hand() -> None:
    # 2 x 2 table 30 10 / 10 30: phi2 = 0.25; corrected by 1/79; the sides by 1/79 as well
    one, other = pd.Series(["a"] * 40 + ["b"] * 40), pd.Series(["x"] * 30 + ["y"] * 10 + ["x"] * 10 + ["y"] * 30)
    assert cramers_v(one, other) == pytest.approx(np.sqrt((0.25 - 1 / 79) / (1 - 1 / 79)))


def test_random_categories_in_a_small_table_have_a_v_near_zero() -> None:
    random = np.random.default_rng(1)
    found = [
        cramers_v(pd.Series(random.choice(list("abcdefg"), 60)), pd.Series(random.choice(list("uvwxyz"), 60)))
        for _ in range(40)
    ]
    assert np.mean(found) < 0.12  # without the correction it is about 0.3


def test_the_correlation_ratio_is_the_share_of_variance_between_groups() -> None:
    words = pd.Series(["a", "a", "b", "b", "b"])
    assert correlation_ratio(words, pd.Series([1.0, 1.0, 5.0, 5.0, np.nan])) == pytest.approx(1)
    assert correlation_ratio(words, pd.Series([1.0, 3.0, 1.0, 3.0, 2.0])) == pytest.approx(0)
    assert correlation_ratio(words, pd.Series([0.0, 2.0, 2.0, 4.0, np.nan])) == pytest.approx(np.sqrt(4 / 8))
    assert np.isnan(correlation_ratio(words, pd.Series([2.0] * 5)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.floats(-9, 9)), min_size=5, max_size=60))
def test_every_measure_is_between_zero_and_one_and_independent_of_the_order(rows: list[tuple[str, str, float]]) -> None:
    table = pd.DataFrame(rows, columns=["one", "other", "number"])
    backwards = table[::-1].reset_index(drop=True)
    for measured, reversed_ in (
        (cramers_v(table["one"], table["other"]), cramers_v(backwards["other"], backwards["one"])),
        (correlation_ratio(table["one"], table["number"]), correlation_ratio(backwards["one"], backwards["number"])),
    ):
        assert np.isnan(measured) or 0 <= measured <= 1 + 1e-9
        np.testing.assert_allclose(measured, reversed_, atol=1e-6)


def test_each_pair_is_measured_by_the_measure_for_its_types() -> None:
    random = np.random.default_rng(2)
    table = pd.DataFrame({"word": random.choice(list("ab"), 99), "also": random.choice(list("xy"), 99)})
    table["number"] = np.arange(99.0)
    table["square"] = -(table["number"] ** 2)
    strengths, measures = associate(table)
    assert measures.loc["word", "also"] == CRAMER
    assert measures.loc["word", "number"] == RATIO
    assert measures.loc["number", "also"] == RATIO
    assert measures.loc["number", "square"] == SPEARMAN
    assert strengths.loc["number", "square"] == pytest.approx(1)
    assert strengths.equals(strengths.T)


def test_pearson_is_below_the_diagonal_and_spearman_above() -> None:
    number = pd.Series(np.arange(1.0, 30))
    correlations = correlate(pd.DataFrame({"number": number, "cube": number**3, "negative": -number})).to_numpy()
    assert correlations[0, 1] == pytest.approx(1)
    assert correlations[1, 0] == pytest.approx(np.corrcoef(number, number**3)[0, 1])
    assert correlations[1, 0] < 0.95
    assert correlations[0, 2] == pytest.approx(-1)
    assert correlations[2, 0] == pytest.approx(-1)
