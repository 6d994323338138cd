"""Methods against class imbalance: two thirds of the pictures show a nevus. A run uses one method."""

from typing import Any

import keras
import numpy as np
from keras import ops

from contract.labels import CODES
from training.config import TrainingConfig


def build_loss(config: TrainingConfig, class_index: np.ndarray) -> keras.losses.Loss:
    """Build the loss of a run. It takes one-hot classes and logits.

    Args:
        config: with the loss and its strength.
        class_index: of each training picture, for the frequencies.
    """
    if config.class_balance == "focal":
        # Lin et al. 2017, arXiv:1708.02002; its alpha, which balances the classes, is in `class_weights`.
        return keras.losses.CategoricalFocalCrossentropy(
            alpha=1.0, gamma=config.focal_gamma, from_logits=True, label_smoothing=config.label_smoothing
        )
    if config.class_balance == "logit_adjusted":
        return LogitAdjusted(log_frequencies(class_index) * config.logit_adjustment, config.label_smoothing)
    return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=config.label_smoothing)


class LogitAdjusted(keras.losses.Loss):  # type: ignore[misc]
    """Cross-entropy of the logits plus the log of each class's frequency.

    The added term accounts for the frequencies, so the logits need not learn them: the class with the largest logit
    maximizes balanced accuracy instead of accuracy (Menon et al. 2021, arXiv:2007.07314, equation 10). The term is in
    the loss only. The served model gives the logits without it.
    """

    def __init__(self, adjustment: np.ndarray, label_smoothing: float, name: str = "logit_adjusted") -> None:
        """Add `adjustment`, of shape (7,), to the logits."""
        super().__init__(name=name)
        self._adjustment, self._label_smoothing = adjustment.astype(np.float32), label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each picture."""
        return keras.losses.categorical_crossentropy(
            y_true, y_pred + ops.array(self._adjustment), from_logits=True, label_smoothing=self._label_smoothing
        )


def loss_weights(config: TrainingConfig, class_index: np.ndarray) -> np.ndarray:
    """Compute the loss weight of each class: shape (7,), all one if the run balances the classes in another way."""
    uses_weights = config.class_balance in ("weights", "focal")
    return class_weights(class_index, config.balance_power if uses_weights else 0.0)


def class_weights(class_index: np.ndarray, power: float) -> np.ndarray:
    """Weight each class by its inverse frequency to the power of `power`, with a mean of one over the pictures.

    Returns:
        shape (7,); a class without pictures has weight 0.
    """
    counts = np.bincount(class_index, minlength=len(CODES)).astype(float)
    weights = np.where(counts > 0, np.maximum(counts, 1) ** -power, 0.0)
    return np.asarray(weights * counts.sum() / (weights * counts).sum())


def log_frequencies(class_index: np.ndarray) -> np.ndarray:
    """Compute the log of each class's frequency: shape (7,). A class without pictures counts as one picture."""
    counts = np.maximum(np.bincount(class_index, minlength=len(CODES)), 1)
    return np.asarray(np.log(counts / counts.sum()))


def draw_pictures(class_index: np.ndarray, power: float, random: np.random.Generator) -> np.ndarray:
    """Draw as many pictures as there are, in random order, with each class in proportion to its share ** (1 - power).

    At power 0 every picture is drawn once. At power 1 all classes are drawn equally often (class-balanced sampling:
    Kang et al. 2020, arXiv:1910.09217). The pictures of one class differ by at most one in how often they are drawn.

    Returns:
        positions in `class_index`, of the same length.
    """
    counts = np.bincount(class_index, minlength=len(CODES))
    shares = np.where(counts > 0, np.maximum(counts, 1) ** (1.0 - power), 0.0)
    exact = shares / shares.sum() * len(class_index)
    wanted = exact.astype(int)
    short = len(class_index) - wanted.sum()
    wanted[np.argsort(wanted - exact, kind="stable")[:short]] += 1  # the classes that lost most by rounding down
    drawn = []
    for index in np.flatnonzero(counts):
        pictures = np.flatnonzero(class_index == index)
        times, rest = divmod(int(wanted[index]), len(pictures))
        drawn += [np.tile(pictures, times), random.choice(pictures, rest, replace=False)]
    return random.permutation(np.concatenate(drawn))
