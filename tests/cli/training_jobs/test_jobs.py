"""`lesion retrain --plan` and `lesion jobs`: their output, and their exit status when a job ends."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner, Result

from cli.main import cli
from contract.errors import DeploymentError
from operations.deployment import parameter_of
from tests.local_aws import local_aws, put_job
from tests.operations.test_deployment import VALUES

BUCKET = "data"


@pytest.fixture(scope="module", autouse=True)
def _stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A stack with the name local, and a set of pictures that no test opens."""
    with local_aws(tmp_path_factory.mktemp("jobs")) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", running.url)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
            patch.setenv(name, "us-east-1")
        patch.chdir(tmp_path_factory.mktemp("here"))  # where no local stack has its state
        s3 = boto3.client("s3")
        for bucket in (BUCKET, "models"):
            s3.create_bucket(Bucket=bucket)
        for key in ("HAM10000_metadata.csv", "images/a.jpg", "images/b.jpg"):
            s3.put_object(Bucket=BUCKET, Key=f"ham10000/{key}", Body=b"x" * 500_000)
        value = json.dumps({**VALUES, "region": "us-east-1"})
        boto3.client("ssm").put_parameter(Name=parameter_of("local"), Value=value, Type="String", Overwrite=True)
        yield


def lesion(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def named(do: str) -> str:
    name = f"job-{uuid.uuid4().hex[:8]}"
    put_job(BUCKET, name, do)
    return name


def test_a_plan_has_all_details_and_starts_nothing() -> None:
    planned = lesion("retrain", "--plan", "--size", "64", "--weights", "none", "--name", "planned")
    assert planned.exit_code == 0
    for line in (
        "  image      763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-training:2.21.0-gpu-py312",
        "  instances  1 x ml.g5.xlarge, spot, 50 GB of disk",
        "  limits     4 h for the run, 8 h including the wait for spot capacity",
        "  price      $1.73 to $5.67 if it uses all its time, or less; the budget is $10.00",
        "  reads      2 pictures, 1.0 MB, in s3://data/ham10000/images/, and their table",
        "  writes     s3://data/jobs/planned/: source and output",
        "             s3://data/jobs/planned/checkpoints/: checkpoints",
        "             s3://models/models/<version>/: the model, registered in lesions",
    ):
        assert line in planned.stdout.splitlines()
    assert "size=64" in planned.stdout
    assert lesion("jobs", "show", "planned").exception is not None


def test_a_plan_can_be_json() -> None:
    plan = json.loads(lesion("retrain", "--plan", "--json", "--on-demand", "--max-hours", "1").stdout)
    assert (plan["spot"], plan["max_run_s"], plan["max_wait_s"]) == (False, 3600, None)
    assert plan["cost"]["low"] == plan["cost"]["high"] == pytest.approx(1.408 + 50 * 0.14 / 730)


def test_the_training_options_of_lesion_train_become_hyperparameters() -> None:
    words = ["--head-epochs", "2", "--class-balance", "focal", "--augment", "none", "--mixup", "0.2", "--seed", "7"]
    plan = json.loads(lesion("retrain", "--plan", "--json", *words).stdout)
    run = {"head_epochs": "2", "class_balance": "focal", "augment": "none", "mixup": "0.2", "seed": "7"}
    assert run.items() <= plan["hyperparameters"].items()


def test_a_weights_file_becomes_a_channel(tmp_path: Path) -> None:
    (tmp_path / "w.npz").write_bytes(b"x")
    plan = json.loads(lesion("retrain", "--plan", "--json", "--name", "w", "--weights", str(tmp_path / "w.npz")).stdout)
    assert plan["weights_uri"] == "s3://data/jobs/w/weights/"
    assert "weights" not in plan["hyperparameters"]


def test_a_job_that_could_cost_more_than_its_budget_is_refused() -> None:
    refused = lesion("retrain", "--instances", "4")
    assert isinstance(refused.exception, DeploymentError)
    assert "could cost up to $22.68, which is over the budget of $10.00" in str(refused.exception)


def test_a_job_is_started_in_the_background() -> None:
    started = lesion("retrain", "--name", "started", "--size", "32")
    assert (started.exit_code, started.stdout) == (0, "started\n")
    assert "`lesion jobs logs started --follow --stack local` follows it." in started.stderr
    assert lesion("jobs", "stop", "started").exit_code == 0


def test_following_a_job_that_completes_exits_with_0() -> None:
    name = named("work")
    followed = lesion("jobs", "logs", name, "--follow")
    assert followed.exit_code == 0
    assert followed.stdout.splitlines()[-1] == "loss 0.25"
    assert followed.stderr.splitlines()[-2:] == ["[Completed] Training job completed", f"The job {name} is completed."]
    assert "training: 3 done" in followed.stderr
    assert lesion("jobs", "logs", name).stdout.splitlines()[0] == f"job {name}"


def test_following_a_job_that_fails_exits_with_1_and_its_reason() -> None:
    name = named("fail")
    followed = lesion("jobs", "logs", name, "--follow")
    assert followed.exit_code == 1
    reason = f"The job {name} is Failed: AlgorithmError: The loss stopped being a number., exit code: 1."
    assert reason in followed.output
    assert f"`lesion retrain --resume {name}` continues" in followed.output
    shown = lesion("jobs", "show", name).stdout
    assert "  status     Failed (Failed)\n" in shown
    assert reason in shown
    state = json.loads(lesion("jobs", "show", name, "--json").stdout)
    assert (state["status"], state["spot"]) == ("Failed", False)


def test_jobs_are_listed_as_text_and_as_json() -> None:
    name = named("fail")
    assert lesion("jobs", "list", "--limit", "1").stdout.split()[0] == name
    assert json.loads(lesion("jobs", "list", "--json").stdout)[0]["name"] == name
