"""The classify function beside the bare ONNX Runtime call of the same model: `python -m benchmarks.function`.

Both run in this process, in turn, on the same picture and with one thread, so that a slow moment of the machine falls
on both; what counts is the ratio of the medians.
"""

import argparse
import base64
import contextlib
import io
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

from contract.bundle import INPUT_NAME, MODEL, MODEL_FP32, OUTPUT_NAMES, read_bundle
from contract.image import decode_image
from functions.classify.handler import Handler
from functions.classify.settings import Settings

MODELS = Path("artifacts/models")
RESULTS = Path("artifacts/benchmarks/function.json")
THREADS = 1


class Context:
    """What Lambda hands over beside the event."""

    function_name, function_version, memory_limit_in_mb = "classify", "$LATEST", 1769
    invoked_function_arn, aws_request_id = "arn:aws:lambda:us-east-1:000000000000:function:classify", "benchmark"


def main() -> None:
    """Measure, print the table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, help=f"default: the newest in {MODELS}")
    parser.add_argument("--picture", type=Path, help="default: a painted one of 600x450")
    parser.add_argument("--runs", type=int, default=100)
    options = parser.parse_args()
    bundle = options.bundle or newest_bundle(parser)
    encoded = options.picture.read_bytes() if options.picture else painted_picture()
    rows = measure(bundle, encoded, options.runs)
    print(f"{bundle.name}, {len(encoded) / 1000:.0f} kB picture, {THREADS} thread, medians of {options.runs} runs\n")
    print(f"{'':32}{'median ms':>11}{'ratio':>8}")
    for name, milliseconds in rows.items():
        print(f"{name:32}{milliseconds:11.2f}{milliseconds / rows['bare session.run, as served']:8.2f}")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({"bundle": bundle.name, "runs": options.runs, "median_ms": rows}, indent=2))
    print(f"\nwritten to {RESULTS}")


def newest_bundle(parser: argparse.ArgumentParser) -> Path:
    """Find the newest bundle in `MODELS`, or end with a sentence."""
    bundles = sorted(path.parent for path in MODELS.glob("*/manifest.json"))
    if not bundles:
        parser.exit(1, f"There is no model in {MODELS}: run `lesion train`, or name one with --bundle.\n")
    return bundles[-1]


def measure(bundle: Path, encoded: bytes, runs: int) -> dict[str, float]:
    """Time each contender `runs` times, in turn; return the medians in milliseconds."""
    size = read_bundle(bundle).input.size
    pixels = decode_image(encoded, size).pixels[np.newaxis]
    with tempfile.TemporaryDirectory() as cache, contextlib.redirect_stdout(io.StringIO()):
        settings = Settings(
            model_uri=bundle.resolve().as_uri(),
            model_cache=Path(cache),
            threads=THREADS,
            region="us-east-1",
            s3_endpoint_url=None,
        )
        handler = Handler(settings)
        handler.preload()
        event = event_with(encoded)
        contenders: dict[str, Callable[[], Any]] = {
            "bare session.run, as served": bare(bundle / MODEL, pixels),
            "function, event to response": lambda: handler(event, Context()),
        }
        if (bundle / MODEL_FP32).exists():
            contenders["bare session.run, fp32"] = bare(bundle / MODEL_FP32, pixels)
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for run in range(runs + 5):  # the first five warm everything up
            for name, contender in contenders.items():
                began = time.perf_counter()
                contender()
                if run >= 5:
                    times[name].append((time.perf_counter() - began) * 1000)
    return {name: statistics.median(measured) for name, measured in times.items()}


def bare(model: Path, pixels: np.ndarray) -> Callable[[], Any]:
    """Open a model as its own documentation does, with the same number of threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    return lambda: session.run(list(OUTPUT_NAMES), {INPUT_NAME: pixels})


def event_with(encoded: bytes) -> dict[str, Any]:
    """Word a picture as the event of payload format 2.0 that API Gateway sends."""
    http = {"method": "POST", "path": "/v1/predictions", "sourceIp": "127.0.0.1", "userAgent": "benchmark"}
    return {
        "version": "2.0",
        "rawPath": "/v1/predictions",
        "rawQueryString": "",
        "headers": {"content-type": "image/jpeg"},
        "requestContext": {"http": http, "stage": "$default", "requestId": "benchmark"},
        "body": base64.b64encode(encoded).decode(),
        "isBase64Encoded": True,
    }


def painted_picture() -> bytes:
    """Paint a JPEG of 600x450 with as much detail as a dermatoscopic picture: about 70 kB."""
    noise = np.random.default_rng(0).integers(0, 256, (45, 60, 3), np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(noise).resize((600, 450), Image.Resampling.BICUBIC).save(encoded, "JPEG", quality=95)
    return encoded.getvalue()


if __name__ == "__main__":
    main()
