"""SageMaker finds the metrics of a run in its log."""

import re

import pytest

from contract.api import HEADLINE_METRICS
from operations.container.metrics import metric_definitions, metric_lines
from tests.tiny_run import TinyRun


def test_every_metric_is_found_once_in_the_log_of_a_real_run(tiny_run: TinyRun) -> None:
    manifest = tiny_run.trained.manifest
    log = [*tiny_run.lines, *metric_lines(manifest)]
    found = {
        name: [float(match[1]) for line in log if (match := re.search(regex, line))]
        for name, regex in metric_definitions().items()
    }
    assert {name: len(values) for name, values in found.items()} == dict.fromkeys(found, 1)
    for name in HEADLINE_METRICS:
        assert found[f"held-out:{name}"] == pytest.approx([manifest.metrics[name].value], rel=1e-5)
    assert 0 <= found["train:balanced_accuracy"][0] <= 1


def test_the_definitions_are_within_sagemakers_limits() -> None:
    definitions = metric_definitions()
    assert len(definitions) <= 40
    assert all(len(regex) <= 500 and re.compile(regex).groups == 1 for regex in definitions.values())
