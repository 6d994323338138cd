"""Save an ONNX model with everything folded that ONNX Runtime can compute in advance."""

from pathlib import Path

import onnx

from contract.onnx_runtime import import_onnxruntime, open_session


def save_folded(model: onnx.ModelProto, path: Path) -> None:
    """Fold constants, and batch normalization into the kernels, and save the model.

    Only ONNX Runtime's basic optimizations are portable, so no others are used: docs/decisions/opening.md.
    """
    basic = import_onnxruntime().GraphOptimizationLevel.ORT_ENABLE_BASIC
    open_session(model.SerializeToString(), graph_optimization_level=basic, optimized_model_filepath=str(path))
    folded = onnx.load(path)
    standard = [opset for opset in folded.opset_import if opset.domain == ""]  # it lists all that it knows
    del folded.opset_import[:]
    folded.opset_import.extend(standard)
    onnx.checker.check_model(folded, full_check=True)
    onnx.save(folded, path)
