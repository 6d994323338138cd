"""One training run, wholly described: every number that decides what comes out, with its range."""

from typing import Annotated, Final, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

# The lowest part of the network that learns: a stage, or the upper half of the longest one.
TrainFrom = Literal["all", "conv2", "conv3", "conv4", "conv4_block4", "conv5", "head"]
ClassBalance = Literal["weights", "sampling", "focal", "logit_adjusted", "none"]  # see training/fitting/imbalance.py

Monitor = Literal["balanced_accuracy", "balanced_loss"]

Precision = Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"]

IMAGENET: Final = "imagenet"  # the weights that Keras publishes, fetched and kept by Keras
NO_WEIGHTS: Final = "none"


@dataclass(frozen=True, kw_only=True, config={"extra": "forbid"})
class TrainingConfig:
    """One run. Values may come as text: validation turns them into numbers.

    There are two phases. In the first, the head learns, and with it every stage that started fresh, while what was
    loaded stays as it is; in the second, everything from `train_from` upwards learns, gently.

    Raises:
        pydantic.ValidationError: a name is unknown or a value out of range; it is a ValueError.
    """

    size: Annotated[int, Field(ge=32, le=1024)] = 224  # of the pictures' square, in pixels
    weights: Annotated[str, Field(min_length=1)] = IMAGENET  # or "none", or the path of an .npz file
    images: Annotated[int, Field(ge=50)] | None = None  # about how many pictures to take; None takes all
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 42  # of the split, of the fresh weights and of everything random

    head_epochs: Annotated[int, Field(ge=0, le=1000)] = 5
    fine_tune_epochs: Annotated[int, Field(ge=0, le=1000)] = 20
    train_from: TrainFrom = "all"  # in the second phase
    monitor: Monitor = "balanced_accuracy"  # what the best epoch is best in, on validation lesions
    patience: Annotated[int, Field(ge=1)] = 6  # epochs without a better one before a phase ends
    average_epochs: Annotated[int, Field(ge=1, le=1000)] = 1  # whose last weights are averaged for judging; 1: none

    batch_size: Annotated[int, Field(ge=2, le=4096)] = 32  # pictures
    head_learning_rate: Annotated[float, Field(gt=0, lt=1)] = 1e-3  # Adam's, at its height
    fine_tune_learning_rate: Annotated[float, Field(gt=0, lt=1)] = 1e-4
    warm_up: Annotated[float, Field(ge=0, lt=1)] = 0.1  # share of a phase's steps; the rest is a cosine down to zero

    class_balance: ClassBalance = "weights"  # how rare classes come to count
    balance_power: Annotated[float, Field(ge=0, le=1)] = 1.0  # of weights, sampling, focal: 1 evens out, 0 does nothing
    focal_gamma: Annotated[float, Field(ge=0, le=10)] = 2.0  # how little the focal loss cares for what is sure already
    logit_adjustment: Annotated[float, Field(ge=0, le=5)] = 1.0  # times the log of each class's frequency
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.05
    mixup: Annotated[float, Field(ge=0, le=10)] = 0.0  # both parameters of the Beta that shares are drawn from; 0: none

    augment: bool = True  # turn, shift, mirror, relight the training pictures
    frozen_views: Annotated[int, Field(ge=0, le=8)] = (
        2  # of a picture, where frozen stages are computed only once; 0: never
    )

    precision: Precision = "auto"  # that the backbone computes in; what is exported is float32

    def __post_init__(self) -> None:
        """Refuse a run that trains nothing."""
        if self.head_epochs + self.fine_tune_epochs == 0:
            raise ValueError("head_epochs and fine_tune_epochs are both 0: nothing would be trained")
