"""Measures of association: what they must give where the answer is known."""

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


def test_words_that_tell_each_other_have_a_v_of_one_and_unrelated_ones_of_zero() -> None:
    words = pd.Series(["a", "b", "c"] * 100)
    assert cramers_v(words, words.map({"a": "x", "b": "y", "c": "z"})) == pytest.approx(1)
    assert cramers_v(words, pd.Series(["x"] * 150 + ["y"] * 150)) == 0
    assert np.isnan(cramers_v(words, pd.Series(["x"] * 300)))


def test_v_is_what_bergsmas_formula_gives_by_hand() -> None:
    # 2 x 2 table 30 10 / 10 30: phi2 = 0.25; corrected by 1/79; the sides by 1/79 as well
    one, other = pd.Series(["a"] * 40 + ["b"] * 40), pd.Series(["x"] * 30 + ["y"] * 10 + ["x"] * 10 + ["y"] * 30)
    assert cramers_v(one, other) == pytest.approx(np.sqrt((0.25 - 1 / 79) / (1 - 1 / 79)))


def test_chance_in_a_small_table_is_taken_for_what_it_is() -> None:
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
def test_every_measure_lies_between_none_and_full_and_does_not_mind_the_order(rows: list) -> None:
    table = pd.DataFrame(rows, columns=["one", "other", "number"])
    backwards = table[::-1].reset_index(drop=True)
    for measured, again in (
        (cramers_v(table["one"], table["other"]), cramers_v(backwards["other"], backwards["one"])),
        (correlation_ratio(table["one"], table["number"]), correlation_ratio(backwards["one"], backwards["number"])),
    ):
        assert np.isnan(measured) or 0 <= measured <= 1 + 1e-9
        np.testing.assert_allclose(measured, again, atol=1e-6)


def test_each_pair_is_measured_by_what_suits_it() -> None:
    random = np.random.default_rng(2)
    table = pd.DataFrame({"word": random.choice(list("ab"), 99), "also": random.choice(list("xy"), 99)})
    table["number"] = np.arange(99.0)
    table["square"] = -(table["number"] ** 2)
    strengths, measures = associate(table)
    assert measures.loc["word", "also"] == CRAMER
    assert measures.loc["word", "number"] == measures.loc["number", "also"] == RATIO
    assert measures.loc["number", "square"] == SPEARMAN
    assert strengths.loc["number", "square"] == pytest.approx(1)
    assert strengths.equals(strengths.T)


def test_pearson_is_below_the_diagonal_and_spearman_above() -> None:
    number = pd.Series(np.arange(1.0, 30))
    both = correlate(pd.DataFrame({"number": number, "cube": number**3, "other": -number}))
    assert both.loc["number", "cube"] == pytest.approx(1)
    assert both.loc["cube", "number"] == pytest.approx(np.corrcoef(number, number**3)[0, 1])
    assert both.loc["cube", "number"] < 0.95
    assert both.loc["number", "other"] == both.loc["other", "number"] == pytest.approx(-1)
