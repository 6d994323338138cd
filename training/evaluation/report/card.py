"""The model card: the facts that a person must know before using a model. Its only source is the manifest."""

from collections.abc import Iterable, Mapping
from typing import Final

from contract.api import Metric
from contract.bundle import DataRecord, Group, Manifest, Robustness, TrainingRecord
from contract.labels import BY_CODE
from training.evaluation.report.words import EXPLANATIONS, SLICE_NAMES, attribution_of, readable
from training.evaluation.robustness.names import words_for

MODEL_CARD: Final = "model-card.md"

LIMITS: Final = """\
- The model was tested only on pictures of this data set: two clinics, mostly light skin, dermatoscopes of their time.
  Its results on other skin tones, other cameras and clinical photographs are unknown.
- The data set does not record the skin type, so no number here shows the results on darker skin.
- The model knows seven classes. For any other condition it predicts one of these.
- Only part of the labels was confirmed by histology.
- The class frequencies differ from those in a medical practice. So the probabilities are not those of a patient's
  lesion, and PPV and NPV will be different there.
- The model sees the centre square of one picture: no medical history, no palpation, no other lesions of the person."""


def model_card(manifest: Manifest) -> str:
    """Describe a model to people in Markdown (after Mitchell et al. 2019, arXiv:1810.03993)."""
    leading = manifest.metrics.get("balanced_accuracy")
    headline = f" Balanced accuracy on held-out lesions: {_with_interval(leading)}." if leading else ""
    return f"""# Model {manifest.version}

ResNet50 (He et al. 2015, arXiv:1512.03385) that classifies dermatoscopic pictures of pigmented skin lesions into seven
classes.{headline}

## Intended use

{manifest.intended_use}

{_results(manifest)}

{_training_data(manifest.data, manifest.labels)}

## Limits

{LIMITS}

{_training(manifest)}

## Licence

{manifest.licence}.

{attribution_of(manifest.data.name)}
"""


def _results(manifest: Manifest) -> str:
    """Write the section about the results: over all pictures, then by class, decision and group."""
    return f"""## Results

Measured once, with the file that serves, on held-out lesions: none was used for training or for any choice. The 95%
intervals are from a bootstrap over lesions.

{_table(("metric", "value", "95% interval", "meaning"), _metric_rows(manifest.metrics))}

### By class

{_class_table(manifest.per_class)}

### Decisions

Each decision adds up the probabilities of its classes. The thresholds were chosen on validation lesions.

{_decision_table(manifest)}

{_calibration(manifest)}

### By group

Balanced accuracy is the mean over the classes that occur in a group. Groups with too few pictures are left out.

{_slice_table(manifest.slices)}

{_unfamiliar(manifest)}

{_robustness(manifest.robustness)}"""


def _class_table(per_class: Mapping[str, Group]) -> str:
    names = ("recall", "precision", "f1", "auroc", "average_precision")
    return _table(
        ("class", "pictures (lesions)", "recall", "precision", "F1", "AUROC", "average precision"),
        (_group_row(f"{code}, {BY_CODE[code].name}", group, names) for code, group in per_class.items()),
    )


def _decision_table(manifest: Manifest) -> str:
    measured = ("sensitivity", "specificity")
    return _table(
        (
            "decision",
            "classes",
            "threshold",
            *(f"{name}, validation" for name in measured),
            *(f"{name}, held out" for name in measured),
        ),
        (
            (
                decision,
                ", ".join(point.classes),
                *(f"{value:.3f}" for value in (point.threshold, point.sensitivity, point.specificity)),
                *(_with_interval(manifest.metrics.get(f"{decision}_{name}")) for name in measured),
            )
            for decision, point in manifest.operating_points.items()
        ),
    )


def _calibration(manifest: Manifest) -> str:
    metrics = manifest.metrics
    rows = (
        (readable(name), _with_interval(metrics.get(f"{name}_before_temperature")), _with_interval(metrics.get(name)))
        for name in ("ece", "nll")
    )
    return f"""### Calibration

Two numbers in the model were chosen on validation lesions: {manifest.training.prior_correction:.1f} times the log class
frequencies is added to the logits, and the temperature {manifest.temperature:.3f} then divides them.

{_table(("", "before the temperature", "after"), rows)}"""


def _slice_table(slices: Mapping[str, Mapping[str, Group]]) -> str:
    names = ("balanced_accuracy", "any_malignant_sensitivity", "any_malignant_specificity")
    return _table(
        ("group", "pictures (lesions)", "balanced accuracy", "any malignant: sensitivity", "specificity"),
        (
            _group_row(f"{SLICE_NAMES.get(by, by)}: {name.replace('_', ' ')}", group, names)
            for by, groups in slices.items()
            for name, group in groups.items()
        ),
    )


def _unfamiliar(manifest: Manifest) -> str:
    metrics, unfamiliar = manifest.metrics, manifest.unfamiliar
    rows = (
        ("held-out lesions", _with_interval(metrics.get("unfamiliar_rate")), "-"),
        (
            "painted by code, without a lesion",
            _with_interval(metrics.get("unfamiliar_detection_rate")),
            _with_interval(metrics.get("unfamiliar_auroc")),
        ),
    )
    return f"""### Pictures unlike the training pictures

A picture is unfamiliar if its score is over {unfamiliar.threshold:.4f}. The threshold was chosen so that
{100 * unfamiliar.false_alarm_rate:g}% of the validation pictures are over it.

{_table(("pictures", "share called unfamiliar", "AUROC"), rows)}

Photographs of other things may be harder to detect than painted pictures."""


def _robustness(robustness: Robustness | None) -> str:
    if robustness is None:
        return """### Changed pictures

Not measured for this model."""
    return f"""### Changed pictures

{robustness.pictures} malignant pictures of {robustness.lesions} lesions that get the outcome see_a_doctor, changed and
answered again. An answer is noticed if it is unfamiliar or inconclusive. The last column is about
{robustness.all_pictures} pictures of all classes.

{robustness_table(robustness)}"""


def robustness_table(robustness: Robustness) -> str:
    """Write the table of changes in Markdown."""
    return _table(
        (
            "change",
            "low_risk",
            "noticed",
            "see_a_doctor",
            "mean change of the malignant probability",
            "95th percentile",
            "other leading class",
        ),
        (
            (
                words_for(name),
                _percent(effect.low_risk),
                f"{effect.noticed.value:.1%}",
                f"{effect.unchanged.value:.1%}",
                f"{effect.probability_change.value:.3f}",
                f"{effect.probability_change_p95.value:.3f}",
                "-" if effect.class_changes is None else _percent(effect.class_changes),
            )
            for name, effect in robustness.changes.items()
        ),
    )


def _percent(share: Metric) -> str:
    return f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%})"


def _training_data(data: DataRecord, labels: Iterable[str]) -> str:
    rows = (
        (code, BY_CODE[code].name, "yes" if BY_CODE[code].malignant else "no", str(data.per_class.get(code, 0)))
        for code in labels
    )
    return f"""## Training data

{data.name}: {data.images} pictures of {data.lesions} lesions, split by lesion into training, validation and held-out
lesions (seed {data.split_seed}, SHA-256 of the split {data.split_sha256[:16]}).

{_table(("code", "class", "malignant", "pictures"), rows)}"""


def _training(manifest: Manifest) -> str:
    training = manifest.training
    settings = "\n".join(f"- {name}: {value}" for name, value in training.config.items())
    return f"""## Training

{settings}

Trained in {_time(training)} on {training.device} with {training.backend}; job {training.job}, commit
{training.git_commit or "unknown"}. {manifest.shipped.reason}"""


def _time(training: TrainingRecord) -> str:
    """Describe the duration of training. Of earlier sessions of a resumed run, only the epochs are known."""
    if not training.times_resumed:
        return f"{training.seconds:.0f} s"
    epochs = "" if training.epochs_s is None else f" and all {training.epochs} epochs {training.epochs_s:.0f} s,"
    return f"{1 + training.times_resumed} sessions, of which the last took {training.seconds:.0f} s{epochs}"


def _metric_rows(metrics: dict[str, Metric]) -> Iterable[tuple[str, ...]]:
    for name, metric in metrics.items():
        yield name, f"{metric.value:.3f}", f"{metric.low:.3f} to {metric.high:.3f}", EXPLANATIONS.get(name, "")


def _group_row(name: str, group: Group, wanted: Iterable[str]) -> tuple[str, ...]:
    cells = (_with_interval(group.metrics.get(metric)) for metric in wanted)
    return name, f"{group.pictures} ({group.lesions})", *cells


def _with_interval(metric: Metric | None) -> str:
    return "-" if metric is None else f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f})"


def _table(names: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [names, ("---",) * len(names), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
