"""A model is registered, promoted and rolled back on the local stack, while a user keeps calling the API."""

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import urllib3

from tests.journeys.local_stack import running_stack
from tests.skilled_bundle import write_skilled_bundle

CANARY_S = "2"


def lesion(*words: str, cwd: Path, status: int = 0) -> str:
    """Run the command line; return its output and its errors."""
    command = str(Path(sys.executable).with_name("lesion"))
    done = subprocess.run([command, *words], cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@dataclass
class User:
    """A user who calls the API again and again, and records every response."""

    url: str
    seen: list[tuple[int, str]] = field(default_factory=list)  # status and model
    _stop: threading.Event = field(default_factory=threading.Event)

    def call(self) -> None:
        with urllib3.PoolManager(retries=False, timeout=60) as http:
            while not self._stop.wait(0.05):
                response = http.request("GET", f"{self.url}/v1/health")
                self.seen.append((response.status, str(response.json().get("model_version"))))

    def wait_for(self, model: str) -> None:
        """Wait until this model answers; the gateway reads the alias once a second."""
        deadline = time.monotonic() + 60
        while self.seen[-1][1] != model:
            assert time.monotonic() < deadline, self.seen[-1]
            time.sleep(0.05)

    @contextmanager
    def calling(self) -> Iterator[None]:
        thread = threading.Thread(target=self.call)
        thread.start()
        yield
        self._stop.set()
        thread.join()


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory, synthetic_dir: Path) -> Path:
    """A folder with a fair, a good and a bad bundle, and one with the golden answers of another model."""
    folder = tmp_path_factory.mktemp("workplace")
    for day, skill in enumerate(("fair", "good", "bad"), start=1):
        made = datetime(2026, 3, day, tzinfo=UTC)
        bundle = write_skilled_bundle(folder / "made", synthetic_dir, skill=skill, made=made)  # type: ignore[arg-type]
        bundle.rename(folder / skill)
    broken = write_skilled_bundle(
        folder / "made", synthetic_dir, skill="good", made=datetime(2026, 3, 4, tzinfo=UTC), golden_of=folder / "bad"
    )
    broken.rename(folder / "broken")
    return folder


def version_of(bundle: Path) -> str:
    return str(json.loads((bundle / "manifest.json").read_text())["version"])


@pytest.fixture(scope="module")
def api_url(workplace: Path) -> Iterator[str]:
    """The API of a local stack that serves the fair model. At the end all of its processes have stopped."""
    with running_stack(workplace, "--bundle", "fair", "--canary", CANARY_S) as urls:
        yield urls["API"]


def test_users_always_get_a_model_that_has_passed_its_checks(workplace: Path, api_url: str) -> None:
    fair, good, bad, broken = (version_of(workplace / name) for name in ("fair", "good", "bad", "broken"))
    user = User(api_url)
    with user.calling():
        for name in ("good", "bad", "broken"):
            assert "registered as arn:aws:sagemaker" in lesion("models", "register", name, cwd=workplace)
        assert "passes every gate" in lesion("models", "compare", good, cwd=workplace)

        assert f"{good} serves (version 2" in lesion("models", "promote", good, "--why", "better", cwd=workplace)
        refused = lesion("models", "promote", bad, cwd=workplace, status=1)
        assert f"does not pass against {good} (balanced accuracy" in refused
        refused = lesion("models", "promote", broken, "--force", "--why", "it cannot be", cwd=workplace, status=1)
        assert "golden picture" in refused
        assert "It got no traffic" in refused
        assert {model for _, model in user.seen} <= {fair, good}

        forced = lesion("models", "promote", bad, "--force", "--why", "a demonstration", cwd=workplace)
        assert f"{bad} serves" in forced
        returned = lesion("models", "rollback", "--why", "it was one", cwd=workplace)
        assert re.search(rf"serves: {good}\.", returned)
        user.wait_for(good)

    assert {status for status, _ in user.seen} == {200}
    models = [model for _, model in user.seen]
    assert models[0] == fair
    assert models[-1] == good
    assert set(models) == {fair, good, bad}  # never the broken one
    listed = {item["version"]: item for item in json.loads(lesion("models", "list", "--json", cwd=workplace))}
    assert {version: item["status"] for version, item in listed.items()} == {
        fair: "PendingManualApproval",
        good: "Approved",
        bad: "Rejected",
        broken: "PendingManualApproval",
    }
    assert [version for version, item in listed.items() if item["serves"]] == [good]
    assert "rolled back: it was one" in lesion("models", "show", bad, cwd=workplace)
