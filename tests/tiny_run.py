"""The smallest finished training run, which tests in several folders use."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.train import TrainedModel

TINY_SIZE = 64  # pixels: the last feature map is 2 x 2
TINY_IMAGES = 84


@dataclass(frozen=True, eq=False)
class TinyRun:
    """A finished run and its reports."""

    trained: "TrainedModel"
    out: Path
    cache: Path
    lines: list[str] = field(default_factory=list)
    progress: list[tuple[str, int, int]] = field(default_factory=list)


def train_tiny(pictures: Path, out: Path, cache: Path) -> TinyRun:
    """Train one epoch on a few pictures, from random weights to a bundle."""
    from training.config import TrainingConfig
    from training.fit_model import RunContext
    from training.progress import Reporter
    from training.train import train

    config = TrainingConfig(
        size=TINY_SIZE, weights="none", images=TINY_IMAGES, batch_size=16, head_epochs=1, fine_tune_epochs=0
    )
    lines: list[str] = []
    progress: list[tuple[str, int, int]] = []
    trained = train(
        config,
        pictures,
        out,
        RunContext(cache=cache, reporter=Reporter(lambda *report: progress.append(report), lines.append)),
        job="tiny",
    )
    return TinyRun(trained, out, cache, lines, progress)
