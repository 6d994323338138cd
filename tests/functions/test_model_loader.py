"""The model loads in a thread while the container imports."""

import subprocess
import sys
from pathlib import Path

import pytest

from contract.errors import ModelUnavailableError
from functions.classify.handler import Handler
from functions.classify.model_loader import ModelLoader
from tests.functions.conftest import LambdaContext, request_event, settings_for

ROOT = Path(__file__).parents[2]


def test_the_preloaded_model_answers(bundle: Path, tmp_path: Path) -> None:
    settings = settings_for(bundle.as_uri(), tmp_path)
    loader = ModelLoader(settings)
    handler = Handler(settings)
    handler.preload(loader)
    assert handler._models.current() is loader.result()
    assert handler(request_event("GET", "/v1/health"), LambdaContext())["statusCode"] == 200


def test_a_failure_in_the_thread_is_reported_and_retried(bundle: Path, tmp_path: Path) -> None:
    settings = settings_for((tmp_path / "arrives-later").as_uri(), tmp_path / "cache")
    loader, now = ModelLoader(settings), 0.0
    handler = Handler(settings, clock=lambda: now)
    handler.preload(loader)
    with pytest.raises(ModelUnavailableError, match=r"no manifest\.json"):
        loader.result()
    health = request_event("GET", "/v1/health")
    assert handler(health, LambdaContext())["statusCode"] == 503
    bundle_copy = tmp_path / "arrives-later"
    bundle_copy.symlink_to(bundle)
    now = 60.0
    assert handler(health, LambdaContext())["statusCode"] == 200


@pytest.mark.parametrize("unneeded", ["botocore.auth", "botocore.session", "urllib3", "boto3"])
def test_a_container_starts_without_unneeded_modules(unneeded: str) -> None:
    script = (
        "import sys\nfrom contract.onnx_runtime import import_onnxruntime\nimport_onnxruntime()\n"
        "from functions.classify import handler, model_loader, s3\n"
        "from awslambdaric import bootstrap\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "onnxruntime" in loaded
    assert unneeded not in loaded


def test_nothing_slow_is_imported_before_the_model_is_requested() -> None:
    script = "import sys\nfrom functions.classify import model_loader, s3, settings\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"numpy", "onnxruntime", "pydantic", "aws_lambda_powertools"}.isdisjoint(done.stdout.split())
