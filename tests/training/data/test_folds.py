"""Folds for cross-validation: no lesion on both sides, and every picture tested once."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.errors import DatasetError
from contract.labels import CODES
from tests.training.data.made_up_dataset import dataset_of, datasets
from training.data.folds import count_folds, k_folds, split_fold
from training.data.ham10000 import Dataset
from training.data.split import shared_lesions


@settings(max_examples=40, deadline=None)
@given(dataset=datasets, k=st.sampled_from([2, 3]), seed=st.integers(0, 2**32))
def test_every_picture_is_tested_once_by_a_model_that_did_not_see_its_lesion(
    dataset: Dataset, k: int, seed: int
) -> None:
    folds = k_folds(dataset, k, seed)
    lesions = dataset.rows["lesion_id"].to_numpy(object)
    assert len(folds) == k
    assert sorted(np.concatenate([fold.test for fold in folds]).tolist()) == list(range(len(dataset.rows)))
    for fold in folds:
        assert sorted([*fold.train.tolist(), *fold.test.tolist()]) == list(range(len(dataset.rows)))
        assert not set(lesions[fold.train]) & set(lesions[fold.test])
        assert fold.train.dtype == fold.test.dtype == np.int64


@settings(max_examples=30, deadline=None)
@given(dataset=datasets, k=st.sampled_from([2, 3]), seed=st.integers(0, 100))
def test_two_folds_differ_by_at_most_one_lesion_in_each_class_and_in_total(dataset: Dataset, k: int, seed: int) -> None:
    counts = count_folds(dataset, k_folds(dataset, k, seed))
    for name in (*CODES, "total"):
        lesions = [fold[name]["lesions"] for fold in counts.values()]
        assert max(lesions) - min(lesions) <= 1
        assert name == "total" or sum(lesions) == dataset.rows.loc[dataset.rows["dx"] == name, "lesion_id"].nunique()


def test_the_seed_decides_the_folds() -> None:
    dataset = dataset_of({code: [1, 2, 3] * 6 for code in CODES})
    first, second, other = (k_folds(dataset, 5, seed)[0].test.tolist() for seed in (1, 1, 2))
    assert first == second != other


def test_more_folds_than_lesions_of_a_class_and_a_single_fold_are_refused() -> None:
    dataset = dataset_of({code: [2] * (4 if code == "df" else 9) for code in CODES})
    assert len(k_folds(dataset, 4)) == 4
    with pytest.raises(DatasetError, match="at least 5 lesions to be split, and df has 4:"):
        k_folds(dataset, 5)
    with pytest.raises(ValueError, match="at least 2 folds, not 1"):
        k_folds(dataset, 1)


def test_a_lesion_with_two_classes_is_refused_in_folds() -> None:
    dataset = dataset_of({code: [1] * 10 for code in CODES})
    lesion_ids = [lesion.removeprefix(dx) for lesion, dx in dataset.rows[["lesion_id", "dx"]].to_numpy()]
    with pytest.raises(DatasetError, match="would be in two folds"):
        k_folds(Dataset("lesion_ids", Path(), dataset.rows.assign(lesion_id=lesion_ids)), 3)


@settings(max_examples=20, deadline=None)
@given(dataset=datasets, seed=st.integers(0, 2**32))
def test_validation_lesions_of_every_class_come_from_the_training_lesions(dataset: Dataset, seed: int) -> None:
    for fold in k_folds(dataset, 3, seed):
        split = split_fold(dataset, fold, seed)
        assert np.array_equal(split.test, fold.test)
        assert np.array_equal(np.sort(np.concatenate([split.train, split.validation])), fold.train)
        assert shared_lesions(dataset, split) == []
        for part in (split.train, split.validation):
            assert set(dataset.rows["dx"].iloc[part]) == set(CODES)


def test_a_fold_with_one_training_lesion_of_a_class_is_refused() -> None:
    dataset = dataset_of({**{code: [1] * 6 for code in CODES}, "df": [1, 1]})
    (fold, _) = k_folds(dataset, 2, seed=1)
    with pytest.raises(DatasetError, match="has 1 training lesions of df"):
        split_fold(dataset, fold, seed=1)
