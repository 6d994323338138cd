"""Runs on several devices and processes: they give the same result as on one, and end together."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[4]
TIMEOUT_S = 900  # a process takes half a minute on an idle machine; only a deadlock takes this long
TWO_HOSTS = ("127.0.0.1", "127.0.0.2")  # one machine under two names

# The first phase trains on frozen features and the second on pixels, with mixup and trainable batch normalization. With
# resnet50 instead of small, the same holds for the real network, and takes some minutes.
RUN: dict[str, Any] = {
    "network": "small",
    "loaded": 4,
    "config": {"head_epochs": 1, "fine_tune_epochs": 2, "train_from": "conv3", "mixup": 0.3, "augment": "full"},
}
# Random layers of TensorFlow draw the same on each device, so a run with them gives another result on two devices.
RUN_WITHOUT_AUGMENTATION = {**RUN, "config": {**RUN["config"], "augment": "none"}}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def started(backend: str, module: str, *arguments: str, port: int, jax_devices: int) -> Iterator[subprocess.Popen[str]]:
    """Start a module of this folder with a Keras backend, and end it after the block."""
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={jax_devices}",
        "JAX_COORDINATOR_BIND_ADDRESS": f"127.0.0.1:{port}",
    }
    command = [sys.executable, "-m", f"tests.training.fitting.distributed.{module}", *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


def train_together(backend: str, run: dict[str, Any], hosts: tuple[str, ...] = TWO_HOSTS[:1]) -> list[str]:
    """Run a process for each host until all have ended without an error, and return their outputs."""
    port = free_port()
    with ExitStack() as running:
        processes = [
            running.enter_context(
                started(
                    backend,
                    "part_of_a_run",
                    json.dumps({**run, "hosts": hosts, "index": index, "port": port}),
                    port=port,
                    jax_devices=2,
                )
            )
            for index in range(len(hosts))
        ]
        outputs = [process.communicate(timeout=TIMEOUT_S)[0] for process in processes]
        assert [process.returncode for process in processes] == [0] * len(hosts), "\n".join(outputs)
    return outputs


def assert_same(first: Path, second: Path) -> None:
    """Compare the losses of two runs, to five digits, and their weights."""
    with np.load(first) as one, np.load(second) as other:
        assert one.files == other.files
        for name in ("loss", "validation_loss", "validation_balanced_accuracy"):
            np.testing.assert_allclose(one[name], other[name], rtol=1e-5, err_msg=name)
        for name in (name for name in one.files if "/" in name):
            np.testing.assert_allclose(one[name], other[name], atol=1e-4, err_msg=name)


@pytest.fixture(scope="module")
def one_jax_device(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of a run on JAX, on one device of one process."""
    out = tmp_path_factory.mktemp("jax") / "one.npz"
    train_together("jax", {**RUN, "at_most": [1], "out": [str(out)]})
    return out


def test_a_run_on_jax_learns(one_jax_device: Path) -> None:
    with np.load(one_jax_device) as run:
        assert run["devices"] == 1
        assert run["loss"][-1] < run["loss"][0]
        assert np.isfinite(run["validation_loss"]).all()


def test_two_processes_with_two_devices_each_give_the_result_of_one(one_jax_device: Path, tmp_path: Path) -> None:
    out = tmp_path / "four.npz"
    outputs = train_together("jax", {**RUN, "at_most": [None], "out": [str(out)]}, TWO_HOSTS)
    with np.load(out) as run:
        assert run["devices"] == 4
    assert all("on 2 instances" in output for output in outputs)
    assert_same(one_jax_device, out)


def test_two_devices_of_tensorflow_give_the_result_of_one(tmp_path: Path) -> None:
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    train_together("tensorflow", {**RUN_WITHOUT_AUGMENTATION, "at_most": [1, None], "out": [str(one), str(two)]})
    with np.load(two) as run:
        assert run["devices"] == 2
    assert_same(one, two)


@contextmanager
def two_instances() -> Iterator[tuple[subprocess.Popen[str], subprocess.Popen[str]]]:
    """Start two instances that take steps forever, and wait for their second step."""
    port = free_port()
    with (
        started("jax", "endless_steps", str(port), "0", port=port, jax_devices=1) as leader,
        started("jax", "endless_steps", str(port), "1", port=port, jax_devices=1) as worker,
    ):
        for process in (leader, worker):
            assert process.stdout
            lines = []
            while (line := process.stdout.readline()) and line != "step 2\n":
                lines.append(line)
            assert line, "".join(lines)
        yield leader, worker


def test_a_sigterm_to_one_instance_ends_all_after_the_same_step() -> None:
    with two_instances() as (leader, worker):
        worker.send_signal(signal.SIGTERM)
        ends = [process.communicate(timeout=TIMEOUT_S)[0].splitlines()[-1] for process in (leader, worker)]
        assert [process.returncode for process in (leader, worker)] == [0, 0]
    assert ends[0] == ends[1]
    assert ends[0].startswith("Interrupted by SIGTERM: after step ")


def test_the_leader_reports_that_another_instance_died() -> None:
    with two_instances() as (leader, worker):
        worker.kill()
        assert leader.stdout
        sentence = "A step could not be shared with the other instances, so one of them must have ended: "
        assert any(line.startswith(sentence) for line in leader.stdout)  # its exit takes 100 s more
