"""A small run in a process of its own, for a test to end: `python -m ... FOLDER RESULT`.

It trains from pixels with everything that is random, augmentation, mixup and balanced sampling, four steps an epoch,
and keeps the mean of the weights.
"""

import sys
from pathlib import Path

import numpy as np

from tests.training.fitting.small_network import SIZE, build_small_network
from training.config import TrainingConfig
from training.data.pictures import Pictures
from training.fitting.loop import fit, predict_logits
from training.fitting.resuming.folder import run_folder
from training.fitting.resuming.stop import RunInterruptedError, watch_signals
from training.model import STAGES
from training.weights import LoadedWeights

CONFIG = TrainingConfig(size=SIZE, head_epochs=0, fine_tune_epochs=2, train_from="conv3", batch_size=8, mixup=0.3,
                        class_balance="sampling", average_epochs=2)  # fmt: skip


def main(folder: Path, result: Path) -> None:
    """Train, telling each step on standard output, and write the weights and some logits."""
    classifier = build_small_network(CONFIG.seed)
    loaded = LoadedWeights(source="test", loaded=STAGES[:-1], fresh=("head",))
    pixels = np.random.default_rng(0).integers(0, 256, (42, SIZE, SIZE, 3), np.uint8)
    class_index = np.arange(42) % 7
    train, validation = (Pictures(pixels, rows, class_index[rows]) for rows in (np.arange(35), np.arange(35, 42)))
    with watch_signals() as stop, run_folder(folder, fresh=False) as checkpoints, stop.deferred():
        fitted = fit(
            classifier,
            CONFIG,
            loaded,
            train,
            validation,
            scratch=folder,
            checkpoints=checkpoints,
            stop=stop,
            on_progress=lambda what, done, _: print(f"{what} {done}", flush=True) if what == "training" else None,  # noqa: T201
            say=lambda line: print(line, flush=True),  # noqa: T201
        )
    weights = classifier.get_weights()
    losses = np.array([[epoch.loss, epoch.balanced_accuracy, epoch.validation_loss] for epoch in fitted.epochs])
    np.savez(result, *weights, losses=losses, logits=predict_logits(classifier, validation))


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except RunInterruptedError as error:
        print(error, flush=True)  # noqa: T201
        sys.exit(error.exit_status)
