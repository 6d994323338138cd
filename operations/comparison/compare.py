"""Compare two models, a challenger and the champion: on the same lesions, on the same machine, with fixed gates."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from contract.bundle import MODEL, REFERENCE, Manifest, Robustness, read_bundle
from contract.errors import DatasetError
from operations.comparison.gates import GateResult, apply_gates
from operations.comparison.paired_bootstrap import Changes, measure_changes
from operations.comparison.robustness import apply_robustness_gates
from operations.comparison.serving_cost import ServingCost, measure_serving_costs
from training.artifact.held_out import HeldOut, join_predictions, read_held_out
from training.data.ham10000 import Dataset
from training.evaluation.robustness.goals import PICTURES
from training.progress import OnProgress, ignore_progress


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """The result of a comparison."""

    challenger: Manifest
    champion: Manifest
    scope: str  # a sentence: on which pictures
    changes: Changes
    costs: tuple[ServingCost, ServingCost]  # of the challenger, of the champion
    robustness: tuple[Robustness | None, Robustness | None]  # the same; None: not measured
    gates: list[GateResult]

    @property
    def passed(self) -> bool:
        """Whether the challenger may replace the champion."""
        return all(gate.passed for gate in self.gates)


@dataclass(frozen=True, kw_only=True)
class ComparisonPictures:
    """Labelled pictures that both models classify, instead of the results that their bundles keep."""

    folder: Path
    metadata: Path | None  # their table, if it is not HAM10000's in the folder
    cache: Path  # folder of decoded pictures
    on_progress: OnProgress = ignore_progress
    robustness: int = PICTURES  # so many malignant pictures get every change


def compare(challenger: Path, champion: Path, pictures: ComparisonPictures | None = None) -> Comparison:
    """Compare two bundles.

    Args:
        challenger: the folder of one version.
        champion: the folder of the version that it would replace.
        pictures: to compare on; None compares the results on the test pictures that the bundles keep.

    Raises:
        BundleError: a bundle is incomplete.
        DatasetError: the bundles have no test pictures in common, or the pictures cannot be used.
    """
    folders = challenger, champion
    manifests = read_bundle(challenger), read_bundle(champion)
    if pictures is None:
        predictions, scope = _read_predictions(folders, manifests)
        robustness = manifests[0].robustness, manifests[1].robustness
    else:
        predictions, robustness, scope = _measure(folders, manifests, pictures)
    changes = measure_changes(*predictions, manifests, seed=manifests[0].data.split_seed)
    costs = measure_serving_costs(challenger, champion, manifests)
    return Comparison(
        challenger=manifests[0],
        champion=manifests[1],
        scope=scope,
        changes=changes,
        costs=costs,
        robustness=robustness,
        gates=[*apply_gates(changes, *costs), *apply_robustness_gates(*robustness)],
    )


def _read_predictions(
    folders: tuple[Path, Path], manifests: tuple[Manifest, Manifest]
) -> tuple[tuple[HeldOut, HeldOut], str]:
    """Read the predictions for the test pictures from both bundles."""
    challenger, champion = (read_held_out(folder) for folder in folders)
    if challenger is None or champion is None:
        without = manifests[0 if challenger is None else 1].version
        raise DatasetError(
            f"The model {without} was made before bundles kept their predictions for test pictures: compare the two on "
            "labelled pictures, with --data."
        )
    same_split = manifests[0].data.split_sha256 == manifests[1].data.split_sha256
    if not same_split or challenger.rows["image_id"].tolist() != champion.rows["image_id"].tolist():
        raise DatasetError(
            f"{manifests[0].version} and {manifests[1].version} were not measured on the same lesions (their splits "
            "differ), so they cannot be compared lesion by lesion: compare them on labelled pictures, with --data."
        )
    return (challenger, champion), "The test pictures of both models, with the predictions that their bundles keep."


def _measure(
    folders: tuple[Path, Path], manifests: tuple[Manifest, Manifest], pictures: ComparisonPictures
) -> tuple[tuple[HeldOut, HeldOut], tuple[Robustness | None, Robustness | None], str]:
    """Let both models classify the pictures that, as far as is known, neither was trained on, and changes of them."""
    from training.evaluation.pictures.evaluation_set import read_evaluation_set

    labelled = [read_evaluation_set(pictures.folder, pictures.metadata, manifest) for manifest in manifests]
    usable = [each.dataset.rows.iloc[each.positions]["image_id"] for each in labelled]
    common = pd.Index(usable[0]).intersection(pd.Index(usable[1]))
    if common.empty:
        raise DatasetError(
            f"Every picture of {pictures.folder} was used to train {manifests[0].version} or {manifests[1].version}: "
            "name others with --data."
        )
    scope = " ".join(dict.fromkeys(each.scope for each in labelled))
    datasets = [_select(each.dataset, common) for each in labelled]
    models = list(zip(folders, manifests, datasets, strict=True))
    challenger, champion = (_classify(*model, pictures) for model in models)
    seed = manifests[0].data.split_seed  # both get the same changes
    effects = [_change_pictures(*model, seed, pictures) for model in models]
    return (challenger, champion), (effects[0], effects[1]), scope


def _select(dataset: Dataset, image_ids: pd.Index) -> Dataset:
    return dataset.subset(np.flatnonzero(dataset.rows["image_id"].isin(image_ids)))


def _classify(folder: Path, manifest: Manifest, dataset: Dataset, pictures: ComparisonPictures) -> HeldOut:
    from training.artifact.inference import run_onnx
    from training.data.cache import open_cache
    from training.data.pictures import Pictures

    pixels = open_cache(dataset, manifest.input.size, pictures.cache, pictures.on_progress)
    batch = Pictures(pixels, np.arange(len(dataset.rows)), dataset.rows["class_index"].to_numpy())
    answers = run_onnx(folder / MODEL, batch, f"classifying with {manifest.version}", pictures.on_progress)
    return join_predictions(dataset.rows, answers.probabilities)


def _change_pictures(
    folder: Path, manifest: Manifest, dataset: Dataset, seed: int, pictures: ComparisonPictures
) -> Robustness | None:
    """Measure the robustness of a model; None if there are too few pictures."""
    from contract.reference import Reference
    from training.evaluation.robustness.measure import TooFewPicturesError, measure_robustness
    from training.evaluation.robustness.serving import ServedModel

    def report(step: str, done: int, total: int) -> None:
        pictures.on_progress(f"{step} with {manifest.version}", done, total)

    served = ServedModel(folder / MODEL, manifest.input.size, Reference.read(folder / REFERENCE), manifest)
    try:
        return measure_robustness(served, dataset.rows, at_most=pictures.robustness, seed=seed, on_progress=report)
    except TooFewPicturesError:
        return None
