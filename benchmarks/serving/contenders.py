"""Everything that is measured, by name: what it takes, how many threads it has, and the room that makes it."""

from typing import Literal, NamedTuple

Kind = Literal["model alone", "picture to answer", "over HTTP"]


class Contender(NamedTuple):
    """One row of the table."""

    name: str
    kind: Kind
    make: str  # module:function, imported by the worker alone
    model: str  # a file or folder of `models.prepare`
    threads: int = 1
    package: str | None = None  # of the dependency group `bench`


RUNTIMES, VIEWS, SERVERS = (f"benchmarks.serving.{room}" for room in ("runtimes", "views", "servers"))

CONTENDERS = (
    Contender("ONNX Runtime, fp32", "model alone", f"{RUNTIMES}:onnx_runtime", "model.fp32.onnx"),
    Contender("ONNX Runtime, int8", "model alone", f"{RUNTIMES}:onnx_runtime", "model.int8.onnx"),
    Contender("ONNX Runtime, fp32, 2 threads", "model alone", f"{RUNTIMES}:onnx_runtime", "model.fp32.onnx", 2),
    Contender("ONNX Runtime, int8, 2 threads", "model alone", f"{RUNTIMES}:onnx_runtime", "model.int8.onnx", 2),
    Contender("LiteRT, fp32", "model alone", f"{RUNTIMES}:litert", "model.fp32.tflite", 1, "ai_edge_litert"),
    Contender("LiteRT, int8", "model alone", f"{RUNTIMES}:litert", "model.int8.tflite", 1, "ai_edge_litert"),
    Contender("OpenVINO, fp32", "model alone", f"{RUNTIMES}:openvino", "model.fp32.onnx", 1, "openvino"),
    Contender("OpenVINO, int8", "model alone", f"{RUNTIMES}:openvino", "model.int8.onnx", 1, "openvino"),
    Contender(
        "OpenVINO, its own choice (bf16)", "model alone", f"{RUNTIMES}:openvino_bf16", "model.fp32.onnx", 1, "openvino"
    ),
    Contender("our function, fp32", "picture to answer", f"{VIEWS}:function", "bundle.fp32"),
    Contender("our function, int8", "picture to answer", f"{VIEWS}:function", "bundle.int8"),
    Contender("our function, int8, 2 threads", "picture to answer", f"{VIEWS}:function", "bundle.int8", 2),
    Contender("our function, int8, from S3", "picture to answer", f"{VIEWS}:function_from_s3", "bundle.int8"),
    Contender("Flask view, Keras predict", "picture to answer", f"{VIEWS}:flask_predict", "model.keras"),
    Contender("Flask view, tf.function", "picture to answer", f"{VIEWS}:flask_compiled", "model.keras"),
    Contender("our gateway and function, int8", "over HTTP", f"{SERVERS}:gateway", "bundle.int8"),
    Contender("LitServe, ONNX Runtime, int8", "over HTTP", f"{SERVERS}:litserve", "model.int8.onnx", 1, "litserve"),
)
BY_NAME = {contender.name: contender for contender in CONTENDERS}
