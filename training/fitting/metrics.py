"""Keras metrics in which every class has the same weight, whatever its number of pictures."""

from typing import Any

import keras
from keras import ops

from contract.labels import CODES


class _BalancedMean(keras.metrics.Metric):  # type: ignore[misc]
    """The mean of the class means: each class that occurs has the mean over its pictures."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.total = self.add_weight(shape=(len(CODES),), initializer="zeros", name="total")
        self.pictures = self.add_weight(shape=(len(CODES),), initializer="zeros", name="pictures")

    def value_of_each(self, class_index: Any, logits: Any) -> Any:
        """Return the value of each picture that is averaged: float32, shape (N,)."""
        raise NotImplementedError

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of one-hot classes and logits.

        A mixed picture counts for the class of its larger part. Loss weights are ignored. Padding has no class and is
        not counted.
        """
        del sample_weight
        class_index = ops.argmax(y_true, -1)
        has_class = ops.cast(ops.max(y_true, -1, keepdims=True) > 0, "float32")
        one_hot = ops.one_hot(class_index, len(CODES)) * has_class
        values = ops.expand_dims(self.value_of_each(class_index, y_pred), -1)
        self.total.assign_add(ops.sum(one_hot * values, axis=0))
        self.pictures.assign_add(ops.sum(one_hot, axis=0))

    def result(self) -> Any:
        """Average over the classes seen so far."""
        occurring = ops.cast(ops.greater(self.pictures, 0), "float32")
        return ops.sum(self.total / ops.maximum(self.pictures, 1)) / ops.maximum(ops.sum(occurring), 1)


class BalancedAccuracy(_BalancedMean):
    """The mean recall over the classes that occur."""

    def __init__(self, name: str = "balanced_accuracy") -> None:
        super().__init__(name)

    def value_of_each(self, class_index: Any, logits: Any) -> Any:
        """Return 1 for each picture whose class has the highest logit, else 0."""
        return ops.cast(ops.equal(class_index, ops.argmax(logits, -1)), "float32")


class BalancedLoss(_BalancedMean):
    """The mean cross-entropy over the classes that occur, in nats."""

    def __init__(self, name: str = "balanced_loss") -> None:
        super().__init__(name)

    def value_of_each(self, class_index: Any, logits: Any) -> Any:
        """Return the cross-entropy of each picture."""
        return keras.losses.sparse_categorical_crossentropy(class_index, ops.cast(logits, "float32"), from_logits=True)
