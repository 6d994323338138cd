"""A bundle is read back as it was written, and refused in a plain sentence if its files differ from its manifest."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contract.bundle import (
    ANY_MALIGNANT,
    MANIFEST,
    MODEL,
    REFERENCE,
    SCHEMA_VERSION,
    Manifest,
    check_file,
    describe_file,
    key_of,
    licence_of,
    parse_manifest,
    read_bundle,
    version_of,
)
from contract.errors import BundleError
from contract.labels import CODES, MALIGNANT_CODES
from tests.low_risk_shares import low_risk_shares
from tests.tiny_bundle import write_tiny_bundle

MADE = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
CONTENTS = {MODEL: b"a model", REFERENCE: b"a reference", "report/roc.png": b"a curve"}
A_GROUP = {"pictures": 7, "lesions": 7, "metrics": {"recall": {"value": 0.2, "low": 0.1, "high": 0.3}}}
ANY_FILE = {"sha256": "0" * 64, "bytes": 1}


def manifest_of(files: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A valid manifest of these files, as JSON."""
    return {
        "schema_version": SCHEMA_VERSION,
        "version": version_of(MADE, files[MODEL]["sha256"]),
        "created_at": MADE.isoformat(),
        "labels": list(CODES),
        "input": {"name": "pixels", "size": 224},
        "outputs": ["probabilities", "class_map", "embedding"],
        "files": files,
        "temperature": 1.3,
        "operating_points": {
            ANY_MALIGNANT: {
                "threshold": 0.2,
                "sensitivity": 0.9,
                "specificity": 0.7,
                "classes": list(MALIGNANT_CODES),
            }
        },
        "unfamiliar": {"method": "knn_cosine_low_rank", "neighbours": 10, "threshold": 0.4, "false_alarm_rate": 0.01},
        "shipped": {"precision": "fp32", "reason": "fp32 ships: nothing else was tried."},
        "metrics": {"balanced_accuracy": {"value": 0.8, "low": 0.7, "high": 0.9}},
        "per_class": {"mel": A_GROUP},
        "slices": {
            "sex": {
                "female": {
                    "pictures": 7,
                    "lesions": 7,
                    "metrics": {"balanced_accuracy": {"value": 0.2, "low": 0.1, "high": 0.3}},
                }
            }
        },
        "data": {
            "name": "ham10000",
            "sha256": "0" * 64,
            "images": 70,
            "lesions": 60,
            "per_class": dict.fromkeys(CODES, 10),
            "split_seed": 1,
            "split_sha256": "1" * 64,
        },
        "training": {
            "job": "here",
            "git_commit": None,
            "config": {"epochs": 3},
            "versions": {"keras": "3"},
            "backend": "tensorflow",
            "device": "cpu",
            "seconds": 1.5,
        },
        "licence": "CC BY-NC 4.0",
        "intended_use": "Research",
    }


def write_bundle(folder: Path) -> dict[str, Any]:
    """Write a complete bundle, and return its manifest as JSON."""
    for name, content in CONTENTS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    manifest = manifest_of({name: describe_file(folder / name).model_dump() for name in CONTENTS})
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return manifest


def sentence_of(error: BundleError) -> str:
    """The message, which must be sentences of the product and not of a library."""
    message = str(error)
    assert message[0].isupper()
    assert message.endswith(".")
    assert "\n" not in message
    assert not re.search(r"pydantic|Traceback|Value error", message)
    return message


def refusal(manifest: dict[str, Any]) -> str:
    with pytest.raises(BundleError) as caught:
        parse_manifest(json.dumps(manifest))
    return sentence_of(caught.value)


def test_a_bundle_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    written = write_bundle(tmp_path)
    manifest = read_bundle(tmp_path)
    assert manifest.labels == CODES
    assert manifest.created_at == MADE
    assert manifest.files.keys() == CONTENTS.keys()
    assert json.loads(manifest.model_dump_json())["operating_points"] == written["operating_points"]


def test_a_manifest_survives_serialization(tmp_path: Path) -> None:
    write_bundle(tmp_path)
    manifest = read_bundle(tmp_path)
    assert parse_manifest(manifest.model_dump_json()) == manifest
    assert parse_manifest(manifest.model_dump_json().encode()) == manifest


def test_a_manifest_keeps_its_results_on_changed_pictures_and_an_older_one_has_none(tmp_path: Path) -> None:
    robustness = low_risk_shares({"ink": 0.1}, class_changes={"turned_90": 0.07})
    measured = write_tiny_bundle(tmp_path / "measured", robustness=robustness.model_dump(mode="json"))
    assert parse_manifest(read_bundle(measured).model_dump_json()).robustness == robustness
    older = write_tiny_bundle(tmp_path / "older")
    assert "robustness" not in (older / MANIFEST).read_text()
    assert read_bundle(older).robustness is None


REFUSALS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "an extra key": (lambda m: m.update(colour="red"), "colour"),
    "an extra key inside": (lambda m: m["training"].update(price=3), "training.price"),
    "a missing key": (lambda m: m.pop("temperature"), "temperature"),
    "an unknown schema": (lambda m: m.update(schema_version=2), "schema_version"),
    "other labels": (lambda m: m.update(labels=["daisy", "rose"]), "its labels are daisy, rose"),
    "labels in another order": (lambda m: m.update(labels=[*CODES[1:], CODES[0]]), "its labels are bcc, bkl"),
    "another input": (lambda m: m["input"].update(name="image"), "other names"),
    "an input of size zero": (lambda m: m["input"].update(size=0), "input.size"),
    "another output": (lambda m: m.update(outputs=["probabilities"]), "other names"),
    "no model": (lambda m: m["files"].pop(MODEL), MODEL),
    "no reference": (lambda m: m["files"].pop(REFERENCE), REFERENCE),
    "an invalid hash": (lambda m: m["files"][MODEL].update(sha256="abc"), f"files.{MODEL}.sha256"),
    "a negative length": (lambda m: m["files"][MODEL].update(bytes=-1), f"files.{MODEL}.bytes"),
    "an invalid version": (lambda m: m.update(version="latest"), "version"),
    "a version with a path": (lambda m: m.update(version="../../other"), "version"),
    "a time without its zone": (lambda m: m.update(created_at="2026-05-04T03:02:01"), "created_at"),
    "a temperature of zero": (lambda m: m.update(temperature=0), "temperature"),
    "no operating point to decide by": (lambda m: m.update(operating_points={}), ANY_MALIGNANT),
    "an operating point of unknown classes": (
        lambda m: m["operating_points"][ANY_MALIGNANT].update(classes=["rose"]),
        ANY_MALIGNANT,
    ),
    "an operating point of no classes": (
        lambda m: m["operating_points"][ANY_MALIGNANT].update(classes=[]),
        ANY_MALIGNANT,
    ),
    "a threshold over one": (
        lambda m: m["operating_points"][ANY_MALIGNANT].update(threshold=1.1),
        f"operating_points.{ANY_MALIGNANT}.threshold",
    ),
    "a metric that is not a number": (lambda m: m["metrics"].update(auc={"value": None, "low": 0, "high": 1}), "auc"),
    "an unknown method for unfamiliar pictures": (
        lambda m: m["unfamiliar"].update(method="guess"),
        "unfamiliar.method",
    ),
}


@pytest.mark.parametrize("change", REFUSALS)
def test_an_invalid_manifest_is_refused_and_the_field_is_named(change: str, tmp_path: Path) -> None:
    manifest = write_bundle(tmp_path)
    spoil, expected = REFUSALS[change]
    spoil(manifest)
    assert expected in refusal(manifest)


@pytest.mark.parametrize(
    "name",
    [
        "../model.onnx", "a/../../b", "..", ".", "/etc/passwd", "C:\\x", "a\\b", "a//b", "a/", ".hidden", "a/.git/b",
        "", "a\nb", "a\x00b", "model.onnx\n", "s3://bucket/x", "~/x y", "\u2024\u2024/x",
    ],
)  # fmt: skip
def test_a_file_outside_the_bundle_is_refused(name: str, tmp_path: Path) -> None:
    manifest = write_bundle(tmp_path)
    manifest["files"][name] = manifest["files"][MODEL]
    assert "outside the bundle" in refusal(manifest)


@given(st.text(max_size=30) | st.text("./\\ab~", max_size=12))
def test_an_accepted_file_name_stays_inside_the_bundle(name: str) -> None:
    manifest = manifest_of({MODEL: ANY_FILE, REFERENCE: ANY_FILE, name: ANY_FILE})
    try:
        taken = Manifest.model_validate_json(json.dumps(manifest)).files
    except ValidationError:
        return  # refused, as test_a_file_outside_the_bundle_is_refused says
    bundle = Path("/bundle")
    assert name in taken
    assert (bundle / name).resolve().is_relative_to(bundle)
    assert (bundle / name).resolve() != bundle


@given(st.lists(st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,8}", fullmatch=True), min_size=1, max_size=4))
def test_ordinary_file_names_are_accepted(parts: list[str]) -> None:
    name = "/".join(parts)
    assert name in parse_manifest(json.dumps(manifest_of({MODEL: ANY_FILE, REFERENCE: ANY_FILE, name: ANY_FILE}))).files


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "42", "{}", "{", "not JSON", b"\xff\xfe\x00", b"\x80", '"\\ud800"', "[" * 5000, "\x00",
        b"PK\x03\x04",
    ],
)  # fmt: skip
def test_text_that_is_not_a_manifest_is_refused(text: str | bytes) -> None:
    with pytest.raises(BundleError) as caught:
        parse_manifest(text)
    sentence_of(caught.value)


def test_a_truncated_manifest_is_refused_at_every_length(tmp_path: Path) -> None:
    write_bundle(tmp_path)
    whole = (tmp_path / MANIFEST).read_bytes()
    for length in range(0, len(whole), 97):
        with pytest.raises(BundleError, match="JSON") as caught:
            parse_manifest(whole[:length])
        sentence_of(caught.value)


def spoiled(folder: Path, spoil: Callable[[Path], object]) -> str:
    write_bundle(folder)
    spoil(folder)
    with pytest.raises(BundleError) as caught:
        read_bundle(folder)
    return sentence_of(caught.value)


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    assert MODEL in spoiled(tmp_path, lambda folder: (folder / MODEL).write_bytes(b"b model"))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    assert REFERENCE in spoiled(tmp_path, lambda folder: (folder / REFERENCE).write_bytes(b"a refer"))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "lacks report/roc.png" in spoiled(tmp_path, lambda folder: (folder / "report/roc.png").unlink())


def test_a_folder_where_a_file_should_be_is_refused(tmp_path: Path) -> None:
    def replace(folder: Path) -> None:
        (folder / MODEL).unlink()
        (folder / MODEL).mkdir()

    assert f"lacks {MODEL}" in spoiled(tmp_path, replace)


def test_a_file_where_a_folder_should_be_is_refused(tmp_path: Path) -> None:
    def replace(folder: Path) -> None:
        (folder / "report/roc.png").unlink()
        (folder / "report").rmdir()
        (folder / "report").write_text("")

    assert "lacks report/roc.png" in spoiled(tmp_path, replace)


def test_the_right_hash_with_the_wrong_length_is_refused(tmp_path: Path) -> None:
    (tmp_path / MODEL).write_bytes(b"a model")
    described = describe_file(tmp_path / MODEL)
    check_file(tmp_path / MODEL, MODEL, described)
    with pytest.raises(BundleError):
        check_file(tmp_path / MODEL, MODEL, described.model_copy(update={"bytes": 8}))


def test_a_folder_without_a_manifest_is_not_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / MANIFEST).mkdir(parents=True)
    for place in (tmp_path, tmp_path / "nowhere", tmp_path / "file", tmp_path / "folder"):
        with pytest.raises(BundleError, match="not a model bundle") as caught:
            read_bundle(place)
        sentence_of(caught.value)


def test_a_version_is_named_after_its_time_and_its_model() -> None:
    assert version_of(MADE, "0123456789abcdef") == "20260504T030201Z-01234567"


def test_a_version_name_is_in_utc_in_every_time_zone() -> None:
    there = MADE.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert version_of(there, "0123456789abcdef") == version_of(MADE, "0123456789abcdef")


def test_versions_sort_by_their_creation_time() -> None:
    times = [MADE + timedelta(hours=hours) for hours in (0, 1, 30, 9000)]
    versions = [version_of(time, "f" * 64) for time in times]
    assert sorted(versions) == versions


def test_a_version_and_its_files_are_under_models() -> None:
    assert key_of("v") == "models/v"
    assert key_of("v", MODEL) == "models/v/model.onnx"


def test_a_model_has_the_licence_of_its_training_data() -> None:
    assert "CC BY-NC 4.0" in licence_of("HAM10000")
    assert "non-commercial" not in licence_of("synthetic")
    assert "clinic" in licence_of("clinic")
