"""Dealing lesions into parts: never one in two, every class in each."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.errors import DatasetError
from contract.labels import CODES
from training.data.ham10000 import Dataset, read_dataset
from training.data.split import (
    HANDFUL,
    PARTS,
    count_folds,
    count_parts,
    k_folds,
    sample_lesions,
    shared_lesions,
    split_by_lesion,
    split_fold,
)


def dataset_of(pictures: dict[str, list[int]]) -> Dataset:
    """A table without pictures: for each class, how many pictures each of its lesions has."""
    rows = [
        {"lesion_id": f"{code}{lesion}", "image_id": f"{code}{lesion}-{picture}", "dx": code}
        for code, lesions in pictures.items()
        for lesion, count in enumerate(lesions)
        for picture in range(count)
    ]
    rows = [rows[position] for position in np.random.default_rng(1).permutation(len(rows))]
    table = pd.DataFrame(rows).assign(dx_type="histo", age=50.0, sex="female", localization="back", path="")
    return Dataset("made up", Path(), table.assign(class_index=[CODES.index(dx) for dx in table["dx"]]))


datasets = st.fixed_dictionaries({code: st.lists(st.integers(1, 6), min_size=3, max_size=40) for code in CODES}).map(
    dataset_of
)


@settings(max_examples=60, deadline=None)
@given(dataset=datasets, seed=st.integers(0, 2**32), shares=st.sampled_from([(0.15, 0.15), (0.45, 0.5), (0.01, 0.3)]))
def test_no_lesion_is_ever_in_two_parts_and_no_picture_is_lost(dataset: Dataset, seed: int, shares) -> None:
    split = split_by_lesion(dataset, seed, *shares)
    lesions = dataset.rows["lesion_id"].to_numpy(object)
    train, validation, test = (set(lesions[getattr(split, part)]) for part in PARTS)
    assert len(train | validation | test) == len(train) + len(validation) + len(test) == dataset.lesions
    together = np.concatenate([getattr(split, part) for part in PARTS])
    assert sorted(together.tolist()) == list(range(len(dataset.rows)))
    for part in PARTS:
        assert getattr(split, part).dtype == np.int64
        assert set(dataset.rows["dx"].iloc[getattr(split, part)]) == set(CODES)


@settings(max_examples=30, deadline=None)
@given(dataset=datasets, images=st.integers(1, 900), seed=st.integers(0, 1000))
def test_a_sample_is_of_whole_lesions_and_can_still_be_split(dataset: Dataset, images: int, seed: int) -> None:
    sample = sample_lesions(dataset, images, seed)
    pictures_of = dataset.rows["lesion_id"].value_counts()
    assert all(pictures_of[lesion] == count for lesion, count in sample.rows["lesion_id"].value_counts().items())
    for code in CODES:
        of_class = dataset.rows["dx"] == code
        least = min(HANDFUL, dataset.rows.loc[of_class, "lesion_id"].nunique())
        assert sample.rows.loc[sample.rows["dx"] == code, "lesion_id"].nunique() >= least
    split_by_lesion(sample, seed)


def test_the_pictures_are_dealt_by_lesion_with_each_class_in_its_share(pictures_dir: Path) -> None:
    dataset = read_dataset(pictures_dir)
    split = split_by_lesion(dataset)
    assert shared_lesions(dataset, split) == []
    counts = count_parts(dataset, split)
    for code in CODES:
        lesions = [counts[part][code]["lesions"] for part in PARTS]
        assert sum(lesions) == dataset.rows.loc[dataset.rows["dx"] == code, "lesion_id"].nunique()
        assert lesions[1] == lesions[2] == max(1, round(0.15 * sum(lesions)))
        assert sum(counts[part][code]["pictures"] for part in PARTS) == dataset.per_class[code]
    assert sum(counts[part]["total"]["pictures"] for part in PARTS) == len(dataset.rows)


def test_the_same_seed_deals_the_same_and_another_otherwise() -> None:
    dataset = dataset_of({code: [1, 2, 3] * 6 for code in CODES})
    assert split_by_lesion(dataset, 5).sha256 == split_by_lesion(dataset, 5).sha256
    assert split_by_lesion(dataset, 5).sha256 != split_by_lesion(dataset, 6).sha256


def test_a_lesions_part_does_not_depend_on_the_order_of_the_rows_or_on_other_classes() -> None:
    pictures = {code: [1, 2, 3] * 6 for code in CODES}
    dataset = dataset_of(pictures)
    backwards = dataset.subset(np.arange(len(dataset.rows))[::-1])
    more_nevi = dataset_of({**pictures, "nv": [1] * 200})

    def tested(of: Dataset) -> set[str]:
        rows = of.rows.iloc[split_by_lesion(of).test]
        return set(rows.loc[rows["dx"] != "nv", "lesion_id"])

    assert tested(dataset) == tested(backwards) == tested(more_nevi)


@pytest.mark.parametrize("lesions", [0, 1, 2])
def test_a_class_with_too_few_lesions_is_named_and_counted(lesions: int) -> None:
    dataset = dataset_of({code: [2] * (lesions if code == "df" else 5) for code in CODES})
    with pytest.raises(DatasetError, match=rf"at least 3 lesions to be split, and df has {lesions}:"):
        split_by_lesion(dataset)


def test_a_lesion_of_two_classes_is_refused_before_it_can_leak() -> None:
    dataset = dataset_of({code: [1] * 10 for code in CODES})
    torn = dataset.rows.assign(
        lesion_id=[lesion.removeprefix(dx) for lesion, dx in dataset.rows[["lesion_id", "dx"]].to_numpy()]
    )
    with pytest.raises(DatasetError, match="more than one dx, so it would lie in two parts"):
        split_by_lesion(Dataset("torn", Path(), torn))


@pytest.mark.parametrize("shares", [(0, 0.2), (0.2, -0.1), (0.5, 0.5), (float("nan"), 0.1)])
def test_shares_that_leave_a_part_empty_are_refused(shares: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="must be positive and leave something to train on"):
        split_by_lesion(dataset_of({code: [1] * 10 for code in CODES}), 1, *shares)


def test_a_sample_has_about_as_many_pictures_as_asked_for_and_the_shares_of_the_whole() -> None:
    whole = dataset_of({code: [1, 1, 1, 2, 1, 3] * (100 if code == "nv" else 12) for code in CODES})
    sample = sample_lesions(whole, 400, seed=1)
    assert len(sample.rows) == pytest.approx(400, abs=10)
    assert sample.per_class["nv"] > 3 * max(sample.per_class[code] for code in CODES if code != "nv")
    assert sample.sha256 == sample_lesions(whole, 400, seed=1).sha256
    assert sample.sha256 != sample_lesions(whole, 400, seed=2).sha256


def test_a_sample_as_large_as_the_whole_is_the_whole_and_one_of_none_is_refused() -> None:
    whole = dataset_of({code: [1] * 4 for code in CODES})
    assert sample_lesions(whole, len(whole.rows), seed=1) is whole
    with pytest.raises(ValueError, match="at least one picture"):
        sample_lesions(whole, 0, seed=1)


@settings(max_examples=40, deadline=None)
@given(dataset=datasets, k=st.sampled_from([2, 3]), seed=st.integers(0, 2**32))
def test_each_picture_is_judged_once_and_never_by_what_has_seen_its_lesion(dataset: Dataset, k: int, seed: int) -> None:
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
def test_no_two_folds_differ_by_more_than_one_lesion_of_a_class_or_in_all(dataset: Dataset, k: int, seed: int) -> None:
    counts = count_folds(dataset, k_folds(dataset, k, seed))
    for name in (*CODES, "total"):
        lesions = [fold[name]["lesions"] for fold in counts.values()]
        assert max(lesions) - min(lesions) <= 1
        assert name == "total" or sum(lesions) == dataset.rows.loc[dataset.rows["dx"] == name, "lesion_id"].nunique()


def test_the_same_seed_deals_the_same_folds_and_another_others() -> None:
    dataset = dataset_of({code: [1, 2, 3] * 6 for code in CODES})
    first, again, other = (k_folds(dataset, 5, seed)[0].test.tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_folds_that_cannot_hold_every_class_are_refused_and_so_is_a_single_one() -> None:
    dataset = dataset_of({code: [2] * (4 if code == "df" else 9) for code in CODES})
    assert len(k_folds(dataset, 4)) == 4
    with pytest.raises(DatasetError, match="at least 5 lesions to be split, and df has 4:"):
        k_folds(dataset, 5)
    with pytest.raises(ValueError, match="at least 2 folds, not 1"):
        k_folds(dataset, 1)


def test_a_lesion_of_two_classes_is_in_no_fold() -> None:
    dataset = dataset_of({code: [1] * 10 for code in CODES})
    torn = [lesion.removeprefix(dx) for lesion, dx in dataset.rows[["lesion_id", "dx"]].to_numpy()]
    with pytest.raises(DatasetError, match="would lie in two folds"):
        k_folds(Dataset("torn", Path(), dataset.rows.assign(lesion_id=torn)), 3)


@settings(max_examples=20, deadline=None)
@given(dataset=datasets, seed=st.integers(0, 2**32))
def test_a_fold_gives_up_validation_lesions_of_every_class_and_keeps_the_rest(dataset: Dataset, seed: int) -> None:
    for fold in k_folds(dataset, 3, seed):
        split = split_fold(dataset, fold, seed)
        assert np.array_equal(split.test, fold.test)
        assert np.array_equal(np.sort(np.concatenate([split.train, split.validation])), fold.train)
        assert shared_lesions(dataset, split) == []
        for part in (split.train, split.validation):
            assert set(dataset.rows["dx"].iloc[part]) == set(CODES)


def test_a_fold_with_one_lesion_of_a_class_to_learn_from_is_refused() -> None:
    dataset = dataset_of({**{code: [1] * 6 for code in CODES}, "df": [1, 1]})
    (fold, _) = k_folds(dataset, 2, seed=1)
    with pytest.raises(DatasetError, match="learn from 1 lesions of df"):
        split_fold(dataset, fold, seed=1)
