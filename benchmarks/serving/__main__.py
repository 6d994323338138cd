"""Compares our function with alternatives: time, cold start, memory and price of a prediction. `make bench` runs it.

All candidates get the same picture, and one thread unless their name says otherwise. Each has its own process, and they
run in turns.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.bundles import newest_bundle
from benchmarks.serving import table
from benchmarks.serving.candidates import CANDIDATES
from benchmarks.serving.local_s3 import local_s3
from benchmarks.serving.measure import Inputs, measure
from benchmarks.serving.model_files import prepare
from benchmarks.serving.picture import choose_picture
from contract.bundle import read_bundle
from contract.errors import AnalyzerError
from contract.image import decode_image

RESULTS, PREPARED = Path("artifacts/benchmarks/serving.json"), Path(".cache/benchmarks")


def main() -> int:
    """Prepare, measure, print, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, help="default: the newest in artifacts/models")
    parser.add_argument("--picture", type=Path, help="a JPEG; default: from HAM10000, else a generated one (600x450)")
    parser.add_argument("--rounds", type=int, default=12, help="turns of each candidate")
    parser.add_argument("--runs", type=int, default=8, help="predictions in a turn")
    parser.add_argument("--starts", type=int, default=7, help="cold starts of each candidate")
    parser.add_argument("--only", default="", help="measure only candidates whose name contains this text")
    options = parser.parse_args()
    bundle = options.bundle or newest_bundle(parser)
    try:
        size = read_bundle(bundle).input.size
        name, encoded = choose_picture(options.picture, Path(os.environ.get("HAM10000_DIR", "data/ham10000")))
        print(f"{bundle.name}, {size} px; {name}, {len(encoded) / 1000:.0f} kB. Creating the model files...")
        models = prepare(bundle, PREPARED)
    except (AnalyzerError, OSError) as error:
        parser.exit(1, f"{error}\n")
    candidates = [candidate for candidate in CANDIDATES if options.only in candidate.name]
    with tempfile.TemporaryDirectory() as folder:
        inputs = Inputs(models, Path(folder) / "picture.jpg", Path(folder) / "pixels.npy", size)
        inputs.picture.write_bytes(encoded)
        np.save(inputs.pixels, decode_image(encoded, size).pixels[np.newaxis])
        times = {"rounds": options.rounds, "runs": options.runs, "starts": max(2, options.starts)}
        served = models / ("bundle.int8" if (models / "bundle.int8").exists() else "bundle.fp32")
        with local_s3(served, Path(folder) / "s3.log"):
            rows = measure(candidates, inputs, Path(folder), **times)
    print(f"Medians of {options.rounds} x {options.runs} predictions and {options.starts} cold starts, in turns.\n")
    print(*table.lines(rows), sep="\n")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    measured = {"bundle": bundle.name, "picture_bytes": len(encoded), "rows": table.as_json(rows)}
    measured["ratios"] = {name: value for name, value, _ in table.ratios(rows)}
    RESULTS.write_text(json.dumps(measured, indent=2) + "\n")
    print(f"\nwritten to {RESULTS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
