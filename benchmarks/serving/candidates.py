"""The candidates that the benchmark compares: our function, and the alternatives to it."""

from typing import Literal, NamedTuple

Kind = Literal["model alone", "picture to answer", "over HTTP"]


class Candidate(NamedTuple):
    """One row of the table."""

    name: str
    kind: Kind
    make: str  # module:function; only the worker imports it
    model: str  # a file or folder that `model_files.prepare` creates
    threads: int = 1
    package: str | None = None  # the package of the dependency group `bench` that it needs


RUNTIMES, IN_PROCESS, OVER_HTTP = (
    f"benchmarks.serving.systems.{module}" for module in ("runtimes", "in_process", "over_http")
)

CANDIDATES = (
    Candidate("ONNX Runtime, fp32", "model alone", f"{RUNTIMES}:onnx_runtime", "model.fp32.onnx"),
    Candidate("ONNX Runtime, int8", "model alone", f"{RUNTIMES}:onnx_runtime", "model.int8.onnx"),
    Candidate("ONNX Runtime, fp32, 2 threads", "model alone", f"{RUNTIMES}:onnx_runtime", "model.fp32.onnx", 2),
    Candidate("ONNX Runtime, int8, 2 threads", "model alone", f"{RUNTIMES}:onnx_runtime", "model.int8.onnx", 2),
    Candidate("LiteRT, fp32", "model alone", f"{RUNTIMES}:litert", "model.fp32.tflite", 1, "ai_edge_litert"),
    Candidate("LiteRT, int8", "model alone", f"{RUNTIMES}:litert", "model.int8.tflite", 1, "ai_edge_litert"),
    Candidate("OpenVINO, fp32", "model alone", f"{RUNTIMES}:openvino", "model.fp32.onnx", 1, "openvino"),
    Candidate("OpenVINO, int8", "model alone", f"{RUNTIMES}:openvino", "model.int8.onnx", 1, "openvino"),
    Candidate(
        "OpenVINO, its own choice (bf16)", "model alone", f"{RUNTIMES}:openvino_bf16", "model.fp32.onnx", 1, "openvino"
    ),
    Candidate("our function, fp32", "picture to answer", f"{IN_PROCESS}:function", "bundle.fp32"),
    Candidate("our function, int8", "picture to answer", f"{IN_PROCESS}:function", "bundle.int8"),
    Candidate("our function, int8, 2 threads", "picture to answer", f"{IN_PROCESS}:function", "bundle.int8", 2),
    Candidate("our function, int8, from S3", "picture to answer", f"{IN_PROCESS}:function_from_s3", "bundle.int8"),
    Candidate("Flask view, Keras predict", "picture to answer", f"{IN_PROCESS}:flask_predict", "model.keras"),
    Candidate("Flask view, tf.function", "picture to answer", f"{IN_PROCESS}:flask_compiled", "model.keras"),
    Candidate("our gateway and function, int8", "over HTTP", f"{OVER_HTTP}:gateway", "bundle.int8"),
    Candidate("LitServe, ONNX Runtime, int8", "over HTTP", f"{OVER_HTTP}:litserve", "model.int8.onnx", 1, "litserve"),
)
BY_NAME = {candidate.name: candidate for candidate in CANDIDATES}
