"""The model card: what a stranger must know of a model before using it, made from its manifest alone."""

from collections.abc import Iterable
from typing import Final

from contract.api import Metric
from contract.bundle import Group, Manifest, TrainingRecord
from contract.labels import BY_CODE
from training.evaluation.report.words import EXPLAINED, SLICE_NAMES, attribution_of, readable

MODEL_CARD: Final = "model-card.md"

LIMITS: Final = """\
- It was tried on no pictures but these: two sites, mostly light skin, dermatoscopes of their time. On other skin tones,
  cameras and clinical photographs its results are unknown.
- The table of these pictures does not record skin type, so no number here says how it does on darker skin.
- It knows seven classes. Any other condition is given the name of one of them.
- Only a part of the labels was confirmed by histology.
- The classes are far from their frequency in a practice, so its probabilities are not the odds of a person's lesion,
  and PPV and NPV will differ there.
- It sees the centre square of one picture: no history, no touch, no comparison with the person's other lesions."""


def model_card(manifest: Manifest) -> str:
    """Describe a model to people in Markdown (after Mitchell et al. 2019, arXiv:1810.03993)."""
    data, training, metrics = manifest.data, manifest.training, manifest.metrics
    leading = metrics.get("balanced_accuracy")
    worth = f" Balanced accuracy on held-out lesions: {_with_interval(leading)}." if leading else ""
    return f"""# Model {manifest.version}

ResNet50 (He et al. 2015, arXiv:1512.03385) that tells seven classes of pigmented skin lesions apart in dermatoscopic
pictures.{worth}

## Intended use

{manifest.intended_use}

## What it is worth

Measured once, with the file that serves, on lesions that neither training nor any choice saw. The intervals are a 95%
bootstrap over lesions.

{_table(("metric", "value", "95% interval", ""), _metric_rows(metrics))}

### Class by class

{
        _table(
            ("class", "pictures (lesions)", "recall", "precision", "F1", "AUROC", "average precision"),
            (
                _group_row(
                    f"{code}, {BY_CODE[code].name}", group, ("recall", "precision", "f1", "auroc", "average_precision")
                )
                for code, group in manifest.per_class.items()
            ),
        )
    }

### Decisions

Thresholds were chosen on validation lesions, with what they reached there; the table above has what they reach on
held-out lesions.

{
        _table(
            (
                "decision",
                "adds up",
                "threshold",
                "sensitivity, validation",
                "specificity, validation",
                "sensitivity, held out",
                "specificity, held out",
            ),
            (
                (
                    name,
                    ", ".join(point.classes),
                    f"{point.threshold:.3f}",
                    f"{point.sensitivity:.3f}",
                    f"{point.specificity:.3f}",
                    _with_interval(metrics.get(f"{name}_sensitivity")),
                    _with_interval(metrics.get(f"{name}_specificity")),
                )
                for name, point in manifest.operating_points.items()
            ),
        )
    }

### Calibration

Chosen on validation lesions, and in the model: the share of the log of the classes' frequencies that is added to the
logits ({manifest.training.prior_correction:.1f}), and the temperature that divides them ({manifest.temperature:.3f}).

{
        _table(
            ("", "before", "after"),
            (
                (
                    readable(name),
                    _with_interval(metrics.get(f"{name}_before_temperature")),
                    _with_interval(metrics.get(name)),
                )
                for name in ("ece", "nll")
            ),
        )
    }

### By group

Balanced accuracy is the mean over the classes that occur in a group. Groups too small to say anything are left out.

{
        _table(
            ("group", "pictures (lesions)", "balanced accuracy", "any malignant: sensitivity", "specificity"),
            (
                _group_row(
                    f"{SLICE_NAMES.get(by, by)}: {which.replace('_', ' ')}",
                    group,
                    ("balanced_accuracy", "any_malignant_sensitivity", "any_malignant_specificity"),
                )
                for by, groups in manifest.slices.items()
                for which, group in groups.items()
            ),
        )
    }

### Pictures unlike the training pictures

A picture counts as unfamiliar when its score is over {manifest.unfamiliar.threshold:.4f}, which is so for
{100 * manifest.unfamiliar.false_alarm_rate:g}% of the validation pictures. Of held-out lesions
{_with_interval(metrics.get("unfamiliar_rate"))} are flagged. Against pictures painted by code that show no lesion the
score has an AUROC of {_with_interval(metrics.get("unfamiliar_auroc"))} and flags
{_with_interval(metrics.get("unfamiliar_detection_rate"))} of them. Photographs of other things may be harder to tell.

## What it learned from

{data.name}: {data.images} pictures of {data.lesions} lesions, dealt by lesion (seed {data.split_seed}, SHA-256 of the
split {data.split_sha256[:16]}) into training, validation and held-out lesions.

{
        _table(
            ("code", "class", "malignant", "pictures"),
            (
                (code, BY_CODE[code].name, "yes" if BY_CODE[code].malignant else "no", str(data.per_class.get(code, 0)))
                for code in manifest.labels
            ),
        )
    }

## Limits

{LIMITS}

## How it was trained

{chr(10).join(f"- {name}: {value}" for name, value in training.config.items())}

Trained in {_time(training)} on {training.device} with {training.backend}; job {training.job}, commit
{training.git_commit or "unknown"}. {manifest.shipped.reason}

## Licence

{manifest.licence}.

{attribution_of(manifest.data.name)}
"""


def _time(training: TrainingRecord) -> str:
    """Say how long it took; of earlier sessions, only the epochs are known."""
    if not training.times_resumed:
        return f"{training.seconds:.0f} s"
    epochs = "" if training.epochs_s is None else f" and all {training.epochs} epochs {training.epochs_s:.0f} s,"
    return f"{1 + training.times_resumed} sessions, of which the last took {training.seconds:.0f} s{epochs}"


def _metric_rows(metrics: dict[str, Metric]) -> Iterable[tuple[str, ...]]:
    for name, metric in metrics.items():
        yield name, f"{metric.value:.3f}", f"{metric.low:.3f} to {metric.high:.3f}", EXPLAINED.get(name, "")


def _group_row(name: str, group: Group, wanted: Iterable[str]) -> tuple[str, ...]:
    cells = (_with_interval(group.metrics.get(metric)) for metric in wanted)
    return name, f"{group.pictures} ({group.lesions})", *cells


def _with_interval(metric: Metric | None) -> str:
    return "-" if metric is None else f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f})"


def _table(names: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [names, ("---",) * len(names), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
