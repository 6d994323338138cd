"""What people read of a model: the report's numbers and pictures, and the model card."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from contract.bundle import Manifest
from contract.labels import BY_CODE, CODES
from training.artifact.quantize import Gate
from training.evaluation.measure import HEADLINE, Evaluation
from training.fitting.phases import Epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MODEL_CARD: Final = "model-card.md"
DPI: Final = 110

ATTRIBUTION: Final = (
    "Tschandl P., Rosendahl C., Kittler H. The HAM10000 dataset, a large collection of multi-source dermatoscopic "
    "images of common pigmented skin lesions. Scientific Data 5, 180161 (2018), doi:10.1038/sdata.2018.161. "
    "ViDIR Group, Medical University of Vienna."
)
_EXPLAINED: Final = {
    "balanced_accuracy": "mean of the seven classes' recalls",
    "any_malignant_sensitivity": "malignant pictures over the operating point that asks to see a doctor",
    "any_malignant_specificity": "benign pictures under it",
    "melanoma_sensitivity": "melanomas over the operating point for melanoma",
    "macro_f1": "mean of the classes' F1",
    "ece": "mean gap between confidence and accuracy; smaller is better",
    "unfamiliar_rate": "pictures wrongly taken to be unlike the training pictures; smaller is better",
    "accuracy": "share of right answers; two thirds of the pictures are of one class, so it says little",
}


def write_report(folder: Path, evaluation: Evaluation, epochs: Sequence[Epoch], gate: Gate) -> None:
    """Write metrics.json, confusion_matrix.png, reliability.png and curves.png into a folder, which is made."""
    folder.mkdir(parents=True)
    numbers = {
        "metrics": {name: metric.model_dump() for name, metric in evaluation.metrics.items()},
        "labels": CODES,
        "confusion_matrix": evaluation.confusion.tolist(),
        "reliability": evaluation.reliability,
        "slices": evaluation.slices,
        "epochs": [asdict(epoch) for epoch in epochs],
        "gate": {**asdict(gate), "reason": gate.reason},
    }
    (folder / "metrics.json").write_text(json.dumps(numbers, indent=2) + "\n")
    _save(_draw_confusion(evaluation.confusion), folder / "confusion_matrix.png")
    _save(_draw_reliability(evaluation), folder / "reliability.png")
    _save(_draw_curves(epochs), folder / "curves.png")


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: "Figure", path: Path) -> None:
    figure.savefig(path, dpi=DPI)


def _draw_confusion(confusion: np.ndarray) -> "Figure":
    """Colour by the share of the true class, write the number of pictures."""
    figure = _figure(6, 5.4)
    axes = figure.subplots()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(confusion):
        shade = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=shade)
    axes.set_xticks(range(len(CODES)), CODES)
    axes.set_yticks(range(len(CODES)), CODES)
    axes.set(xlabel="taken for", ylabel="is", title="Held-out pictures, coloured by share of the row")
    return figure


def _draw_reliability(evaluation: Evaluation) -> "Figure":
    figure = _figure(5, 5)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", label="honest")
    confidence = [filled["confidence"] for filled in evaluation.reliability]
    accuracy = [filled["accuracy"] for filled in evaluation.reliability]
    pictures = np.array([filled["pictures"] for filled in evaluation.reliability])
    axes.plot(confidence, accuracy, color="tab:blue")
    axes.scatter(confidence, accuracy, s=20 + 200 * pictures / pictures.max(), color="tab:blue", label="this model")
    axes.set(
        xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy", title="Held-out pictures; size: how many"
    )
    axes.legend(loc="upper left")
    return figure


def _draw_curves(epochs: Sequence[Epoch]) -> "Figure":
    figure = _figure(9, 4)
    loss, accuracy = figure.subplots(1, 2)
    number = range(1, len(epochs) + 1)
    loss.plot(number, [epoch.loss for epoch in epochs], marker="o", label="training (weighted)")
    loss.plot(number, [epoch.validation_loss for epoch in epochs], marker="o", label="validation")
    loss.set(xlabel="epoch", ylabel="loss")
    accuracy.plot(number, [epoch.balanced_accuracy for epoch in epochs], marker="o", label="training")
    accuracy.plot(number, [epoch.validation_balanced_accuracy for epoch in epochs], marker="o", label="validation")
    accuracy.set(xlabel="epoch", ylabel="balanced accuracy", ylim=(0, 1))
    for axes in (loss, accuracy):
        axes.legend()
        axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def model_card(manifest: Manifest, gate: Gate) -> str:
    """Describe a model to people in Markdown (after Mitchell et al. 2019, arXiv:1810.03993)."""
    data, training = manifest.data, manifest.training
    metrics = "\n".join(
        f"| {name} | {metric.value:.3f} | {metric.low:.3f} to {metric.high:.3f} | {_EXPLAINED[name]} |"
        for name, metric in manifest.metrics.items()
    )
    points = "\n".join(
        f"| {name} | {', '.join(point.classes)} | {point.threshold:.3f} | {point.sensitivity:.3f} | "
        f"{point.specificity:.3f} |"
        for name, point in manifest.operating_points.items()
    )
    classes = "\n".join(
        f"| {code} | {BY_CODE[code].name} | {'yes' if BY_CODE[code].malignant else 'no'} | {data.per_class[code]} |"
        for code in manifest.labels
    )
    config = "\n".join(f"- {name}: {value}" for name, value in training.config.items())
    headline = manifest.metrics[HEADLINE[0]]
    return f"""# Model {manifest.version}

ResNet50 (He et al. 2015, arXiv:1512.03385) that tells seven classes of pigmented skin lesions apart in dermatoscopic
pictures. Balanced accuracy on held-out lesions: {headline.value:.3f}, 95% interval {headline.low:.3f} to
{headline.high:.3f}.

## Intended use

{manifest.intended_use}

## What it is worth

Measured once, with the file that serves, on lesions that neither training nor any choice saw. The intervals are a 95%
bootstrap over lesions.

| metric | value | 95% interval | |
|---|---|---|---|
{metrics}

Operating points, chosen on validation lesions, with what they reached there:

| decision | adds up | threshold | sensitivity | specificity |
|---|---|---|---|---|
{points}

Probabilities are calibrated with the temperature {manifest.temperature:.3f}. A picture counts as unlike the training
pictures when its score is over {manifest.unfamiliar.threshold:.4f}, as one validation picture in a hundred does.
{gate.reason}

`report/` holds the confusion matrix, the reliability diagram, the learning curves, and the balanced accuracy by sex,
age, site and kind of confirmation.

## What it learned from

{data.name}: {data.images} pictures of {data.lesions} lesions, dealt by lesion (seed {data.split_seed}) into training,
validation and held-out lesions.

| code | class | malignant | pictures |
|---|---|---|---|
{classes}

## Limits

- It was tried on no pictures but these: two sites, mostly light skin, dermatoscopes of their time. On other skin tones,
  cameras and clinical photographs its results are unknown.
- It knows seven classes. Any other condition is given the name of one of them.
- Only a part of the labels was confirmed by histology.
- The classes are far from their frequency in a practice, so its probabilities are not the odds of a person's lesion.

## How it was trained

{config}

Trained in {training.seconds:.0f} s on {training.device} with {training.backend}; job {training.job}, commit
{training.git_commit or "unknown"}.

## Licence

{manifest.licence}.

{ATTRIBUTION}
"""
