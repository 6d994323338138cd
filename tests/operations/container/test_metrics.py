"""What SageMaker reads from a job's log is what the run said."""

import re

import pytest

from contract.api import HEADLINE_METRICS
from operations.jobs.metrics import metric_definitions, metric_lines
from tests.tiny_run import TinyRun


def test_every_metric_is_found_once_in_what_a_run_truly_says(tiny_run: TinyRun) -> None:
    manifest = tiny_run.trained.manifest
    said = [*tiny_run.lines, *metric_lines(manifest)]
    found = {
        name: [float(match[1]) for line in said if (match := re.search(regex, line))]
        for name, regex in metric_definitions().items()
    }
    assert {name: len(values) for name, values in found.items()} == dict.fromkeys(found, 1)
    for name in HEADLINE_METRICS:
        assert found[f"held-out:{name}"] == pytest.approx([manifest.metrics[name].value], rel=1e-5)
    assert 0 <= found["train:balanced_accuracy"][0] <= 1


def test_sagemaker_takes_them() -> None:
    definitions = metric_definitions()
    assert len(definitions) <= 40
    assert all(len(regex) <= 500 and re.compile(regex).groups == 1 for regex in definitions.values())
