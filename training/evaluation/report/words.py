"""Names and explanations of the metrics, for the report, the model card and docs/model.md."""

from typing import Final

EXPLANATIONS: Final = {
    "balanced_accuracy": "mean recall over the classes; predicting always the same class reaches 1 / number of classes",
    "any_malignant_sensitivity": 'share of malignant pictures over the threshold for "see a doctor"',
    "any_malignant_specificity": "share of benign pictures under that threshold",
    "any_malignant_ppv": "share of malignant pictures among those over the threshold, at the class frequencies here",
    "any_malignant_npv": "share of benign pictures among those under the threshold, at the class frequencies here",
    "any_malignant_melanoma_sensitivity": 'share of melanomas over the threshold for "see a doctor"',
    "any_malignant_auroc": "probability that a malignant picture scores higher than a benign one",
    "melanoma_sensitivity": "share of melanomas over the threshold for melanoma",
    "melanoma_specificity": "share of other pictures under that threshold",
    "melanoma_ppv": "share of melanomas among the pictures over the threshold, at the class frequencies here",
    "melanoma_npv": "share of other pictures among those under the threshold, at the class frequencies here",
    "melanoma_auroc": "probability that a melanoma scores higher than another picture",
    "macro_f1": "mean F1 over the classes",
    "weighted_f1": "mean F1 over the classes, weighted by their pictures",
    "macro_auroc": "mean area under the ROC curve over the classes, each against the rest",
    "macro_average_precision": "mean average precision over the classes, each against the rest",
    "ece": "expected calibration error: mean gap between confidence and accuracy; smaller is better",
    "ece_before_temperature": "the same before the temperature",
    "nll": "mean negative log-likelihood of the true class; smaller is better",
    "nll_before_temperature": "the same before the temperature",
    "brier": "mean squared error of the seven probabilities, 0 to 2; smaller is better",
    "unfamiliar_rate": "share of pictures of lesions wrongly called unfamiliar; smaller is better",
    "unfamiliar_auroc": "probability that a picture without a lesion scores higher for unfamiliarity than a lesion",
    "unfamiliar_detection_rate": "share of pictures without a lesion that are called unfamiliar",
    "always_nevus_accuracy": "accuracy of predicting nevus for every picture, for comparison",
    "accuracy": "share of correct predictions; it says little, because most pictures are of one class",
}

SLICE_NAMES: Final = {"age": "Age", "sex": "Sex", "site": "Site", "confirmed_by": "Confirmed by"}

ATTRIBUTION: Final = (
    "Tschandl P., Rosendahl C., Kittler H. The HAM10000 dataset, a large collection of multi-source dermatoscopic "
    "images of common pigmented skin lesions. Scientific Data 5, 180161 (2018), doi:10.1038/sdata.2018.161. "
    "ViDIR Group, Medical University of Vienna."
)

_ABBREVIATIONS: Final = {"auroc": "AUROC", "f1": "F1", "ppv": "PPV", "npv": "NPV", "ece": "ECE", "nll": "NLL"}


def attribution_of(data_name: str) -> str:
    """Return the attribution that the licence of HAM10000 requires; an empty string for other data sets."""
    return ATTRIBUTION if data_name == "HAM10000" else ""


def readable(name: str) -> str:
    """Turn a metric's name into a heading."""
    words = " ".join(_ABBREVIATIONS.get(word, word) for word in name.split("_"))
    return words[:1].upper() + words[1:]
