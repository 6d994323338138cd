"""Pictures of a painted lesion, and a model whose answers to them are known without training."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageFilter

from contract.bundle import INPUT_NAME, MODEL, OUTPUT_NAMES
from contract.labels import CODES

SIZE = 32  # of the model's input, pixels
EMBEDDING = 8


def paint_lesion(seed: int, width: int = 300, height: int = 225) -> Image.Image:
    """Paint a dark spot on skin with fine texture."""
    random = np.random.default_rng(seed)
    down, across = np.mgrid[:height, :width]
    x, y = width / 2 + random.uniform(-9, 9), height / 2 + random.uniform(-9, 9)
    spot = 1 / (1 + np.exp((np.hypot(across - x, down - y) - height / 5) / 4))[..., None]
    pixels = np.array([214.0, 172, 150]) * (1 - spot) + np.array([104.0, 62, 58]) * spot
    pixels += random.normal(0, 14, (height, width, 1))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.6))


def write_lesions(folder: Path, codes: list[str]) -> pd.DataFrame:
    """Write a picture for each class code, and return rows of a table as `training.data.ham10000` makes it."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, code in enumerate(codes):
        path = folder / f"P{number:03}.jpg"
        paint_lesion(number).save(path, quality=95)
        rows.append(
            {
                "lesion_id": f"L{number // 2}",  # two pictures of each lesion
                "image_id": path.stem,
                "dx": code,
                "class_index": CODES.index(code),
                "path": str(path),
            }
        )
    return pd.DataFrame(rows)


def linear_model(file: Path, weights: np.ndarray, bias: np.ndarray) -> None:
    """Write an ONNX file whose logits are a weighted sum of the pixels (0..1) plus a bias.

    Args:
        file: to write.
        weights: float, shape (SIZE, SIZE, 3, 7).
        bias: float, shape (7,).
    """
    shape = (SIZE * SIZE * 3, len(CODES))
    constants: dict[str, np.ndarray] = {
        "to_unit": np.array(1 / 255, np.float32),
        "weights": weights.reshape(shape).astype(np.float32),
        "bias": bias.astype(np.float32),
        "zero": np.zeros((shape[0], EMBEDDING), np.float32),
        "one": np.ones(EMBEDDING, np.float32),
        "square": np.array([0, len(CODES), 1, 1], np.int64),
    }
    nodes = [
        helper.make_node("Cast", [INPUT_NAME], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "to_unit"], ["unit"]),
        helper.make_node("Flatten", ["unit"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("Reshape", ["logits", "square"], ["class_map"]),
        helper.make_node("Gemm", ["flat", "zero", "one"], ["embedding"]),  # the same for every picture
    ]
    shapes: dict[str, list[Any]] = {
        "probabilities": ["N", 7],
        "class_map": ["N", 7, 1, 1],
        "embedding": ["N", EMBEDDING],
    }
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.UINT8, ["N", SIZE, SIZE, 3])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in zip(OUTPUT_NAMES, shapes, strict=True)
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, file)


def write_blue_model(folder: Path) -> Path:
    """Write a model that answers "mel" if the mean of blue is over 122 of 255, and "nv" otherwise.

    The painted lesions have about 138.
    """
    weights, bias = np.zeros((SIZE, SIZE, 3, 7)), np.full(7, -9.0)
    weights[..., 2, CODES.index("mel")] = 200 / SIZE**2
    bias[CODES.index("mel")], bias[CODES.index("nv")] = -200 * 122 / 255, 0.0
    linear_model(folder / MODEL, weights, bias)
    return folder / MODEL


def write_left_model(folder: Path) -> Path:
    """Write a model that answers "nv" if the left half is darker than the right one, and "bkl" otherwise."""
    weights, bias = np.zeros((SIZE, SIZE, 3, 7)), np.full(7, -9.0)
    for code, sign in (("nv", -1), ("bkl", 1)):
        bias[CODES.index(code)] = 0.0
        weights[:, : SIZE // 2, :, CODES.index(code)] = sign * 100 / SIZE**2
        weights[:, SIZE // 2 :, :, CODES.index(code)] = -sign * 100 / SIZE**2
    linear_model(folder / MODEL, weights, bias)
    return folder / MODEL
