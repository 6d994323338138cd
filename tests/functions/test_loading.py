"""A model that is on its way while the container imports."""

import subprocess
import sys
from pathlib import Path

import pytest

from contract.errors import ModelUnavailableError
from functions.classify.handler import Handler
from functions.classify.loading import Loading
from tests.functions.conftest import LambdaContext, http_event, settings_for

ROOT = Path(__file__).parents[2]


def test_the_model_that_was_on_its_way_is_the_one_that_answers(bundle: Path, tmp_path: Path) -> None:
    settings = settings_for(bundle.as_uri(), tmp_path)
    loading = Loading(settings)
    handler = Handler(settings)
    handler.preload(loading)
    assert handler._models.current() is loading.result()
    assert handler(http_event("GET", "/v1/health"), LambdaContext())["statusCode"] == 200


def test_a_failure_on_the_way_is_told_as_any_other_and_tried_again(bundle: Path, tmp_path: Path) -> None:
    settings = settings_for((tmp_path / "arrives-later").as_uri(), tmp_path / "cache")
    loading, now = Loading(settings), 0.0
    handler = Handler(settings, clock=lambda: now)
    handler.preload(loading)
    with pytest.raises(ModelUnavailableError, match=r"no manifest\.json"):
        loading.result()
    health = http_event("GET", "/v1/health")
    assert handler(health, LambdaContext())["statusCode"] == 503
    bundle_copy = tmp_path / "arrives-later"
    bundle_copy.symlink_to(bundle)
    now = 60.0
    assert handler(health, LambdaContext())["statusCode"] == 200


@pytest.mark.parametrize("unneeded", ["botocore.auth", "botocore.session", "urllib3", "boto3"])
def test_a_container_starts_without_what_it_does_not_need(unneeded: str) -> None:
    script = (
        "import sys\nfrom functions.classify import handler, loading, s3\n"
        "from awslambdaric import bootstrap\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "onnxruntime" in loaded
    assert unneeded not in loaded


def test_nothing_heavy_is_imported_before_the_model_is_asked_for() -> None:
    script = "import sys\nfrom functions.classify import loading, s3, settings\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"numpy", "onnxruntime", "pydantic", "aws_lambda_powertools"}.isdisjoint(done.stdout.split())
