"""Preparation for int8: the network computes the same function and loses less when it is rounded."""

from collections.abc import Iterator

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from contract.onnx_runtime import open_session
from training.artifact.equalize import KERNEL, _channel_statistics, _Graph, correct_biases, equalize, rounded

SIDE = 12


def feeds() -> Iterator[dict[str, np.ndarray]]:
    random = np.random.default_rng(7)
    for _ in range(3):
        yield {"pictures": random.normal(0.3, 1.0, (5, 3, SIDE, SIDE)).astype(np.float32)}


def network(
    *, padding: float = 0.0, added: float = 0.0, shared_bias: bool = False, groups: int = 1, zero_channel: bool = False
) -> onnx.ModelProto:
    """Build a stem with pooling, a residual block and a head, with channels of very different ranges."""
    random = np.random.default_rng(1)
    ranges = {name: 10 ** random.uniform(-2, 2, 8) for name in ("stem", "inner", "outer")}

    def kernel(out: int, read: int, side: int, after: np.ndarray | float, before: np.ndarray | float) -> np.ndarray:
        values = random.normal(0, 1 / np.sqrt(read * side * side), (out, read, side, side))
        return np.asarray(values * np.reshape(after, (-1, 1, 1, 1)) / np.reshape(before, (1, -1, 1, 1)))

    constants = {
        "stem_w": kernel(8, 3, 3, ranges["stem"], 1.0),
        "stem_b": random.normal(0, 0.3, 8) * ranges["stem"],
        "inner_w": kernel(8, 8, 1, ranges["inner"], ranges["stem"]),
        "inner_b": random.normal(0, 0.3, 8) * ranges["inner"],
        "outer_w": kernel(8, 8 // groups, 3, ranges["stem"], ranges["inner"] if groups == 1 else 1.0),
        "outer_b": random.normal(0, 0.3, 8) * ranges["stem"],
        "head_w": kernel(4, 8, 1, 1.0, ranges["stem"]),
        "head_b": random.normal(0, 0.3, 4),
        "padding": np.array(padding),
        "added": np.array(added),
    }
    if zero_channel:
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
        helper.make_node("Conv", ["sum_relu", "head_w", "head_b"], ["logits"], "head"),
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
    input_info = helper.make_tensor_value_info("pictures", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])
    output_info = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 4, "height", "width"])
    graph = helper.make_graph(nodes, "network", [input_info], [output_info], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def run(model: onnx.ModelProto) -> np.ndarray:
    session = open_session(model.SerializeToString())
    return np.concatenate([session.run(["logits"], feed)[0] for feed in feeds()])


def round_kernels(model: onnx.ModelProto) -> None:
    graph = _Graph(model)
    for node in graph.convolutions():
        graph.replace(node, KERNEL, rounded(graph.value(node, KERNEL)))
    graph.drop_unused_constants()


def range_ratios(model: onnx.ModelProto) -> dict[str, float]:
    largest = _channel_statistics(model, feeds, "ReduceMax", {"stem_relu", "inner_relu", "sum_relu"})
    return {name: float(values.max() / values.min()) for name, values in largest.items()}


def test_channel_ranges_become_similar_and_the_outputs_stay_the_same() -> None:
    model = network()
    before, expected = range_ratios(model), run(model)
    equalize(model, feeds)
    onnx.checker.check_model(model, full_check=True)
    np.testing.assert_allclose(run(model), expected, rtol=1e-4, atol=1e-4)
    after = range_ratios(model)
    assert all(value > 1e3 for value in before.values())
    assert all(value < 50 for value in after.values())


@pytest.mark.parametrize(
    "changed", [{"padding": 0.5}, {"added": 0.5}, {"shared_bias": True}, {"groups": 2}, {"zero_channel": True}]
)
def test_the_outputs_stay_the_same_in_networks_that_block_factors(changed: dict[str, float]) -> None:
    model = network(**changed)  # type: ignore[arg-type]
    expected = run(model)
    equalize(model, feeds)
    np.testing.assert_allclose(run(model), expected, rtol=1e-4, atol=1e-4)


def test_an_activation_with_an_added_constant_is_not_changed() -> None:
    model = network(added=0.5)
    kernels = {node.name: _Graph(model).value(node, KERNEL) for node in _Graph(model).convolutions()}
    equalize(model, feeds)
    graph = _Graph(model)
    unchanged = {
        node.name: np.array_equal(graph.value(node, KERNEL), kernels[node.name]) for node in graph.convolutions()
    }
    assert unchanged == {"stem": True, "inner": False, "outer": False, "head": True}


def test_equalized_activations_lose_less_in_8_bits() -> None:
    def error(model: onnx.ModelProto) -> float:
        """Round every activation to 256 levels, as int8 inference does, and measure the error of the outputs."""
        expected = run(model)
        largest = _channel_statistics(model, feeds, "ReduceMax", {"stem_relu", "inner_relu", "sum_relu"})
        nodes = list(model.graph.node)
        del model.graph.node[:]
        for node in nodes:
            model.graph.node.append(node)
            if node.op_type == "Relu":
                exact, name = f"{node.output[0]}_exact", node.output[0]
                model.graph.node[-1].output[0] = exact
                step = numpy_helper.from_array(np.array(largest[name].max() / 255, np.float32), f"{name}_step")
                zero = numpy_helper.from_array(np.array(0, np.uint8), f"{name}_zero")
                model.graph.initializer.extend([step, zero])
                scale = [step.name, zero.name]
                model.graph.node.append(helper.make_node("QuantizeLinear", [exact, *scale], [f"{name}_steps"]))
                model.graph.node.append(helper.make_node("DequantizeLinear", [f"{name}_steps", *scale], [name]))
        return float(np.abs(run(model) - expected).mean() / expected.std())

    before, after = network(), network()
    equalize(after, feeds)
    assert error(after) < 0.1 * error(before)


def test_a_corrected_bias_keeps_the_mean_when_kernels_are_rounded() -> None:
    expected = run(network())

    def shift(model: onnx.ModelProto) -> float:
        round_kernels(model)
        return float(np.abs((run(model) - expected).mean(axis=(0, 2, 3))).max())

    corrected = network()
    correct_biases(corrected, feeds)
    onnx.checker.check_model(corrected, full_check=True)
    assert shift(corrected) < 0.3 * shift(network())


def test_a_skipped_convolution_keeps_its_bias() -> None:
    model = network()
    correct_biases(model, feeds, skip=["stem", "inner", "outer", "head"])
    assert model == network()


def test_kernels_are_rounded_with_a_scale_for_each_output_channel() -> None:
    kernel = np.random.default_rng(3).normal(0, 1, (4, 5, 3, 3)) * np.array([1e-6, 1, 100, 0]).reshape(-1, 1, 1, 1)
    once = rounded(kernel)
    np.testing.assert_allclose(np.abs(once).max(axis=(1, 2, 3)), np.abs(kernel).max(axis=(1, 2, 3)), rtol=1e-12)
    assert all(len(np.unique(np.abs(channel))) <= 128 for channel in once)
    np.testing.assert_allclose(rounded(once), once, rtol=1e-12)
