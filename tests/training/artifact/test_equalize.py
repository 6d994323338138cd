"""Ready for int8: another network in its numbers, the same in its answers, and one that rounding hurts less."""

from collections.abc import Iterator

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from training.artifact.equalize import KERNEL, _Graph, _observe, correct_biases, equalize, rounded

SIDE = 12


def feeds() -> Iterator[dict[str, np.ndarray]]:
    random = np.random.default_rng(7)
    for _ in range(3):
        yield {"pictures": random.normal(0.3, 1.0, (5, 3, SIDE, SIDE)).astype(np.float32)}


def network(
    *, padding: float = 0.0, added: float = 0.0, shared_bias: bool = False, groups: int = 1, silent: bool = False
) -> onnx.ModelProto:
    """A stem with pooling, a block of ResNet50's kind over a shortcut, and a head; loud and quiet channels in each."""
    random = np.random.default_rng(1)
    loud = {name: 10 ** random.uniform(-2, 2, 8) for name in ("stem", "inner", "outer")}

    def kernel(made: int, read: int, side: int, after: np.ndarray | float, before: np.ndarray | float) -> np.ndarray:
        values = random.normal(0, 1 / np.sqrt(read * side * side), (made, read, side, side))
        return values * np.reshape(after, (-1, 1, 1, 1)) / np.reshape(before, (1, -1, 1, 1))

    constants = {
        "stem_w": kernel(8, 3, 3, loud["stem"], 1.0),
        "stem_b": random.normal(0, 0.3, 8) * loud["stem"],
        "inner_w": kernel(8, 8, 1, loud["inner"], loud["stem"]),
        "inner_b": random.normal(0, 0.3, 8) * loud["inner"],
        "outer_w": kernel(8, 8 // groups, 3, loud["stem"], loud["inner"] if groups == 1 else 1.0),
        "outer_b": random.normal(0, 0.3, 8) * loud["stem"],
        "head_w": kernel(4, 8, 1, 1.0, loud["stem"]),
        "head_b": random.normal(0, 0.3, 4),
        "padding": np.array(padding),
        "added": np.array(added),
    }
    if silent:
        constants["inner_w"][2], constants["inner_b"][2] = 0.0, -1.0
    if shared_bias:
        constants["inner_b"] = constants["outer_b"]
    nodes = [
        helper.make_node("Conv", ["pictures", "stem_w", "stem_b"], ["stem"], "stem", pads=[1] * 4),
        helper.make_node("Relu", ["stem"], ["stem_relu"], "stem_relu"),
        helper.make_node("Pad", ["stem_relu", "pads", "padding"], ["padded"], "pad"),
        helper.make_node("MaxPool", ["padded"], ["pooled"], "pool", kernel_shape=[3, 3], strides=[2, 2]),
        helper.make_node("Conv", ["pooled", "inner_w", "inner_b"], ["inner"], "inner"),
        helper.make_node("Relu", ["inner"], ["inner_relu"], "inner_relu"),
        helper.make_node("Conv", ["inner_relu", "outer_w", "outer_b"], ["outer"], "outer", pads=[1] * 4, group=groups),
        helper.make_node("Add", ["pooled", "outer"], ["sum"], "sum"),
        helper.make_node("Relu", ["sum"], ["sum_relu"], "sum_relu"),
        helper.make_node("Conv", ["sum_relu", "head_w", "head_b"], ["answers"], "head"),
    ]
    if shared_bias:
        nodes[6].input[2] = "inner_b"
    if not added:
        del constants["added"]
    else:
        nodes.insert(9, helper.make_node("Add", ["sum_relu", "added"], ["lifted"], "lift"))
        nodes[10].input[0] = "lifted"
    initializers = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()]
    initializers.append(numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1]), "pads"))
    given = helper.make_tensor_value_info("pictures", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])
    asked = helper.make_tensor_value_info("answers", TensorProto.FLOAT, ["N", 4, "height", "width"])
    graph = helper.make_graph(nodes, "network", [given], [asked], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def answer(model: onnx.ModelProto) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["answers"], feed)[0] for feed in feeds()])


def round_kernels(model: onnx.ModelProto) -> None:
    graph = _Graph(model)
    for node in graph.convolutions():
        graph.give(node, KERNEL, rounded(graph.value(node, KERNEL)))
    graph.tidy()


def unevenness(model: onnx.ModelProto) -> dict[str, float]:
    loudest = _observe(model, feeds, "ReduceMax", {"stem_relu", "inner_relu", "sum_relu"})
    return {name: float(values.max() / values.min()) for name, values in loudest.items()}


def test_loud_and_quiet_channels_come_together_and_the_answers_stay() -> None:
    model = network()
    before, expected = unevenness(model), answer(model)
    equalize(model, feeds)
    onnx.checker.check_model(model, full_check=True)
    np.testing.assert_allclose(answer(model), expected, rtol=1e-4, atol=1e-4)
    after = unevenness(model)
    assert all(value > 1e3 for value in before.values())
    assert all(value < 50 for value in after.values())


@pytest.mark.parametrize(
    "changed", [{"padding": 0.5}, {"added": 0.5}, {"shared_bias": True}, {"groups": 2}, {"silent": True}]
)
def test_the_answers_stay_in_networks_that_hold_factors_back(changed: dict[str, float]) -> None:
    model = network(**changed)  # type: ignore[arg-type]
    expected = answer(model)
    equalize(model, feeds)
    np.testing.assert_allclose(answer(model), expected, rtol=1e-4, atol=1e-4)


def test_what_a_constant_is_added_to_is_left_alone() -> None:
    model = network(added=0.5)
    kernels = {node.name: _Graph(model).value(node, KERNEL) for node in _Graph(model).convolutions()}
    equalize(model, feeds)
    graph = _Graph(model)
    kept = {node.name: np.array_equal(graph.value(node, KERNEL), kernels[node.name]) for node in graph.convolutions()}
    assert kept == {"stem": True, "inner": False, "outer": False, "head": True}


def test_activations_in_8_bits_answer_more_exactly_once_equalized() -> None:
    def error(model: onnx.ModelProto) -> float:
        """Round every activation to 256 steps, as int8 inference does, and see what becomes of the answers."""
        expected = answer(model)
        loudest = _observe(model, feeds, "ReduceMax", {"stem_relu", "inner_relu", "sum_relu"})
        nodes = list(model.graph.node)
        del model.graph.node[:]
        for node in nodes:
            model.graph.node.append(node)
            if node.op_type == "Relu":
                exact, name = f"{node.output[0]}_exact", node.output[0]
                model.graph.node[-1].output[0] = exact
                step = numpy_helper.from_array(np.float32(loudest[name].max() / 255), f"{name}_step")
                zero = numpy_helper.from_array(np.uint8(0), f"{name}_zero")
                model.graph.initializer.extend([step, zero])
                scale = [step.name, zero.name]
                model.graph.node.append(helper.make_node("QuantizeLinear", [exact, *scale], [f"{name}_steps"]))
                model.graph.node.append(helper.make_node("DequantizeLinear", [f"{name}_steps", *scale], [name]))
        return float(np.abs(answer(model) - expected).mean() / expected.std())

    before, after = network(), network()
    equalize(after, feeds)
    assert error(after) < 0.1 * error(before)


def test_a_corrected_bias_keeps_the_mean_where_kernels_are_rounded() -> None:
    expected = answer(network())

    def shift(model: onnx.ModelProto) -> float:
        round_kernels(model)
        return float(np.abs((answer(model) - expected).mean(axis=(0, 2, 3))).max())

    corrected = network()
    correct_biases(corrected, feeds)
    onnx.checker.check_model(corrected, full_check=True)
    assert shift(corrected) < 0.3 * shift(network())


def test_a_convolution_that_is_not_rounded_keeps_its_bias() -> None:
    model = network()
    correct_biases(model, feeds, skip=["stem", "inner", "outer", "head"])
    assert model == network()


def test_kernels_are_rounded_by_output_channel_and_stay_so() -> None:
    kernel = np.random.default_rng(3).normal(0, 1, (4, 5, 3, 3)) * np.array([1e-6, 1, 100, 0]).reshape(-1, 1, 1, 1)
    once = rounded(kernel)
    np.testing.assert_allclose(np.abs(once).max(axis=(1, 2, 3)), np.abs(kernel).max(axis=(1, 2, 3)), rtol=1e-12)
    assert all(len(np.unique(np.abs(channel))) <= 128 for channel in once)
    np.testing.assert_allclose(rounded(once), once, rtol=1e-12)
