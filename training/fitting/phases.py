"""The phases of a run: which stages train, for how many epochs, and on what."""

from dataclasses import dataclass
from typing import Final

from training.config import TrainFrom, TrainingConfig
from training.model import BOUNDARIES
from training.weights import LoadedWeights

# When training starts at one of these stages, the frozen stages below are most of the work and their output is small.
# Below conv4 they are a fifth of a step, so it costs little to augment the pictures in a new way each epoch.
FEATURE_STAGES: Final = ("conv4_block4", "conv5", "head")


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Epochs in a row that train the same stages."""

    name: str
    train_from: TrainFrom  # the lowest stage that trains
    epochs: int
    learning_rate: float
    uses_features: bool = False  # trains on the output of the frozen stages, computed once, instead of on pixels

    @property
    def input_stage(self) -> TrainFrom:
        """The stage that the phase's examples enter: "all" for pixels."""
        return self.train_from if self.uses_features else "all"


def plan_phases(config: TrainingConfig, loaded: LoadedWeights) -> list[Phase]:
    """Plan at most two phases: first the stages with fresh weights train, then all from `train_from` upwards.

    No stage with fresh weights is ever frozen. A phase without epochs is left out.
    """
    lowest = min(config.train_from, loaded.lowest_fresh, key=BOUNDARIES.index)
    planned: tuple[tuple[str, TrainFrom, int, float], ...] = (
        ("head", loaded.lowest_fresh, config.head_epochs, config.head_learning_rate),
        ("fine-tuning", lowest, config.fine_tune_epochs, config.fine_tune_learning_rate),
    )
    return [
        Phase(
            name=name,
            train_from=train_from,
            epochs=epochs,
            learning_rate=learning_rate,
            uses_features=bool(config.frozen_views) and train_from in FEATURE_STAGES,
        )
        for name, train_from, epochs, learning_rate in planned
        if epochs
    ]
