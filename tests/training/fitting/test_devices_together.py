"""However many devices and processes a run has, it comes to the same, and none outlives the others for long."""

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

ROOT = Path(__file__).parents[3]
TIMEOUT_S = 900  # only a hang takes so long; a process takes half a minute where nothing else runs
TWO_HOSTS = ("127.0.0.1", "127.0.0.2")  # one machine under two names

# First from frozen features, then from pixels, with mixup, and batch normalization that learns. With resnet50 in place
# of small the same holds for the real network, and takes some minutes.
RUN = {
    "network": "small",
    "loaded": 4,
    "config": {"head_epochs": 1, "fine_tune_epochs": 2, "train_from": "conv3", "mixup": 0.3},
}
# Random layers of TensorFlow draw the same on each device, so that a run with them comes to something else.
RUN_WITHOUT_AUGMENTATION = {**RUN, "config": {**RUN["config"], "augment": False}}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def started(backend: str, module: str, *arguments: str, port: int, jax_devices: int) -> Iterator[subprocess.Popen[str]]:
    """Start one of the modules beside this one under a Keras backend, and end it in any case."""
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={jax_devices}",
        "JAX_COORDINATOR_BIND_ADDRESS": f"127.0.0.1:{port}",
    }
    command = [sys.executable, "-m", f"tests.training.fitting.{module}", *arguments]
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


def train_together(backend: str, told: dict[str, Any], hosts: tuple[str, ...] = TWO_HOSTS[:1]) -> list[str]:
    """Run a process for each host until all have ended well, and give what each told."""
    port = free_port()
    with ExitStack() as running:
        processes = [
            running.enter_context(
                started(
                    backend,
                    "part_of_a_run",
                    json.dumps({**told, "hosts": hosts, "index": index, "port": port}),
                    port=port,
                    jax_devices=2,
                )
            )
            for index in range(len(hosts))
        ]
        lines = [process.communicate(timeout=TIMEOUT_S)[0] for process in processes]
        assert [process.returncode for process in processes] == [0] * len(hosts), "\n".join(lines)
    return lines


def assert_same(once: Path, again: Path) -> None:
    """Hold two runs to the same losses, to five digits, and to the same weights."""
    with np.load(once) as one, np.load(again) as other:
        assert one.files == other.files
        for name in ("loss", "validation_loss", "validation_balanced_accuracy"):
            np.testing.assert_allclose(one[name], other[name], rtol=1e-5, err_msg=name)
        for name in (name for name in one.files if "/" in name):
            np.testing.assert_allclose(one[name], other[name], atol=1e-4, err_msg=name)


@pytest.fixture(scope="module")
def one_jax_device(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run on JAX, on one device of one process, came to."""
    out = tmp_path_factory.mktemp("jax") / "one.npz"
    train_together("jax", {**RUN, "at_most": [1], "out": [str(out)]})
    return out


def test_a_run_on_jax_learns(one_jax_device: Path) -> None:
    with np.load(one_jax_device) as run:
        assert run["devices"] == 1
        assert run["loss"][-1] < run["loss"][0]
        assert np.isfinite(run["validation_loss"]).all()


def test_two_processes_with_two_devices_each_come_to_what_one_device_does(one_jax_device: Path, tmp_path: Path) -> None:
    out = tmp_path / "four.npz"
    lines = train_together("jax", {**RUN, "at_most": [None], "out": [str(out)]}, TWO_HOSTS)
    with np.load(out) as run:
        assert run["devices"] == 4
    assert all("on 2 instances" in told for told in lines)
    assert_same(one_jax_device, out)


def test_two_devices_of_tensorflow_come_to_what_one_does(tmp_path: Path) -> None:
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    train_together("tensorflow", {**RUN_WITHOUT_AUGMENTATION, "at_most": [1, None], "out": [str(one), str(two)]})
    with np.load(two) as run:
        assert run["devices"] == 2
    assert_same(one, two)


@contextmanager
def two_that_step() -> Iterator[tuple[subprocess.Popen[str], subprocess.Popen[str]]]:
    """Start two instances that would take steps for ever, and wait until they do."""
    port = free_port()
    with (
        started("jax", "endless_steps", str(port), "0", port=port, jax_devices=1) as leading,
        started("jax", "endless_steps", str(port), "1", port=port, jax_devices=1) as helping,
    ):
        for process in (leading, helping):
            assert process.stdout
            told = []
            while (line := process.stdout.readline()) and line != "step 2\n":
                told.append(line)
            assert line, "".join(told)
        yield leading, helping


def test_a_sigterm_to_one_instance_ends_all_at_the_same_step() -> None:
    with two_that_step() as (leading, helping):
        helping.send_signal(signal.SIGTERM)
        ends = [process.communicate(timeout=TIMEOUT_S)[0].splitlines()[-1] for process in (leading, helping)]
        assert [process.returncode for process in (leading, helping)] == [0, 0]
    assert ends[0] == ends[1]
    assert ends[0].startswith("Interrupted by SIGTERM: after step ")


def test_the_leading_instance_tells_when_another_died() -> None:
    with two_that_step() as (leading, helping):
        helping.kill()
        assert leading.stdout
        sentence = "A step could not be shared with the other instances, of which one must have ended: "
        assert any(line.startswith(sentence) for line in leading.stdout)  # its exit then waits for 100 s: not for us
