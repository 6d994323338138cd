"""The measurements, prices and ratios of `make bench`; a candidate that cannot run is reported."""

import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.serving import measure as measuring
from benchmarks.serving import table
from benchmarks.serving.candidates import BY_NAME, CANDIDATES, Candidate
from benchmarks.serving.measure import Inputs, Row, measure
from benchmarks.serving.picture import choose_picture, generate_picture
from benchmarks.serving.price import usd_per_million
from contract.bundle import MODEL
from contract.image import decode_image
from operations.prices import read_prices
from tests.tiny_bundle import write_tiny_bundle

SIZE = 64


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """A tiny model, in the folder layout of `model_files.prepare`."""
    folder = tmp_path_factory.mktemp("inputs")
    bundle = write_tiny_bundle(folder / "bundle", size=SIZE)
    (folder / "bundle.fp32").symlink_to(bundle)
    (folder / "model.fp32.onnx").symlink_to(bundle / MODEL)
    picture, pixels = folder / "picture.jpg", folder / "pixels.npy"
    picture.write_bytes(generate_picture())
    np.save(pixels, decode_image(picture.read_bytes(), SIZE).pixels[np.newaxis])
    return Inputs(folder, picture, pixels, SIZE)


def test_each_candidate_is_measured_in_its_own_process(inputs: Inputs, tmp_path: Path) -> None:
    chosen = [BY_NAME[name] for name in ("ONNX Runtime, fp32", "our function, fp32", "our function, int8")]
    bare, ours, absent = measure(chosen, inputs, tmp_path, rounds=2, runs=3, starts=2)
    for row in (bare, ours):
        assert row.median_ms > 0
        assert 0 < row.opened_s < row.cold_s
        assert row.peak_mb > 20
    assert absent.missing is not None
    assert "no int8 model" in absent.missing
    printed = "\n".join(table.lines([bare, ours, absent]))
    assert "function over the bare call, fp32" in printed
    assert "our function, int8 not measured: this bundle" in " ".join(printed.split())


def test_a_candidate_without_its_package_is_reported(inputs: Inputs) -> None:
    candidate = Candidate("Other", "model alone", "nowhere:make", "model.fp32.onnx", package="surely_not_installed")
    missing = measuring._missing(candidate, inputs)
    assert missing is not None
    assert "surely_not_installed is not installed" in missing


def test_a_candidate_that_crashes_is_reported(inputs: Inputs, tmp_path: Path) -> None:
    (inputs.models / "model.keras").write_text("no model")
    (row,) = measure(
        [BY_NAME["LiteRT, fp32"]._replace(package=None, model="model.keras")],
        inputs,
        tmp_path,
        rounds=1,
        runs=1,
        starts=2,
    )
    assert row.missing is not None
    assert "it ended:" in row.missing


def test_lambda_bills_whole_milliseconds_and_the_memory_that_is_needed() -> None:
    usd = read_prices().usd
    per_request = 1e6 * usd["lambda_request"]
    small = usd_per_million(24.2, threads=1, peak_mb=150)
    assert math.isclose(small, 1e6 * 0.025 * 1769 / 1024 * usd["lambda_gb_s"] + per_request)
    assert usd_per_million(24.9, threads=1, peak_mb=1700) == small
    assert usd_per_million(24.2, threads=1, peak_mb=2 * 1769) > 1.9 * (small - per_request)


def test_ratios_leave_out_candidates_that_were_not_measured() -> None:
    rows = [
        Row(BY_NAME["ONNX Runtime, fp32"], 80.0, 0.5, 0.6, 300),
        Row(BY_NAME["ONNX Runtime, int8"], 20.0, 0.2, 0.3, 100),
        Row(BY_NAME["our function, int8, from S3"], 25.0, 0.5, 0.5, 160),
        Row(BY_NAME["Flask view, Keras predict"], missing="it ended: boom"),
    ]
    found = {name: value for name, value, _ in table.ratios(rows)}
    assert found["times that int8 is faster than fp32"] == 4.0
    assert found["cold start from S3 over imports and session"] == 2.5
    assert not [name for name in found if "Flask" in name]


def test_every_ratio_is_between_known_candidates() -> None:
    assert {name for pair in table.RATIOS for name in pair[:2]} <= set(BY_NAME)
    assert len(BY_NAME) == len(CANDIDATES)


def test_without_ham10000_a_picture_is_created(tmp_path: Path) -> None:
    name, encoded = choose_picture(None, tmp_path)
    assert name == "a generated picture"
    decoded = decode_image(encoded, 224)
    assert (decoded.width, decoded.height) == (600, 450)
