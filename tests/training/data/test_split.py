"""Splits and samples: no lesion in two parts, and every class in each part."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.errors import DatasetError
from contract.labels import CODES
from tests.training.data.made_up_dataset import dataset_of, datasets
from training.data.ham10000 import Dataset, read_dataset
from training.data.split import (
    MIN_SAMPLE_LESIONS,
    PARTS,
    count_parts,
    sample_lesions,
    shared_lesions,
    split_by_lesion,
)


@settings(max_examples=60, deadline=None)
@given(dataset=datasets, seed=st.integers(0, 2**32), shares=st.sampled_from([(0.15, 0.15), (0.45, 0.5), (0.01, 0.3)]))
def test_every_picture_is_in_one_part_and_no_lesion_in_two(
    dataset: Dataset, seed: int, shares: tuple[float, float]
) -> None:
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
def test_a_sample_has_all_pictures_of_its_lesions_and_can_be_split(dataset: Dataset, images: int, seed: int) -> None:
    sample = sample_lesions(dataset, images, seed)
    pictures_of = dataset.rows["lesion_id"].value_counts().to_dict()
    assert sample.rows["lesion_id"].value_counts().to_dict().items() <= pictures_of.items()
    for code in CODES:
        of_class = dataset.rows["dx"] == code
        least = min(MIN_SAMPLE_LESIONS, dataset.rows.loc[of_class, "lesion_id"].nunique())
        assert sample.rows.loc[sample.rows["dx"] == code, "lesion_id"].nunique() >= least
    split_by_lesion(sample, seed)


def test_each_part_has_its_share_of_every_class(pictures_dir: Path) -> None:
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


def test_the_seed_decides_the_split() -> None:
    dataset = dataset_of({code: [1, 2, 3] * 6 for code in CODES})
    assert split_by_lesion(dataset, 5).sha256 == split_by_lesion(dataset, 5).sha256
    assert split_by_lesion(dataset, 5).sha256 != split_by_lesion(dataset, 6).sha256


def test_the_part_of_a_lesion_does_not_depend_on_the_order_of_rows_or_on_other_classes() -> None:
    pictures = {code: [1, 2, 3] * 6 for code in CODES}
    dataset = dataset_of(pictures)
    backwards = dataset.subset(np.arange(len(dataset.rows))[::-1])
    more_nevi = dataset_of({**pictures, "nv": [1] * 200})

    def tested(given: Dataset) -> set[str]:
        rows = given.rows.iloc[split_by_lesion(given).test]
        return set(rows.loc[rows["dx"] != "nv", "lesion_id"])

    assert tested(dataset) == tested(backwards) == tested(more_nevi)


@pytest.mark.parametrize("lesions", [0, 1, 2])
def test_a_class_with_too_few_lesions_is_named_with_its_count(lesions: int) -> None:
    dataset = dataset_of({code: [2] * (lesions if code == "df" else 5) for code in CODES})
    with pytest.raises(DatasetError, match=rf"at least 3 lesions to be split, and df has {lesions}:"):
        split_by_lesion(dataset)


def test_a_lesion_with_two_classes_is_refused() -> None:
    dataset = dataset_of({code: [1] * 10 for code in CODES})
    rows = dataset.rows.assign(
        lesion_id=[lesion.removeprefix(dx) for lesion, dx in dataset.rows[["lesion_id", "dx"]].to_numpy()]
    )
    with pytest.raises(DatasetError, match="more than one dx, so it would be in two parts"):
        split_by_lesion(Dataset("two classes", Path(), rows))


@pytest.mark.parametrize("shares", [(0, 0.2), (0.2, -0.1), (0.5, 0.5), (float("nan"), 0.1)])
def test_shares_that_would_leave_a_part_empty_are_refused(shares: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="must be positive, and their sum must be less than 1"):
        split_by_lesion(dataset_of({code: [1] * 10 for code in CODES}), 1, *shares)


def test_a_sample_has_about_the_requested_size_and_the_class_shares_of_the_data_set() -> None:
    dataset = dataset_of({code: [1, 1, 1, 2, 1, 3] * (100 if code == "nv" else 12) for code in CODES})
    sample = sample_lesions(dataset, 400, seed=1)
    assert len(sample.rows) == pytest.approx(400, abs=10)
    assert sample.per_class["nv"] > 3 * max(sample.per_class[code] for code in CODES if code != "nv")
    assert sample.sha256 == sample_lesions(dataset, 400, seed=1).sha256
    assert sample.sha256 != sample_lesions(dataset, 400, seed=2).sha256


def test_a_sample_of_full_size_is_the_data_set_and_an_empty_one_is_refused() -> None:
    dataset = dataset_of({code: [1] * 4 for code in CODES})
    assert sample_lesions(dataset, len(dataset.rows), seed=1) is dataset
    with pytest.raises(ValueError, match="at least one picture"):
        sample_lesions(dataset, 0, seed=1)
