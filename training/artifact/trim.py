"""Copy a bundle without its fp32 model: a quarter of the size, and all that serving, comparing and reading need."""

import shutil
from pathlib import Path

from contract.bundle import MANIFEST, MODEL_FP32, Manifest, read_bundle
from training.atomic_folder import atomic_folder


def trim(bundle: Path, out: Path) -> Manifest:
    """Copy a bundle to `out`, which appears whole or not at all; return the manifest of the copy.

    The version stays: it names the file that serves, and that is the same.

    Raises:
        BundleError: it is not a whole bundle.
        DatasetError: `out` holds something already.
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
