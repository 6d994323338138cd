"""A valid bundle with a tiny ONNX graph, made in milliseconds, for tests that need any model."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from contract.bundle import (
    ANY_MALIGNANT,
    INPUT_NAME,
    INTENDED_USE,
    LICENCE,
    MANIFEST,
    MODEL,
    OUTPUT_NAMES,
    REFERENCE,
    SCHEMA_VERSION,
    describe_file,
    version_of,
)
from contract.labels import CODES, MALIGNANT_CODES
from contract.reference import Reference

EMBEDDING = 8
GROUP = {"pictures": 7, "lesions": 7, "metrics": {"recall": {"value": 0.2, "low": 0.1, "high": 0.3}}}


def tiny_graph(size: int, *, seed: int = 0, scale: float = 4.0) -> onnx.ModelProto:
    """Build pixels -> strided convolution -> the three outputs, with the class map identity of real models."""
    rng = np.random.default_rng(seed)
    patch = size // 4
    constants: dict[str, np.ndarray] = {
        "to_unit": np.array(1 / 255, np.float32),
        "kernel": rng.normal(0, 1 / patch, (EMBEDDING, 3, patch, patch)).astype(np.float32),
        "head": (scale * rng.normal(size=(7, EMBEDDING, 1, 1))).astype(np.float32),
    }
    nodes = [
        helper.make_node("Cast", [INPUT_NAME], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "to_unit"], ["unit"]),
        helper.make_node("Transpose", ["unit"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "kernel"], ["features"], strides=[patch, patch]),
        helper.make_node("GlobalAveragePool", ["features"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["embedding"]),
        helper.make_node("Conv", ["features", "head"], ["class_map"]),
        helper.make_node("GlobalAveragePool", ["class_map"], ["logits_4d"]),
        helper.make_node("Flatten", ["logits_4d"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    outputs: dict[str, list[Any]] = {
        "probabilities": ["N", 7],
        "class_map": ["N", 7, 4, 4],
        "embedding": ["N", EMBEDDING],
    }
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.UINT8, ["N", size, size, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, outputs[name]) for name in OUTPUT_NAMES],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return model


def write_tiny_bundle(
    folder: Path,
    *,
    size: int = 64,
    seed: int = 0,
    malignant_threshold: float = 0.5,
    unfamiliar_threshold: float = 2.0,  # higher than any score: no picture is unfamiliar
    made: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    **changes: Any,
) -> Path:
    """Write a bundle below `folder` and return its path; `changes` replace entries of its manifest."""
    unfinished = folder / "unfinished"
    unfinished.mkdir(parents=True)
    onnx.save(tiny_graph(size, seed=seed), unfinished / MODEL)
    embeddings = np.random.default_rng(seed).normal(size=(32, EMBEDDING))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    Reference(embeddings, np.eye(EMBEDDING)).write(unfinished / REFERENCE)
    files = {name: describe_file(unfinished / name).model_dump() for name in (MODEL, REFERENCE)}
    version = version_of(made, files[MODEL]["sha256"])
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "version": version,
        "created_at": made.isoformat(),
        "labels": CODES,
        "input": {"name": INPUT_NAME, "size": size},
        "outputs": OUTPUT_NAMES,
        "files": files,
        "temperature": 1.0,
        "operating_points": {
            ANY_MALIGNANT: {
                "threshold": malignant_threshold,
                "sensitivity": 0.9,
                "specificity": 0.5,
                "classes": MALIGNANT_CODES,
            }
        },
        "unfamiliar": {
            "method": "knn_cosine_low_rank",
            "neighbours": 5,
            "threshold": unfamiliar_threshold,
            "false_alarm_rate": 0.01,
        },
        "shipped": {"precision": "fp32", "reason": "fp32 ships: there is no int8 file."},
        "metrics": {"balanced_accuracy": {"value": 0.2, "low": 0.1, "high": 0.3}},
        "per_class": {"mel": GROUP},
        "slices": {
            "sex": {
                "female": {**GROUP, "metrics": {"balanced_accuracy": {"value": 0.2, "low": 0.1, "high": 0.3}}},
            }
        },
        "data": {
            "name": "tiny",
            "sha256": "0" * 64,
            "images": 7,
            "lesions": 7,
            "per_class": dict.fromkeys(CODES, 1),
            "split_seed": 42,
            "split_sha256": "1" * 64,
        },
        "training": {
            "job": "tiny",
            "git_commit": None,
            "config": {},
            "versions": {},
            "backend": "none",
            "device": "cpu",
            "seconds": 0.0,
        },
        "licence": LICENCE,
        "intended_use": INTENDED_USE,
        **changes,
    }
    (unfinished / MANIFEST).write_text(json.dumps(manifest))
    target = folder / version
    unfinished.rename(target)
    return target
