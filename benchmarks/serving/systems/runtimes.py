"""Inference runtimes on decoded pixels, each set up as its documentation describes for one picture at a time."""

import sys

from benchmarks.serving.worker import Ready, Setup


def onnx_runtime(setup: Setup) -> Ready:
    """https://onnxruntime.ai/docs/performance/tune-performance/threading.html."""
    import numpy as np

    from contract.onnx_runtime import open_session

    session = open_session(setup.model, intra_op_num_threads=setup.threads)
    pixels = np.load(setup.pixels)
    return Ready(lambda: session.run(None, {"pixels": pixels}))


def litert(setup: Setup) -> Ready:
    """https://ai.google.dev/edge/litert/inference: on a CPU it uses XNNPACK by default."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(setup.model), num_threads=setup.threads)
    interpreter.allocate_tensors()
    (model_input,), outputs = interpreter.get_input_details(), interpreter.get_output_details()
    pixels = np.load(setup.pixels).astype(model_input["dtype"])

    def predict() -> list[object]:
        interpreter.set_tensor(model_input["index"], pixels)
        interpreter.invoke()
        return [interpreter.get_tensor(output["index"]) for output in outputs]

    return Ready(predict)


def openvino(setup: Setup) -> Ready:
    """https://docs.openvino.ai: performance hint LATENCY; it reads quantized ONNX files directly."""
    return _openvino(setup, {"INFERENCE_PRECISION_HINT": "f32"})


def openvino_bf16(setup: Setup) -> Ready:
    """Let OpenVINO choose the precision: on a processor with AVX512-BF16 it computes an fp32 file in bfloat16."""
    return _openvino(setup, {})


def _openvino(setup: Setup, precision: dict[str, str]) -> Ready:
    import numpy as np

    # Its import reports to Google Analytics, unless this package is missing or a file in the home folder forbids it.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # makes its import fail
    import openvino

    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": setup.threads, **precision}
    compiled = openvino.Core().compile_model(setup.model, "CPU", settings)
    request = compiled.create_infer_request()
    pixels = np.load(setup.pixels)
    return Ready(lambda: request.infer({0: pixels}, share_inputs=True))
