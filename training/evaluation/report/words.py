"""What each number of an evaluation means, for those who read the report, the model card or the table alone."""

from typing import Final

EXPLAINED: Final = {
    "balanced_accuracy": "mean of the classes' recalls; one class always named reaches one divided by their number",
    "any_malignant_sensitivity": "malignant pictures over the operating point that asks to see a doctor",
    "any_malignant_specificity": "benign pictures under it",
    "any_malignant_ppv": "share of malignant pictures among those over it, at the mix of classes here",
    "any_malignant_npv": "share of benign pictures among those under it, at the mix of classes here",
    "any_malignant_melanoma_sensitivity": "melanomas over the operating point that asks to see a doctor",
    "any_malignant_auroc": "chance that a malignant picture scores higher than a benign one",
    "melanoma_sensitivity": "melanomas over the operating point for melanoma",
    "melanoma_specificity": "other pictures under it",
    "melanoma_ppv": "share of melanomas among the pictures over it, at the mix of classes here",
    "melanoma_npv": "share of other pictures among those under it, at the mix of classes here",
    "melanoma_auroc": "chance that a melanoma scores higher than another picture",
    "macro_f1": "mean of the classes' F1",
    "weighted_f1": "mean of F1 over the pictures, each with its class's",
    "macro_auroc": "mean of the classes' areas under the ROC curve, each against the rest",
    "macro_average_precision": "mean of the classes' average precisions, each against the rest",
    "ece": "mean gap between confidence and accuracy; smaller is better",
    "ece_before_temperature": "the same before the temperature",
    "nll": "mean negative log-likelihood of the true class; smaller is better",
    "nll_before_temperature": "the same before the temperature",
    "brier": "mean squared error of the seven probabilities, 0 to 2; smaller is better",
    "unfamiliar_rate": "pictures wrongly taken to be unlike the training pictures; smaller is better",
    "unfamiliar_auroc": "chance that a picture without a lesion is less familiar than one with a lesion",
    "unfamiliar_detection_rate": "share of pictures without a lesion that are taken to be unlike the training pictures",
    "always_nevus_accuracy": "accuracy of naming nevus whatever is shown: what accuracy is worth here",
    "accuracy": "share of right answers; most pictures are of one class, so it says little",
}

SLICE_NAMES: Final = {"age": "Age", "sex": "Sex", "site": "Site", "confirmed_by": "Confirmed by"}

ATTRIBUTION: Final = (
    "Tschandl P., Rosendahl C., Kittler H. The HAM10000 dataset, a large collection of multi-source dermatoscopic "
    "images of common pigmented skin lesions. Scientific Data 5, 180161 (2018), doi:10.1038/sdata.2018.161. "
    "ViDIR Group, Medical University of Vienna."
)

_ABBREVIATIONS: Final = {"auroc": "AUROC", "f1": "F1", "ppv": "PPV", "npv": "NPV", "ece": "ECE", "nll": "NLL"}


def attribution_of(data_name: str) -> str:
    """Say what the licence of a data set of this name asks to be said; nothing for one that is not HAM10000's."""
    return ATTRIBUTION if data_name == "HAM10000" else ""


def readable(name: str) -> str:
    """Turn a metric's name into words."""
    words = " ".join(_ABBREVIATIONS.get(word, word) for word in name.split("_"))
    return words[:1].upper() + words[1:]
