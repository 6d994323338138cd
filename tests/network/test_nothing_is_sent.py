"""No part sends anything by itself: it asks for no name, sends no packet, and leaves no file in the home folder.

Each command runs in a network of its own. Its name server and its default route lead nowhere and record everything.
"""

import sys
from pathlib import Path

import pytest

from tests.network.isolated import ROOT, Outcome, missing_requirement, run_isolated
from tests.tiny_bundle import write_tiny_bundle

LESION = str(Path(sys.executable).with_name("lesion"))
PICTURE = "models/reference/golden/mel.jpg"
# Both stay on this machine: a list of its fonts, and Keras's settings. docs/decisions/telemetry.md names them.
FILES_OF_LIBRARIES = (".cache/matplotlib/fontlist-", ".keras/keras.json")


@pytest.fixture(scope="module", autouse=True)
def _network() -> None:
    if reason := missing_requirement():
        pytest.skip(reason)


def assert_nothing_was_sent(outcome: Outcome) -> None:
    assert outcome.status == 0, outcome.output
    assert (outcome.names, outcome.destinations) == ([], [])
    assert [file for file in outcome.home if not file.startswith(FILES_OF_LIBRARIES)] == []


CURIOUS = """
import pathlib, socket
address = socket.gethostbyname("events.example")
for family, kind, target in [
    (socket.AF_INET, socket.SOCK_STREAM, address),
    (socket.AF_INET, socket.SOCK_DGRAM, "203.0.113.7"),
    (socket.AF_INET6, socket.SOCK_DGRAM, "2001:db8:1::7"),
]:
    connection = socket.socket(family, kind)
    connection.setblocking(False)
    connection.connect_ex((target, 443))
    if kind == socket.SOCK_DGRAM:
        connection.send(b"x")
(pathlib.Path.home() / "deviceid").touch()
"""


def test_the_names_packets_and_files_of_a_program_are_recorded(tmp_path: Path) -> None:
    outcome = run_isolated([sys.executable, "-c", CURIOUS], tmp_path / "run")
    assert outcome.status == 0, outcome.output
    assert outcome.names == ["events.example"]
    assert outcome.destinations == ["tcp 198.51.100.1:443", "udp 203.0.113.7:443", "udp [2001:db8:1::7]:443"]
    assert outcome.home == ["deviceid"]


FUNCTION = f"""
from pathlib import Path
from contract.events import http_event
from functions.classify.__main__ import start
from tests.functions.conftest import LambdaContext
handler = start()
picture = Path("{PICTURE}").read_bytes()
event = http_event("POST", "/v1/predictions", headers=[("Content-Type", "image/jpeg")], body=picture)
answer = handler(event, LambdaContext())
assert answer["statusCode"] == 200, answer
"""


def test_the_function_sends_nothing(tmp_path: Path) -> None:
    environment = {
        "MODEL_URI": write_tiny_bundle(tmp_path / "bundle").as_uri(),
        "MODEL_CACHE": str(tmp_path / "models"),
        "LAMBDA_TASK_ROOT": str(ROOT),
        "POWERTOOLS_TRACE_DISABLED": "true",  # no X-Ray daemon runs here
    }
    assert_nothing_was_sent(run_isolated([sys.executable, "-c", FUNCTION], tmp_path / "run", environment))


def test_a_prediction_on_the_command_line_sends_nothing(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle")
    assert_nothing_was_sent(run_isolated([LESION, "predict", PICTURE, "--bundle", str(bundle)], tmp_path / "run"))


def test_the_local_stack_with_its_page_sends_nothing(tmp_path: Path) -> None:
    """The demo uploads pictures to the page and to the API."""
    ports = ["--page-port", "0", "--api-port", "0", "--aws-port", "0"]
    outcome = run_isolated([LESION, "demo", "--once", *ports], tmp_path / "run", {"HAM10000_DIR": "nowhere"})
    assert "page  " in outcome.output
    assert_nothing_was_sent(outcome)


def test_training_and_evaluation_send_nothing(synthetic_dir: Path, tmp_path: Path) -> None:
    models, cache = tmp_path / "models", ["--cache", str(tmp_path / "cache")]
    short = ["--weights", "none", "--size", "32", "--images", "50", "--head-epochs", "1", "--fine-tune-epochs", "0"]
    train = [LESION, "train", str(synthetic_dir), *short, "--batch-size", "16", "--out", str(models), *cache]
    trained = run_isolated(train, tmp_path / "training")
    assert "quantized in" in trained.output
    assert_nothing_was_sent(trained)
    (bundle,) = models.iterdir()
    evaluate = [
        LESION,
        "evaluate",
        "--bundle",
        str(bundle),
        "--data",
        str(synthetic_dir),
        "--out",
        str(tmp_path / "out"),
    ]
    assert_nothing_was_sent(run_isolated([*evaluate, *cache], tmp_path / "evaluation"))


@pytest.mark.parametrize(
    "command",
    [
        [LESION, "--help"],
        [LESION, "data", "sample", "pictures", "--images", "50"],
        [sys.executable, "-c", "from tests.infra.stacks import deployed\ndeployed('dev')"],
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q",
         "tests/operations/jobs/test_launch.py::test_options_that_a_job_does_not_need_are_left_out"],
    ],
    ids=["help", "pictures", "the Pulumi program", "a job on SageMaker"],
)  # fmt: skip
def test_other_programs_send_nothing(command: list[str], tmp_path: Path) -> None:
    words = [str(tmp_path / word) if word == "pictures" else word for word in command]
    assert_nothing_was_sent(run_isolated(words, tmp_path / "run"))


BROWSER = """
from tests.browser import opened_browser
with opened_browser() as browser:
    browser.new_page().set_content("text")
"""


def test_the_browser_of_the_tests_sends_nothing(tmp_path: Path) -> None:
    """Its profile is in the home folder, so only its messages count."""
    outcome = run_isolated([sys.executable, "-c", BROWSER], tmp_path / "run")
    assert outcome.status == 0, outcome.output
    assert (outcome.names, outcome.destinations) == ([], [])
