"""A trimmed bundle: smaller, complete, and the same model."""

from pathlib import Path

import pytest

from contract.bundle import MANIFEST, MODEL, MODEL_FP32, describe_file, read_bundle
from contract.errors import BundleError, DatasetError
from tests.tiny_bundle import write_tiny_bundle
from training.artifact.trim import trim


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Write a bundle with an fp32 file and a report in a subfolder."""
    plain = write_tiny_bundle(tmp_path / "plain")
    files = {name: file.model_dump() for name, file in read_bundle(plain).files.items()}
    extra = {MODEL_FP32: b"weights", "report/figures/roc.png": b"a curve"}
    for name, content in extra.items():
        (plain / name).parent.mkdir(parents=True, exist_ok=True)
        (plain / name).write_bytes(content)
        files[name] = describe_file(plain / name).model_dump()
    complete = write_tiny_bundle(tmp_path / "complete", files=files)
    for name in extra:
        (complete / name).parent.mkdir(parents=True, exist_ok=True)
        (complete / name).write_bytes(extra[name])
    return complete


def test_everything_except_the_fp32_model_is_copied(bundle: Path, tmp_path: Path) -> None:
    before = read_bundle(bundle)
    manifest = trim(bundle, tmp_path / "models" / "trimmed")
    assert manifest == read_bundle(tmp_path / "models" / "trimmed")
    copied = {path.relative_to(tmp_path / "models" / "trimmed").as_posix()
             for path in (tmp_path / "models" / "trimmed").rglob("*") if path.is_file()}  # fmt: skip
    assert copied == {MANIFEST, *before.files} - {MODEL_FP32}
    assert manifest == before.model_copy(update={"files": manifest.files})
    assert manifest.files.items() < before.files.items()


def test_a_bundle_without_an_fp32_model_is_copied_unchanged(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "plain")
    assert trim(bundle, tmp_path / "copy") == read_bundle(bundle)


def test_a_damaged_bundle_is_not_copied(bundle: Path, tmp_path: Path) -> None:
    (bundle / MODEL).write_bytes(b"damaged")
    with pytest.raises(BundleError, match="not the file that its manifest describes"):
        trim(bundle, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_an_existing_folder_is_not_overwritten(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="not an empty folder"):
        trim(bundle, bundle)
