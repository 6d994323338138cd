"""`make demo ONCE=1` in a fresh clone: the reference model predicts through the page and the API."""

import re
import subprocess
import sys
from pathlib import Path

from cli.local import REFERENCE_MODEL
from contract.bundle import read_bundle


def test_the_demo_serves_the_reference_model_and_leaves_nothing_running(tmp_path: Path) -> None:
    lesion = str(Path(sys.executable).with_name("lesion"))
    ports = ["--page-port", "0", "--api-port", "0", "--aws-port", "0"]
    environment = {"HAM10000_DIR": "nowhere"}  # then the pictures are those of the bundle
    done = subprocess.run(
        [lesion, "demo", "--once", *ports], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"models/{read_bundle(REFERENCE_MODEL).version}" in done.stdout
    assert len(re.findall(r"page  \w+\.jpg: 200 \w", done.stdout)) == 2, done.stdout
    assert len(re.findall(r"API   \w+\.jpg: [a-z ]+, malignant \d", done.stdout)) == 2
    status = subprocess.run([lesion, "local", "status"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert status.returncode == 1
