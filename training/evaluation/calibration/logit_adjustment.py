"""From logits to calibrated probabilities: the prior correction, then the temperature."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import softmax

from training.evaluation.bootstrap import resample_lesions
from training.evaluation.weighted_metrics import balanced_accuracies, confusion_matrices, macro_f1

PRIOR_CORRECTIONS: Final = tuple(tenth / 10 for tenth in range(11))  # shares to try
BOOTSTRAP_RESAMPLES: Final = 500  # for the standard error of a difference between two shares

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 20.0


@dataclass(frozen=True, eq=False)
class LogitAdjustment:
    """The adjustment that turns the logits of the network into calibrated probabilities."""

    prior_correction: float  # share of the log class frequencies that is added to the logits
    shift: np.ndarray  # that share of them, shape (7,)
    temperature: float  # divides the sum

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Turn the network's logits, shape (N, 7), into calibrated probabilities."""
        return np.asarray(softmax((logits + self.shift) / self.temperature, axis=1))


def fit_logit_adjustment(
    logits: np.ndarray, class_index: np.ndarray, lesion_id: np.ndarray, log_frequencies: np.ndarray
) -> LogitAdjustment:
    """Choose the prior correction, then the temperature; the arguments are those of `choose_prior_correction`."""
    share = choose_prior_correction(logits, class_index, lesion_id, log_frequencies)
    shift = share * log_frequencies
    return LogitAdjustment(share, shift, fit_temperature(logits + shift, class_index))


def choose_prior_correction(
    logits: np.ndarray, class_index: np.ndarray, lesion_id: np.ndarray, log_frequencies: np.ndarray
) -> float:
    """Choose which share of the log class frequencies to add to the logits of a network trained with class balancing.

    With weighted or balanced sampling the network sees rare classes more often than they occur, so it predicts them too
    often. Adding a share of the log of each class's frequency undoes that share of the effect (post-hoc logit
    adjustment, Menon et al. 2021, arXiv:2007.07314, section 4). A larger share raises the accuracy over pictures; a
    smaller one raises the mean accuracy over classes. The mean of balanced accuracy and macro F1 weighs both.

    That mean depends on the few pictures of the rarest classes. So the smallest share wins whose mean is at most one
    standard error of the difference below the best (one-standard-error rule: Breiman et al., Classification and
    Regression Trees, 1984, section 3.4.3).

    Args:
        logits: of validation pictures, shape (N, 7).
        class_index: of these pictures.
        lesion_id: of each picture; the bootstrap for the standard error resamples lesions.
        log_frequencies: of the classes among the training pictures, shape (7,).

    Returns:
        one of PRIOR_CORRECTIONS.
    """
    weights = np.concatenate([np.ones((1, len(logits))), resample_lesions(lesion_id, BOOTSTRAP_RESAMPLES, seed=0)])

    def quality(share: float) -> np.ndarray:
        confusion = confusion_matrices((logits + share * log_frequencies).argmax(axis=1), class_index, weights)
        return np.asarray(balanced_accuracies(confusion) + macro_f1(confusion)) / 2

    qualities = [quality(share) for share in PRIOR_CORRECTIONS]  # index 0: all pictures once; then the resamples
    best = max(qualities, key=lambda values: float(values[0]))
    losses = [best - values for values in qualities]
    return next(
        share for share, loss in zip(PRIOR_CORRECTIONS, losses, strict=True) if loss[0] <= np.std(loss[1:], ddof=1)
    )


def fit_temperature(logits: np.ndarray, class_index: np.ndarray) -> float:
    """Fit the temperature of temperature scaling (Guo et al. 2017, arXiv:1706.04599).

    It minimizes the negative log-likelihood of softmax(logits / temperature). That is convex in 1 / temperature, so
    the minimum is where its slope is zero, or else a bound.

    Args:
        logits: of validation pictures, shape (N, 7).
        class_index: of these pictures.

    Returns:
        the temperature, LOWEST_TEMPERATURE to HIGHEST_TEMPERATURE: above 1 for an overconfident model.
    """
    from scipy.optimize import brentq  # as slow to load as pandas, and comparing two models does not fit anything

    logits = logits.astype(np.float64)
    true_logit = logits[np.arange(len(logits)), class_index]

    def slope(log_temperature: float) -> float:
        expected_logit = (softmax(logits / np.exp(log_temperature), axis=1) * logits).sum(axis=1)
        return float(np.mean(expected_logit - true_logit))

    coldest, hottest = np.log(LOWEST_TEMPERATURE), np.log(HIGHEST_TEMPERATURE)
    if slope(coldest) <= 0:  # even this confidence is too low
        return LOWEST_TEMPERATURE
    if slope(hottest) >= 0:  # even this confidence is too high
        return HIGHEST_TEMPERATURE
    return float(np.exp(brentq(slope, coldest, hottest, xtol=1e-14)))


def remove_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Undo the temperature in a model's probabilities, shape (N, 7): get its output without calibration.

    The logarithm of softmax(logits / temperature), times the temperature, equals the logits up to a constant that is
    the same for all classes.
    """
    log_probabilities = np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny))
    return np.asarray(softmax(log_probabilities * temperature, axis=1))
