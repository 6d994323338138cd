"""Save an ONNX model with everything folded that ONNX Runtime can compute in advance."""

from pathlib import Path

import onnx
import onnxruntime


def save_folded(model: onnx.ModelProto, path: Path) -> None:
    """Fold constants, and batch normalization into the kernels, and save the model.

    Only ONNX Runtime's basic optimizations are portable, so no others are used: docs/decisions/opening.md.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    folded = onnx.load(path)
    standard = [opset for opset in folded.opset_import if opset.domain == ""]  # it lists all that it knows
    del folded.opset_import[:]
    folded.opset_import.extend(standard)
    onnx.checker.check_model(folded, full_check=True)
    onnx.save(folded, path)
