"""ONNX Runtime is imported without its telemetry, and models are opened with the options of the caller."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from contract.bundle import INPUT_NAME, MODEL
from contract.onnx_runtime import TELEMETRY_OFF, open_session
from tests.tiny_bundle import tiny_graph, write_tiny_bundle

ROOT = Path(__file__).parents[2]
NAME, VALUE = TELEMETRY_OFF


@pytest.mark.parametrize("own_value", [None, "", "0"])
def test_a_model_is_opened_without_a_file_in_the_home_folder(own_value: str | None, tmp_path: Path) -> None:
    """The telemetry writes one at the import; it is always off where CI is set, so that variable is left out."""
    model = write_tiny_bundle(tmp_path / "bundle") / MODEL
    home = tmp_path / "home"
    home.mkdir()
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom contract.onnx_runtime import open_session\n"
        f"open_session(Path(sys.argv[1]))\nprint(os.environ['{NAME}'])"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), **({} if own_value is None else {NAME: own_value})}
    command = [sys.executable, "-c", script, str(model)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == VALUE
    assert list(home.rglob("*")) == []


def test_a_model_is_opened_from_its_bytes() -> None:
    session = open_session(tiny_graph(64).SerializeToString(), intra_op_num_threads=1)
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert session.get_session_options().intra_op_num_threads == 1
    (probabilities,) = session.run(["probabilities"], {INPUT_NAME: np.zeros((1, 64, 64, 3), np.uint8)})
    assert probabilities.shape == (1, 7)


def test_an_option_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(AttributeError, match="intra_op_threads"):
        open_session(tiny_graph(64).SerializeToString(), intra_op_threads=1)


def test_the_image_of_the_function_starts_with_the_telemetry_off() -> None:
    assert f" {NAME}={VALUE} \\\n" in (ROOT / "Dockerfile.lambda").read_text()
