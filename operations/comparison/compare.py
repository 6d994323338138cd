"""A challenger beside the champion: over the same lesions, on the same machine, with a verdict by the stated gates."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from contract.bundle import MODEL, Manifest, read_bundle
from contract.errors import DatasetError
from operations.comparison.gates import Ruling, judge
from operations.comparison.paired_bootstrap import Changes, measure_changes
from operations.comparison.serving_cost import Cost, measure_costs
from training.artifact.held_out import HeldOut, join_predictions, read_held_out
from training.data.ham10000 import Dataset
from training.progress import OnProgress


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """What came of it."""

    challenger: Manifest
    champion: Manifest
    scope: str  # a sentence: which pictures
    changes: Changes
    costs: tuple[Cost, Cost]  # of the challenger, of the champion
    rulings: list[Ruling]

    @property
    def passed(self) -> bool:
        """Whether the challenger may replace the champion."""
        return all(ruling.passed for ruling in self.rulings)


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Labelled pictures to ask both models about, instead of reading what their bundles keep."""

    folder: Path
    metadata: Path | None  # their table, if it is not HAM10000's in the folder
    cache: Path  # of decoded pictures
    on_progress: OnProgress = lambda *_: None


def compare(challenger: Path, champion: Path, on: Labelled | None = None) -> Comparison:
    """Compare two bundles.

    Args:
        challenger: the folder of one version.
        champion: the folder of the version that it would replace.
        on: pictures to ask both about, or None for the answers to held-out pictures that the bundles keep.

    Raises:
        BundleError: a bundle is not whole.
        DatasetError: they have no held-out pictures in common, or the pictures cannot be used.
    """
    manifests = read_bundle(challenger), read_bundle(champion)
    if on is None:
        answers, scope = _kept((challenger, champion), manifests)
    else:
        answers, scope = _asked((challenger, champion), manifests, on)
    changes = measure_changes(*answers, manifests, seed=manifests[0].data.split_seed)
    costs = measure_costs(challenger, champion, manifests)
    return Comparison(
        challenger=manifests[0],
        champion=manifests[1],
        scope=scope,
        changes=changes,
        costs=costs,
        rulings=judge(changes, *costs),
    )


def _kept(folders: tuple[Path, Path], manifests: tuple[Manifest, Manifest]) -> tuple[tuple[HeldOut, HeldOut], str]:
    one, other = (read_held_out(folder) for folder in folders)
    if one is None or other is None:
        without = manifests[0 if one is None else 1].version
        raise DatasetError(
            f"The model {without} was made before bundles kept their answers to held-out pictures: compare the two on "
            "labelled pictures, with --data."
        )
    same = manifests[0].data.split_sha256 == manifests[1].data.split_sha256
    if not same or one.rows["image_id"].tolist() != other.rows["image_id"].tolist():
        raise DatasetError(
            f"{manifests[0].version} and {manifests[1].version} were not measured on the same lesions (their splits "
            "differ), so they cannot be compared pair by pair: compare them on labelled pictures, with --data."
        )
    return (one, other), "Pictures that both models had held out, as their bundles answered them."


def _asked(
    folders: tuple[Path, Path], manifests: tuple[Manifest, Manifest], on: Labelled
) -> tuple[tuple[HeldOut, HeldOut], str]:
    """Ask both about the pictures that neither was trained on, as far as that can be known."""
    from training.evaluation.pictures.evaluation_set import read_evaluation_set

    labelled = [read_evaluation_set(on.folder, on.metadata, manifest) for manifest in manifests]
    chosen = [of.dataset.rows.iloc[of.positions] for of in labelled]
    common = pd.Index(chosen[0]["image_id"]).intersection(pd.Index(chosen[1]["image_id"]))
    if common.empty:
        raise DatasetError(
            f"Every picture of {on.folder} was learned from by {manifests[0].version} or by {manifests[1].version}: "
            "name others with --data."
        )
    answers = [
        _ask(folder, manifest, of.dataset.subset(_positions(of.dataset.rows, common)), on)
        for folder, manifest, of in zip(folders, manifests, labelled, strict=True)
    ]
    return (answers[0], answers[1]), " ".join(dict.fromkeys(of.scope for of in labelled))


def _positions(rows: pd.DataFrame, image_ids: pd.Index) -> list[int]:
    return [position for position, name in enumerate(rows["image_id"]) if name in image_ids]


def _ask(folder: Path, manifest: Manifest, dataset: Dataset, on: Labelled) -> HeldOut:
    from training.artifact.inference import run_onnx
    from training.data.cache import open_cache
    from training.data.pictures import Pictures

    pixels = open_cache(dataset, manifest.input.size, on.cache, on.on_progress)
    pictures = Pictures(pixels, np.arange(len(dataset.rows)), dataset.rows["class_index"].to_numpy())
    answers = run_onnx(folder / MODEL, pictures, f"asking {manifest.version}", on.on_progress)
    return join_predictions(dataset.rows, answers.probabilities)
