"""The same network in the file format of each candidate, created once for each bundle.

The ONNX files are those of the bundle. Those of Keras and LiteRT have the same layers with random weights: the weights
do not change the time.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from contract.bundle import MANIFEST, MODEL, MODEL_FP32, REFERENCE, describe_file, read_bundle

CALIBRATION = 16  # pictures of noise for LiteRT's quantization ranges, which change the accuracy and not the time


def prepare(bundle: Path, folder: Path) -> Path:
    """Create all files in a subfolder of `folder`, and return the subfolder.

    Raises:
        BundleError: the bundle is incomplete or damaged.
    """
    manifest = read_bundle(bundle)
    prepared = folder / manifest.version
    prepared.mkdir(parents=True, exist_ok=True)
    served = "int8" if manifest.shipped.precision == "int8" else "fp32"
    fp32 = bundle / MODEL_FP32
    sources = {"fp32": fp32 if fp32.exists() else bundle / MODEL, served: bundle / MODEL}
    for precision, source in sources.items():
        _link(source, prepared / f"model.{precision}.onnx")
        _create_bundle(source, bundle, prepared / f"bundle.{precision}")
    if not (prepared / "model.int8.tflite").exists():
        command = [sys.executable, "-m", "benchmarks.serving.model_files", str(manifest.input.size), str(prepared)]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return prepared


def _create_bundle(model: Path, bundle: Path, target: Path) -> None:
    """Create a bundle that serves one of the model files of another bundle."""
    target.mkdir(exist_ok=True)
    _link(model, target / MODEL)
    _link(bundle / REFERENCE, target / REFERENCE)
    manifest = json.loads((bundle / MANIFEST).read_text())
    manifest["files"] = {name: describe_file(target / name).model_dump() for name in (MODEL, REFERENCE)}
    (target / MANIFEST).write_text(json.dumps(manifest))


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    target.symlink_to(source.resolve())


def main() -> None:
    """Write one file for Keras and two for LiteRT, as their guides do."""
    import numpy as np
    import tensorflow as tf

    from training.model import build_classifier

    size, folder = int(sys.argv[1]), Path(sys.argv[2])
    model = build_classifier(size).serving(temperature=1.0)
    model.save(folder / "model.keras")
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    (folder / "model.fp32.tflite").write_bytes(converter.convert())
    noise = np.random.default_rng(0).integers(0, 256, (CALIBRATION, 1, size, size, 3), np.uint8)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([picture] for picture in noise)
    (folder / "model.int8.tflite").write_bytes(converter.convert())


if __name__ == "__main__":
    main()
