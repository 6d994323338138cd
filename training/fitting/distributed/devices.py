"""The devices that share each step of a run: one, all of an instance, or all of several instances.

The batch size is that of the whole run, and each device takes an equal share. Gradients and the statistics of batch
normalization are computed over the whole batch, so a run gives the same result on any number of devices. Keras does the
work: `keras.distribution.DataParallel` on JAX, and `tf.distribute.MirroredStrategy` on TensorFlow, which is limited to
one instance (docs/decisions/devices.md).
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
from training.fitting.distributed.cluster import SINGLE_INSTANCE, Cluster
from training.fitting.distributed.shards import ShardedBatches
from training.fitting.resuming.stop import RunInterruptedError, StopRequest

_CONNECTION_ERRORS: Final = ("Gloo", "NCCL", "coordination service")  # JAX names one of them when an instance is lost


@dataclass(frozen=True, eq=False)
class Devices:
    """The devices of a run, over all its instances, while they are connected."""

    cluster: Cluster
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def __str__(self) -> str:
        instances = len(self.cluster.hosts)
        return ", ".join(self.names) + (f" on {instances} instances" if instances > 1 else "")

    @property
    def jit_compile(self) -> bool | Literal["auto"]:
        """Whether Keras compiles a step with XLA. On a CPU, compiling takes TensorFlow longer than it saves."""
        on_cpu = all(name.startswith("cpu") for name in self.names)
        return False if on_cpu and keras.backend.backend() == "tensorflow" else "auto"

    @property
    def shard(self) -> tuple[int, int]:
        """The index of this instance's shard of each batch, and the number of shards."""
        return self.cluster.index, len(self.cluster.hosts)

    def check_batch(self, batch_size: int) -> None:
        """Check that a batch divides evenly between the devices.

        Raises:
            TrainingError: it does not.
        """
        if batch_size % len(self):
            raise TrainingError(
                f"A batch of {batch_size} pictures cannot be split evenly over {len(self)} devices: choose a batch "
                f"size that is a multiple of {len(self)}."
            )

    def synchronize_batch_norm(self, model: keras.Model) -> None:
        """Compute the statistics of batch normalization over the whole batch. Call it before the model is compiled.

        JAX needs no change: it divides the program of one device. TensorFlow runs one program for each device.
        """
        if len(self) > 1 and keras.backend.backend() == "tensorflow":
            for layer in model._flatten_layers():
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.synchronized = True

    def check_same_run(self, description: Any) -> None:
        """Check that all instances run the same. If they differ, they wait for each other forever.

        Args:
            description: of this instance's run, for JSON.

        Raises:
            TrainingError: the descriptions differ.
        """
        if len(self.cluster.hosts) == 1:
            return
        from jax.experimental.multihost_utils import process_allgather

        digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).digest()
        digests = np.asarray(process_allgather(np.frombuffer(digest, np.uint8)))
        if (digests != digests[0]).any():
            raise TrainingError(
                "The instances of this run differ: give all of them the same settings, pictures and weights, and the "
                "same checkpoint or none."
            )

    def stop_callback(self, stop: StopRequest) -> keras.callbacks.Callback:
        """Make the callback that ends `fit` after a requested stop, on all instances after the same step.

        One callback serves all calls of `fit` in a run.
        """
        return _StopTraining(stop, shared=len(self.cluster.hosts) > 1)

    def shard_batches(self, batches: keras.utils.PyDataset, pictures: int) -> keras.utils.PyDataset:
        """Return this instance's shard of the batches of a set of `pictures`, also if the last batch is smaller."""
        return batches if len(self) == 1 else ShardedBatches(batches, pictures, len(self), self.shard)


ONE_CPU: Final = Devices(SINGLE_INSTANCE, ("cpu:0",))


class _StopTraining(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends `fit` after the step in which a stop was requested.

    On several instances JAX handles SIGTERM instead of Python, and all instances agree with JAX on the step.
    """

    def __init__(self, stop: StopRequest, *, shared: bool) -> None:
        super().__init__()
        self._stop, self._shared = stop, shared
        self._step = 0  # over all calls of `fit`

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Check for a request. Every instance does so after every step."""
        del batch, logs
        self._step += 1
        if self._shared and _reached_agreed_step(self._step):
            self._stop.received = signal.SIGTERM
        if self._stop.requested:
            self.model.stop_training = True


def _reached_agreed_step(step: int) -> bool:
    from jax.experimental.multihost_utils import reached_preemption_sync_point

    return bool(reached_preemption_sync_point(step))


@contextmanager
def join_cluster(cluster: Cluster = SINGLE_INSTANCE, at_most: int | None = None) -> Iterator[Devices]:
    """Connect all devices of all instances. Models that are built, compiled and fitted inside run on all of them.

    On several instances, nothing may be computed before. If an instance dies, its connection breaks, and the step fails
    on the others. If the connection does not break, JAX's coordination service ends every process 100 s after the last
    heartbeat; the leader may wait that long at its exit. The instances wait 300 s for a missing one.

    Args:
        cluster: the instances of the run.
        at_most: how many devices of a single instance to use; None uses all.

    Raises:
        TrainingError: the backend cannot use several instances, they did not connect, or one was lost.
    """
    several = len(cluster.hosts) > 1
    if several:
        _connect(cluster)
    devices = Devices(cluster, tuple(keras.distribution.list_devices()[:at_most]))
    try:
        with _distribution(devices):
            yield devices
    except RunInterruptedError:  # on all instances, after the same step
        if several:
            _disconnect()
        raise
    except (RuntimeError, ValueError) as error:  # JAX and Keras have no exception type for a lost connection
        if several and any(name in str(error) for name in _CONNECTION_ERRORS):
            raise TrainingError(
                "A step could not be shared with the other instances, so one of them must have ended: look at the last "
                f"lines of each log. ({str(error).splitlines()[0]})"
            ) from error
        raise
    if several:  # not after another error: the other instances then wait for a step, and do not disconnect
        _disconnect()


def _connect(cluster: Cluster) -> None:
    if keras.backend.backend() != "jax":
        raise TrainingError(
            f"Keras on {keras.backend.backend()} trains on one instance, and there are {len(cluster.hosts)}: set "
            "KERAS_BACKEND=jax, or use one instance with more accelerators."
        )
    import jax

    # For instances without accelerators. It is the current default, and the only one that needs no MPI.
    jax.config.update("jax_cpu_collectives_implementation", "gloo")  # type: ignore[no-untyped-call]
    try:
        keras.distribution.initialize(cluster.coordinator, len(cluster.hosts), cluster.index)
    except RuntimeError as error:
        raise TrainingError(
            f"The {len(cluster.hosts)} instances of this run did not connect at {cluster.coordinator}: check that all "
            f"of them started and can reach that port. ({error})"
        ) from error


def _disconnect() -> None:
    """Disconnect together with the other instances. They treat an instance that ends without this as a failure."""
    import jax

    jax.distributed.shutdown()  # type: ignore[no-untyped-call]
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))  # until here JAX handled it, bypassing Python


def _distribution(devices: Devices) -> AbstractContextManager[Any]:
    if len(devices) == 1:
        return nullcontext()
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        strategy: AbstractContextManager[Any] = tf.distribute.MirroredStrategy(list(devices.names)).scope()
        return strategy
    distribution: AbstractContextManager[Any] = keras.distribution.DataParallel(
        devices=list(devices.names), auto_shard_dataset=False
    ).scope()
    return distribution
