"""A bundle keeps the predictions of its model for the held-out pictures."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contract.bundle import HELD_OUT
from contract.errors import BundleError
from tests.tiny_run import TinyRun
from training.artifact.held_out import read_held_out, write_held_out
from training.evaluation.metrics import balanced_accuracy, expected_calibration_error


def test_the_metrics_of_the_bundle_can_be_computed_from_the_table(tiny_run: TinyRun) -> None:
    held_out, metrics = read_held_out(tiny_run.trained.folder), tiny_run.trained.manifest.metrics
    assert held_out is not None
    truth = held_out.rows["class_index"].to_numpy()
    accuracy = balanced_accuracy(held_out.probabilities.argmax(axis=1), truth)
    assert accuracy == pytest.approx(metrics["balanced_accuracy"].value, abs=1e-9)
    assert expected_calibration_error(held_out.probabilities, truth) == pytest.approx(metrics["ece"].value, abs=1e-6)
    assert HELD_OUT in tiny_run.trained.manifest.files


def test_the_table_restores_every_prediction_exactly(tiny_run: TinyRun, tmp_path: Path) -> None:
    held_out = read_held_out(tiny_run.trained.folder)
    assert held_out is not None
    write_held_out(tmp_path, held_out)
    assert (tmp_path / HELD_OUT).read_bytes() == (tiny_run.trained.folder / HELD_OUT).read_bytes()
    restored = read_held_out(tmp_path)
    assert restored is not None
    np.testing.assert_array_equal(restored.probabilities, held_out.probabilities)
    pd.testing.assert_frame_equal(restored.rows, held_out.rows)


def test_an_older_bundle_has_no_table(tmp_path: Path) -> None:
    assert read_held_out(tmp_path) is None


@pytest.mark.parametrize("text", ["", "image_id,dx\na,nv\n", "\x00\x01", "{header}\na,b,flu{rest}\n"])
def test_a_damaged_table_is_refused(tiny_run: TinyRun, tmp_path: Path, text: str) -> None:
    header = (tiny_run.trained.folder / HELD_OUT).read_text().splitlines()[0]
    (tmp_path / HELD_OUT).write_text(text.replace("{header}", header).replace("{rest}", ",x" * 11))
    with pytest.raises(BundleError, match=r"held-out\.csv cannot be read"):
        read_held_out(tmp_path)
