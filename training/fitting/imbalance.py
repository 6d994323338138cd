"""Two thirds of the pictures show a nevus: the ways to make a network care about the rest, of which a run takes one."""

from typing import Any

import keras
import numpy as np
from keras import ops

from contract.labels import CODES
from training.config import TrainingConfig


def build_loss(config: TrainingConfig, class_index: np.ndarray) -> keras.losses.Loss:
    """Build the loss of a run, of one-hot classes and logits.

    Args:
        config: says which, and how strongly.
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
    """Cross-entropy of logits to which the log of each class's frequency was added.

    What the classes' frequencies explain is so explained, and the logits themselves learn the rest: their largest is
    the answer that is right for most classes, not for most pictures (Menon et al. 2021, arXiv:2007.07314, equation 10).
    The addition is in the loss alone: the model that serves gives the logits as they are.
    """

    def __init__(self, adjustment: np.ndarray, label_smoothing: float, name: str = "logit_adjusted") -> None:
        """Add `adjustment`, of shape (7,), to the logits."""
        super().__init__(name=name)
        self._adjustment, self._label_smoothing = adjustment.astype(np.float32), label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Give the loss of each picture."""
        return keras.losses.categorical_crossentropy(
            y_true, y_pred + ops.array(self._adjustment), from_logits=True, label_smoothing=self._label_smoothing
        )


def loss_weights(config: TrainingConfig, class_index: np.ndarray) -> np.ndarray:
    """Tell how much a picture of each class counts in the loss: shape (7,), one where another way is taken."""
    weighs = config.class_balance in ("weights", "focal")
    return class_weights(class_index, config.balance_power if weighs else 0.0)


def class_weights(class_index: np.ndarray, power: float) -> np.ndarray:
    """Weigh each class's loss by its inverse frequency to `power`, so that the mean over the pictures is one.

    Returns:
        shape (7,); a class without pictures has weight 0.
    """
    counts = np.bincount(class_index, minlength=len(CODES)).astype(float)
    weights = np.where(counts > 0, np.maximum(counts, 1) ** -power, 0.0)
    return np.asarray(weights * counts.sum() / (weights * counts).sum())


def log_frequencies(class_index: np.ndarray) -> np.ndarray:
    """Give the log of each class's share of the pictures: shape (7,); a class without any counts as having one."""
    counts = np.maximum(np.bincount(class_index, minlength=len(CODES)), 1)
    return np.asarray(np.log(counts / counts.sum()))


def draw_pictures(class_index: np.ndarray, power: float, random: np.random.Generator) -> np.ndarray:
    """Draw as many pictures as there are, in random order, each class by its share to the power of 1 - `power`.

    At 0 that is every picture once, at 1 as many of each class (class-balanced sampling: Kang et al. 2020,
    arXiv:1910.09217). Of a class, no picture comes again before all have come as often.

    Returns:
        positions in `class_index`, of the same length.
    """
    counts = np.bincount(class_index, minlength=len(CODES))
    shares = np.where(counts > 0, np.maximum(counts, 1) ** (1.0 - power), 0.0)
    exact = shares / shares.sum() * len(class_index)
    wanted = exact.astype(int)
    short = len(class_index) - wanted.sum()
    wanted[np.argsort(wanted - exact, kind="stable")[:short]] += 1  # those that rounding down took most from
    drawn = []
    for index in np.flatnonzero(counts):
        pictures = np.flatnonzero(class_index == index)
        times, rest = divmod(int(wanted[index]), len(pictures))
        drawn += [np.tile(pictures, times), random.choice(pictures, rest, replace=False)]
    return random.permutation(np.concatenate(drawn))
