"""`make demo` as it is when the project has just been cloned: the model that comes with it, asked through its page."""

import re
import subprocess
import sys
from pathlib import Path

from cli.local import REFERENCE_MODEL
from contract.bundle import read_bundle


def test_the_demo_serves_the_reference_model_and_leaves_nothing_running(tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("lesion"), "demo", "--once"]
    ports = ["--page-port", "0", "--api-port", "0", "--aws-port", "0"]
    environment = {"HAM10000_DIR": "nowhere"}  # so the pictures are those in the bundle
    done = subprocess.run(
        [*command, *ports], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"models/{read_bundle(REFERENCE_MODEL).version}" in done.stdout
    assert len(re.findall(r"page  \w+\.jpg: 200 \w", done.stdout)) == 2, done.stdout
    assert len(re.findall(r"API   \w+\.jpg: [a-z ]+, malignant \d", done.stdout)) == 2
    status = subprocess.run([command[0], "local", "status"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert status.returncode == 1
