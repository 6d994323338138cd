"""The inputs of one run of the training loop, except the network."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.config import TrainingConfig
from training.data.pictures import Pictures
from training.fitting.distributed.devices import ONE_CPU, Devices
from training.fitting.resuming.stop import StopRequest
from training.progress import SILENT, Reporter


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """One run: its settings and pictures, where it computes and saves, and how it reports and stops."""

    config: TrainingConfig
    train: Pictures
    validation: Pictures  # the best epoch is chosen on these; no lesion of `train` may be among them
    scratch: Path  # a folder on a disk with room for frozen features, which stay there
    devices: Devices = ONE_CPU  # connected; the network was built on them
    reporter: Reporter = SILENT  # gets progress as ("training", step, steps), and a line for each epoch
    stop: StopRequest = field(default_factory=StopRequest)  # checked after each step
    checkpoints: Path | None = None  # an existing folder for this run only; None: the run cannot be resumed
    identity: Mapping[str, Any] = field(default_factory=dict)  # for JSON: everything that decides the result

    @property
    def steps_per_epoch(self) -> int:
        """The number of full batches in the training pictures, and at least one."""
        return max(1, len(self.train) // self.config.batch_size)
