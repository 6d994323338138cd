"""Copy a bundle without its fp32 model: a quarter of the size, and complete for serving and comparing."""

import shutil
from pathlib import Path

from contract.bundle import MANIFEST, MODEL_FP32, Manifest, read_bundle
from training.atomic_folder import atomic_folder


def trim(bundle: Path, out: Path) -> Manifest:
    """Copy a bundle to `out` completely, or leave nothing there; return the manifest of the copy.

    The version stays the same, because it names the file that serves.

    Raises:
        BundleError: the bundle is not complete.
        DatasetError: `out` is not empty.
    """
    manifest = read_bundle(bundle)
    files = {name: file for name, file in manifest.files.items() if name != MODEL_FP32}
    manifest = manifest.model_copy(update={"files": files})
    with atomic_folder(out) as unfinished:
        for name in files:
            (unfinished / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle / name, unfinished / name)
        (unfinished / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")
    return manifest
