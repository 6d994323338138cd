"""Turn scores into decisions, on validation lesions alone: the temperature, the thresholds, and what is unfamiliar."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from contract.api import OperatingPoint
from contract.bundle import ANY_MALIGNANT
from contract.errors import TrainingError
from contract.labels import CODES, MALIGNANT_CODES
from contract.reference import Reference, scale_to_unit
from training.evaluation.bootstrap import resample_lesions
from training.evaluation.weighted_metrics import balanced_accuracies, confusion_matrices, macro_f1

if TYPE_CHECKING:
    from training.artifact.answers import Answers  # which needs Keras, and comparing models does not

MELANOMA: Final = "melanoma"
OPERATING_POINTS: Final = {ANY_MALIGNANT: MALIGNANT_CODES, MELANOMA: ("mel",)}  # name -> the classes added up
# Name -> the groups of which enough must be found; of melanomas, the worst to miss, by themselves too.
MUST_FIND: Final = {ANY_MALIGNANT: (MALIGNANT_CODES, ("mel",)), MELANOMA: (("mel",),)}
WANTED_SENSITIVITY: Final = 0.90  # on new lesions, so on validation lesions one standard error more

PRIOR_CORRECTIONS: Final = tuple(tenth / 10 for tenth in range(11))  # shares that are tried
BOOTSTRAP_DRAWS: Final = 500  # for the standard error of what they are worth

COLDEST, HOTTEST = 0.05, 20.0  # bounds of the temperature

NEIGHBOURS: Final = 5  # k
REFERENCE_PICTURES: Final = 4096  # at most
REFERENCE_RANK: Final = 64  # docs/decisions/unfamiliar.md shows what other numbers do; 0.8 MB as float16
FALSE_ALARM_RATE: Final = 0.01  # share of validation pictures that may count as unfamiliar


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Everything that was chosen on validation lesions."""

    temperature: float
    operating_points: dict[str, OperatingPoint]
    neighbours: int
    unfamiliar_threshold: float
    false_alarm_rate: float  # at which that threshold was chosen


def calibrate(temperature: float, answers: "Answers", class_index: np.ndarray, reference: Reference) -> Calibration:
    """Choose the thresholds from what the model that ships says of the validation pictures.

    Args:
        temperature: already in that model.
        answers: of it, on the validation pictures.
        class_index: what those show.
        reference: what the training pictures look like to that model.

    Raises:
        TrainingError: the validation pictures lack what has to be told apart.
    """
    scores = reference.unfamiliarity(answers.embeddings, NEIGHBOURS)
    return Calibration(
        temperature=temperature,
        operating_points=choose_operating_points(answers.probabilities, class_index),
        neighbours=NEIGHBOURS,
        unfamiliar_threshold=choose_unfamiliar_threshold(scores),
        false_alarm_rate=FALSE_ALARM_RATE,
    )


@dataclass(frozen=True, eq=False)
class Correction:
    """What is done to a model's logits before they are its probabilities."""

    prior_correction: float  # share of the log of the classes' frequencies that is added
    shift: np.ndarray  # that share of them, shape (7,)
    temperature: float  # which the sum is divided by

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Make them of logits as the network gives them, shape (N, 7)."""
        return softmax((logits + self.shift) / self.temperature)


def correct(
    logits: np.ndarray, class_index: np.ndarray, lesion_id: np.ndarray, log_frequencies: np.ndarray
) -> Correction:
    """Choose the prior correction and then the temperature; arguments as of `choose_prior_correction`."""
    share = choose_prior_correction(logits, class_index, lesion_id, log_frequencies)
    shift = share * log_frequencies
    return Correction(share, shift, fit_temperature(logits + shift, class_index))


def choose_prior_correction(
    logits: np.ndarray, class_index: np.ndarray, lesion_id: np.ndarray, log_frequencies: np.ndarray
) -> float:
    """Choose how much of the classes' frequencies to put back into logits that were taught to care for rare classes.

    Weighting or sampling lets the network see rare classes more often than they occur, so it names them more readily
    than it should. Adding a share of the log of each class's frequency undoes that share of it (Menon et al. 2021,
    arXiv:2007.07314, section 4). A greater share is right about more pictures and a smaller one about more classes,
    which the mean of balanced accuracy and macro F1 weighs. It hangs on the few pictures of the rarest classes: so of
    all shares that are not worse than the best by more than one standard error of the difference, the smallest is
    chosen (Breiman et al., Classification and Regression Trees, 1984, section 3.4.3).

    Args:
        logits: of validation pictures, shape (N, 7).
        class_index: what they show.
        lesion_id: of each picture; the standard error is that of drawing other lesions.
        log_frequencies: of the classes among the training pictures, shape (7,).

    Returns:
        one of PRIOR_CORRECTIONS.
    """
    weights = np.concatenate([np.ones((1, len(logits))), resample_lesions(lesion_id, BOOTSTRAP_DRAWS, seed=0)])

    def worth(share: float) -> np.ndarray:
        confusion = confusion_matrices((logits + share * log_frequencies).argmax(axis=1), class_index, weights)
        return np.asarray(balanced_accuracies(confusion) + macro_f1(confusion)) / 2

    worths = [worth(share) for share in PRIOR_CORRECTIONS]
    best = max(worths, key=lambda of_share: float(of_share[0]))
    behind = [best - of_share for of_share in worths]
    return next(share for share, of in zip(PRIOR_CORRECTIONS, behind, strict=True) if of[0] <= np.std(of[1:], ddof=1))


def fit_temperature(logits: np.ndarray, class_index: np.ndarray) -> float:
    """Find the temperature that makes probabilities as honest as one number can (Guo et al. 2017, arXiv:1706.04599).

    It minimizes the negative log-likelihood of softmax(logits / temperature), which is convex in 1 / temperature, so
    the sign of the slope there is followed home by bisection.

    Args:
        logits: of validation pictures, shape (N, 7).
        class_index: what they show.

    Returns:
        the temperature, within COLDEST..HOTTEST: above 1 for a model that is too sure of itself.
    """
    logits = logits.astype(np.float64)
    of_truth = logits[np.arange(len(logits)), class_index]
    low, high = 1 / HOTTEST, 1 / COLDEST
    for _ in range(60):
        middle = (low * high) ** 0.5
        slope = float(np.mean((softmax(logits * middle) * logits).sum(axis=1) - of_truth))
        low, high = (low, middle) if slope > 0 else (middle, high)
    return float(1 / np.sqrt(low * high))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn logits into probabilities, along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def without_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Undo the temperature that is in a model's probabilities: what it would say if it had not been calibrated.

    The logarithm of softmax(logits / temperature), times the temperature, is the logits up to a number that is the same
    for all classes.
    """
    return softmax(np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny)) * temperature)


def score(probabilities: np.ndarray, codes: Sequence[str]) -> np.ndarray:
    """Add up the probabilities of some classes: shape (N,)."""
    return np.asarray(probabilities[:, [CODES.index(code) for code in codes]].sum(axis=1))


def shows(class_index: np.ndarray, codes: Sequence[str]) -> np.ndarray:
    """Tell which pictures show one of some classes: bool, shape (N,)."""
    return np.isin(class_index, [CODES.index(code) for code in codes])


def decide(probabilities: np.ndarray, points: Mapping[str, OperatingPoint]) -> dict[str, np.ndarray]:
    """Tell for each operating point which pictures are over its threshold: bool, shape (N,)."""
    return {name: score(probabilities, point.classes) >= point.threshold for name, point in points.items()}


def choose_operating_points(probabilities: np.ndarray, class_index: np.ndarray) -> dict[str, OperatingPoint]:
    """Choose for each decision the threshold with the best specificity among those that find enough of MUST_FIND.

    Enough is WANTED_SENSITIVITY and one standard error of it: a threshold that finds just as many validation pictures
    as it must finds fewer of the next ones half of the time. Of a handful, all are enough.

    Raises:
        TrainingError: the validation pictures lack what has to be told apart.
    """
    return {
        name: _choose(name, codes, score(probabilities, codes), class_index) for name, codes in OPERATING_POINTS.items()
    }


def _choose(name: str, codes: Sequence[str], scores: np.ndarray, class_index: np.ndarray) -> OperatingPoint:
    positive = shows(class_index, codes)
    if positive.all() or not positive.any():
        raise TrainingError(
            f"The operating point {name} cannot be chosen: the validation lesions must hold pictures with and without "
            f"{', '.join(codes)}. Train on more pictures."
        )
    # The highest threshold is the most specific, so what must be found stays just above it; halfway to the next score,
    # no rounding of a probability can move a picture across.
    groups = [shows(class_index, group) for group in MUST_FIND[name]]
    lowest_kept = min(_lowest_kept(scores[group]) for group in groups if group.any())
    below = scores[scores < lowest_kept]
    threshold = float(lowest_kept + (below.max() if len(below) else 0.0)) / 2
    return OperatingPoint(
        threshold=min(threshold, 1.0),
        sensitivity=float(np.mean(scores[positive] >= threshold)),
        specificity=float(np.mean(scores[~positive] < threshold)),
        classes=list(codes),
    )


def _lowest_kept(scores: np.ndarray) -> float:
    """Find the score that as many as must be found have or exceed."""
    standard_error = (WANTED_SENSITIVITY * (1 - WANTED_SENSITIVITY) / len(scores)) ** 0.5
    kept = int(np.ceil(min(WANTED_SENSITIVITY + standard_error, 1.0) * len(scores)))
    return float(np.sort(scores)[::-1][kept - 1])


def sample_reference(class_index: np.ndarray, seed: int, pictures: int = REFERENCE_PICTURES) -> np.ndarray:
    """Pick training pictures to compare new ones with, as evenly over the classes as there are pictures.

    Returns:
        positions in `class_index`, ascending; all of them if there are no more than `pictures`.
    """
    random = np.random.default_rng(seed)
    # A picture's place in its own class's shuffled queue; whoever stands further ahead in any queue goes first.
    place = np.empty(len(class_index), int)
    for index in range(len(CODES)):
        of_class = np.flatnonzero(class_index == index)
        place[of_class] = random.permutation(len(of_class))
    return np.sort(np.lexsort((class_index, place))[:pictures])


def remember(embeddings: np.ndarray, rank: int = REFERENCE_RANK) -> Reference:
    """Keep training embeddings for comparison: scaled to length 1, then their `rank` largest singular values alone.

    Args:
        embeddings: of any length, shape (M, 2048).
        rank: at most; fewer if there are fewer embeddings.
    """
    from sklearn.utils.extmath import randomized_svd

    units = scale_to_unit(embeddings)
    left, singular_values, axes = randomized_svd(units, min(rank, *units.shape), random_state=0)
    return Reference((left * singular_values).astype(np.float32), axes.astype(np.float32))


def choose_unfamiliar_threshold(scores: np.ndarray) -> float:
    """Choose the threshold that a share of FALSE_ALARM_RATE of the validation pictures is over."""
    return float(np.quantile(scores, 1 - FALSE_ALARM_RATE))
