"""The configuration of a training run: every setting that decides its result, with its range."""

from typing import Annotated, Final, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

# The lowest part of the network that trains: a stage, or the upper half of conv4, the longest stage.
TrainFrom = Literal["all", "conv2", "conv3", "conv4", "conv4_block4", "conv5", "head"]
ClassBalance = Literal["weights", "sampling", "focal", "logit_adjusted", "none"]  # see training/fitting/imbalance.py

Monitor = Literal["balanced_accuracy", "balanced_loss"]

# basic: turn, zoom, shift, mirror, and change the light a little. full: also what dermoscopes, cameras and people do to
# pictures; see training/fitting/inputs/augmentation/changes.py.
Augment = Literal["none", "basic", "full"]

Precision = Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"]

IMAGENET: Final = "imagenet"  # the weights that Keras publishes; Keras downloads and caches them
NO_WEIGHTS: Final = "none"


@dataclass(frozen=True, kw_only=True, config={"extra": "forbid"})
class TrainingConfig:
    """The settings of one run. Values may be text: validation converts them.

    A run has two phases. First the head and all stages without loaded weights are trained, and the loaded stages are
    frozen. Then everything from `train_from` upwards is trained at a lower learning rate.

    Raises:
        pydantic.ValidationError: a name is unknown or a value is out of range. It is a ValueError.
    """

    size: Annotated[int, Field(ge=32, le=1024)] = 224  # side of the square input, in pixels
    weights: Annotated[str, Field(min_length=1)] = IMAGENET  # or "none", or the path of an .npz file
    images: Annotated[int, Field(ge=50)] | None = None  # about how many pictures to use; None uses all
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 42  # of everything random, such as the split and the initial weights

    head_epochs: Annotated[int, Field(ge=0, le=1000)] = 5
    fine_tune_epochs: Annotated[int, Field(ge=0, le=1000)] = 20
    train_from: TrainFrom = "all"  # in the second phase
    monitor: Monitor = "balanced_accuracy"  # the metric on validation lesions that chooses the best epoch
    patience: Annotated[int, Field(ge=1)] = 6  # epochs without improvement before a phase ends
    average_epochs: Annotated[int, Field(ge=1, le=1000)] = 1  # epochs whose weights are averaged to validate; 1: none

    batch_size: Annotated[int, Field(ge=2, le=4096)] = 32  # pictures
    head_learning_rate: Annotated[float, Field(gt=0, lt=1)] = 1e-3  # of Adam, after the warm-up
    fine_tune_learning_rate: Annotated[float, Field(gt=0, lt=1)] = 1e-4
    warm_up: Annotated[float, Field(ge=0, lt=1)] = 0.1  # share of a phase's steps; then a cosine decay to zero

    class_balance: ClassBalance = "weights"  # how rare classes are balanced
    balance_power: Annotated[float, Field(ge=0, le=1)] = 1.0  # of weights, sampling, focal: 1 is full balance, 0 none
    focal_gamma: Annotated[float, Field(ge=0, le=10)] = 2.0  # how much confident answers are discounted
    logit_adjustment: Annotated[float, Field(ge=0, le=5)] = 1.0  # times the log of each class's frequency
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.05
    mixup: Annotated[float, Field(ge=0, le=10)] = 0.0  # alpha: shares are drawn from Beta(alpha, alpha); 0: no mixup

    augment: Augment = "basic"  # how training pictures are changed
    # Views of each picture when the output of the frozen stages is computed once; 0: it is never computed once. Only
    # full augmentation has more than 8 that differ.
    frozen_views: Annotated[int, Field(ge=0, le=64)] = 2

    precision: Precision = "auto"  # of the backbone in training; the exported model is float32

    def __post_init__(self) -> None:
        """Refuse a run that trains nothing, and views that would repeat."""
        if self.head_epochs + self.fine_tune_epochs == 0:
            raise ValueError("head_epochs and fine_tune_epochs are both 0: nothing would be trained")
        if self.frozen_views > 8 and self.augment != "full":
            raise ValueError("frozen_views over 8 need augment full: without it, the ninth view repeats the first")
