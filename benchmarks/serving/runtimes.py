"""The bare call of each runtime on the same pixels, opened as its own documentation does for one picture at a time."""

from benchmarks.serving.worker import Job, Ready


def onnx_runtime(job: Job) -> Ready:
    """https://onnxruntime.ai/docs/performance/tune-performance/threading.html."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.threads
    session = onnxruntime.InferenceSession(job.model, options, ["CPUExecutionProvider"])
    pixels = np.load(job.pixels)
    return Ready(lambda: session.run(None, {"pixels": pixels}))


def litert(job: Job) -> Ready:
    """https://ai.google.dev/edge/litert/inference: XNNPACK is what it uses on a CPU by itself."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(job.model), num_threads=job.threads)
    interpreter.allocate_tensors()
    (taken,), given = interpreter.get_input_details(), interpreter.get_output_details()
    pixels = np.load(job.pixels).astype(taken["dtype"])

    def ask() -> list[object]:
        interpreter.set_tensor(taken["index"], pixels)
        interpreter.invoke()
        return [interpreter.get_tensor(output["index"]) for output in given]

    return Ready(ask)


def openvino(job: Job) -> Ready:
    """https://docs.openvino.ai: performance hint LATENCY; it reads quantized ONNX files as they are."""
    return _openvino(job, {"INFERENCE_PRECISION_HINT": "f32"})


def openvino_bf16(job: Job) -> Ready:
    """Leave the precision to it: on a processor with AVX512-BF16 it computes an fp32 file in that."""
    return _openvino(job, {})


def _openvino(job: Job, precision: dict[str, str]) -> Ready:
    import numpy as np
    import openvino

    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": job.threads, **precision}
    compiled = openvino.Core().compile_model(job.model, "CPU", settings)
    request = compiled.create_infer_request()
    pixels = np.load(job.pixels)
    return Ready(lambda: request.infer({0: pixels}, share_inputs=True))
