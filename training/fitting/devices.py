"""Where a step runs: on one device, on all devices of an instance, or on several instances that share every step.

The configuration's batch is that of the whole run, and each device takes an equal share of it. Gradients and the
statistics of batch normalization are those of the whole batch, so a run comes to the same however many devices it has.
The means are Keras's own: `keras.distribution.DataParallel` on JAX, `tf.distribute.MirroredStrategy` on TensorFlow,
which stays on one instance (docs/decisions/devices.md).
"""

import hashlib
import json
import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final, Literal

import keras
import numpy as np

from contract.errors import TrainingError
from training.fitting.cluster import ALONE, Cluster
from training.fitting.resuming.stop import RunInterruptedError, StopRequest

_LOST: Final = ("Gloo", "NCCL", "coordination service")  # one of which JAX names where an instance is gone


@dataclass(frozen=True, eq=False)
class Devices:
    """The devices of a run, over all its instances, while they are joined."""

    cluster: Cluster
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def __str__(self) -> str:
        instances = len(self.cluster.hosts)
        return ", ".join(self.names) + (f" on {instances} instances" if instances > 1 else "")

    @property
    def jit_compile(self) -> bool | Literal["auto"]:
        """Whether Keras compiles a step with XLA. On a processor, TensorFlow takes longer to compile than it saves."""
        on_processor = all(name.startswith("cpu") for name in self.names)
        return False if on_processor and keras.backend.backend() == "tensorflow" else "auto"

    @property
    def shard(self) -> tuple[int, int]:
        """Which share of each batch this instance reads, of how many."""
        return self.cluster.index, len(self.cluster.hosts)

    def check_batch(self, batch_size: int) -> None:
        """Make sure that a batch can be cut into equal shares, or raise a TrainingError."""
        if batch_size % len(self):
            raise TrainingError(
                f"A batch of {batch_size} pictures cannot be split evenly over {len(self)} devices: choose a batch "
                f"size that is a multiple of {len(self)}."
            )

    def prepare(self, model: keras.Model) -> None:
        """Let batch normalization see the whole batch, before the model is compiled.

        On JAX it does so by itself, since the program that is cut into shares is that of one device. TensorFlow runs
        the program once for each device, and must be told.
        """
        if len(self) > 1 and keras.backend.backend() == "tensorflow":
            for layer in model._flatten_layers():
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.synchronized = True

    def check_same(self, described: Any) -> None:
        """Make sure that all instances are about to do the same, for else they would wait for each other for ever.

        Args:
            described: what they do, for JSON.

        Raises:
            TrainingError: they are not.
        """
        if len(self.cluster.hosts) == 1:
            return
        from jax.experimental.multihost_utils import process_allgather

        digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).digest()
        everywhere = np.asarray(process_allgather(np.frombuffer(digest, np.uint8)))
        if (everywhere != everywhere[0]).any():
            raise TrainingError(
                "The instances of this run are not about to do the same: give all of them the same settings, pictures "
                "and weights, and the same checkpoint or none."
            )

    def share_stop(self, stop: StopRequest) -> keras.callbacks.Callback:
        """Make the callback of all fits of a run by which a SIGTERM to one instance ends all of them at one step."""
        return keras.callbacks.Callback() if len(self.cluster.hosts) == 1 else _SharedStop(stop)

    def share(self, batches: keras.utils.PyDataset, pictures: int) -> keras.utils.PyDataset:
        """Cut the batches of a set of `pictures` into shares, where the last one need not come out even."""
        return batches if len(self) == 1 else _Shares(batches, pictures, len(self), self.shard)


ONE_PROCESSOR: Final = Devices(ALONE, ("cpu:0",))


class _Shares(keras.utils.PyDataset):  # type: ignore[misc]
    """This instance's share of batches that were filled up to one length, a multiple of the devices.

    What fills them is of no class and weighs nothing, and what is real weighs the more for it: Keras divides a loss by
    the number of pictures, so its mean over all batches comes out as without them.
    """

    def __init__(self, batches: keras.utils.PyDataset, pictures: int, devices: int, shard: tuple[int, int]) -> None:
        super().__init__(workers=batches.workers, max_queue_size=batches.max_queue_size)
        self._batches = batches
        self._length = -(-len(batches[0][0]) // devices) * devices
        self._weight = len(batches) * self._length / pictures
        index, count = shard
        self._mine = slice(index * self._length // count, (index + 1) * self._length // count)

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        inputs, classes, weights = (_fill(part, self._length)[self._mine] for part in self._batches[index])
        return inputs, classes, (weights * self._weight).astype(weights.dtype)


def _fill(part: np.ndarray, length: int) -> np.ndarray:
    return np.concatenate([part, np.zeros((length - len(part), *part.shape[1:]), part.dtype)])


class _SharedStop(keras.callbacks.Callback):  # type: ignore[misc]
    """Asks JAX, which hears the signal in place of Python, at which step all instances are to stop."""

    def __init__(self, stop: StopRequest) -> None:
        super().__init__()
        self._stop = stop
        self._step = 0  # of all fits

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Ask; every instance does so after every step."""
        from jax.experimental.multihost_utils import reached_preemption_sync_point

        del batch, logs
        self._step += 1
        if reached_preemption_sync_point(self._step):
            self._stop.by = signal.SIGTERM


@contextmanager
def join(cluster: Cluster = ALONE, at_most: int | None = None) -> Iterator[Devices]:
    """Take all devices of all instances: what is built, compiled and fitted inside runs on them.

    On several instances nothing may have been computed before. One that dies breaks the connection and so the step of
    all others. Where it does not, JAX's coordination service ends every process 100 s after its last heartbeat; the
    leading one may wait as long for it while it exits. An instance that never comes is waited for 300 s.

    Args:
        cluster: who takes part.
        at_most: how many devices to take, of one instance; None takes all.

    Raises:
        TrainingError: the backend cannot use several instances, they did not come together, or one was lost.
    """
    several = len(cluster.hosts) > 1
    if several:
        _meet(cluster)
    devices = Devices(cluster, tuple(keras.distribution.list_devices()[:at_most]))
    try:
        with _spread(devices):
            yield devices
    except RunInterruptedError:  # all of them were, at the same step
        if several:
            _part()
        raise
    except (RuntimeError, ValueError) as error:  # JAX and Keras have no type of their own for it
        if several and any(word in str(error) for word in _LOST):
            raise TrainingError(
                "A step could not be shared with the other instances, of which one must have ended: look at what each "
                f"of them said last. ({str(error).splitlines()[0]})"
            ) from error
        raise
    if several:  # not after another error: the others would not come, for they wait for this one's share of a step
        _part()


def _meet(cluster: Cluster) -> None:
    if keras.backend.backend() != "jax":
        raise TrainingError(
            f"Keras on {keras.backend.backend()} trains on one instance, and there are {len(cluster.hosts)}: set "
            "KERAS_BACKEND=jax, or take one instance with more accelerators."
        )
    import jax

    # For instances without accelerators. It is the default of today, and the only one that needs no MPI.
    jax.config.update("jax_cpu_collectives_implementation", "gloo")  # type: ignore[no-untyped-call]
    try:
        keras.distribution.initialize(cluster.coordinator, len(cluster.hosts), cluster.index)
    except RuntimeError as error:
        raise TrainingError(
            f"The {len(cluster.hosts)} instances of this run did not come together at {cluster.coordinator}: check "
            f"that all of them started and may reach that port. ({error})"
        ) from error


def _part() -> None:
    """Leave together: an instance that just ended would be taken for one that died."""
    import jax

    jax.distributed.shutdown()  # type: ignore[no-untyped-call]
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))  # JAX heard it until here, past Python


def _spread(devices: Devices) -> AbstractContextManager[Any]:
    if len(devices) == 1:
        return nullcontext()
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        strategy: AbstractContextManager[Any] = tf.distribute.MirroredStrategy(list(devices.names)).scope()
        return strategy
    spread: AbstractContextManager[Any] = keras.distribution.DataParallel(
        devices=list(devices.names), auto_shard_dataset=False
    ).scope()
    return spread
