"""Logits of a perfectly calibrated model."""

import numpy as np
from scipy.special import softmax


def calibrated_logits(pictures: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw logits, shape (pictures, 7), and for each picture a class with the probabilities of their softmax."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (pictures, 7))
    class_index = np.array([random.choice(7, p=probabilities) for probabilities in softmax(logits, axis=1)])
    return logits, class_index
