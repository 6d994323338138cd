"""What learns when."""

from dataclasses import dataclass

from training.config import TrainFrom, TrainingConfig
from training.model import BOUNDARIES
from training.weights import LoadedWeights


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of epochs over which the same stages learn."""

    name: str
    train_from: TrainFrom
    epochs: int
    learning_rate: float


def plan_phases(config: TrainingConfig, loaded: LoadedWeights) -> list[Phase]:
    """Decide what learns when: first what started fresh, then from `train_from` upwards; nothing fresh stays frozen."""
    lowest = min(config.train_from, loaded.lowest_fresh, key=BOUNDARIES.index)
    phases = (
        Phase(
            name="head",
            train_from=loaded.lowest_fresh,
            epochs=config.head_epochs,
            learning_rate=config.head_learning_rate,
        ),
        Phase(
            name="fine-tuning",
            train_from=lowest,
            epochs=config.fine_tune_epochs,
            learning_rate=config.fine_tune_learning_rate,
        ),
    )
    return [phase for phase in phases if phase.epochs]
