"""Prepare a float32 ONNX model for int8: the same function, with numbers that lose less when rounded to 8 bits.

Two steps of Nagel et al. 2019 (Data-Free Quantization, arXiv:1906.04721): cross-layer equalization and bias correction.
Their statistics come from training pictures instead of batch normalization. The factors are those of SmoothQuant (Xiao
et al. 2022, arXiv:2211.10438), because weights have one scale per output channel here. Serving becomes no slower.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import onnx

from contract.onnx_runtime import open_session

Feeds = Callable[[], Iterable[dict[str, np.ndarray]]]  # batches of the model's inputs; each call starts at the first

KERNEL, BIAS = 1, 2  # positions among the inputs of a convolution
LEVELS: Final = 127  # of an int8 weight on either side of zero; the largest weight of a channel has the level 127
SMALLEST_RANGE: Final = 1e-3  # of a channel, relative to the largest; smaller ones, such as zero, count as this

_CHANNELWISE: Final = frozenset({"Relu", "MaxPool", "Add", "Pad"})  # a positive factor of a channel passes through


def equalize(model: onnx.ModelProto, feeds: Feeds) -> None:
    """Equalize the ranges of the channels of each activation, in place.

    All channels of an activation are rounded with the same step size, so the channels with the largest values decide
    how precise the others are. A channel may be divided by any positive factor in the convolution that computes it if
    the kernels that read it are multiplied by the same factor: everything between passes such a factor through (Nagel
    et al., section 4.1). Activations that are added share their factors, along the whole shortcut of a stage. The
    factor balances the range of a channel with that of the weights that read it (Xiao et al., equation 4, with an
    alpha of 0.5).

    Args:
        model: with batch normalization folded into the convolutions. An activation stays as it is if an output of the
            model, or an operator other than convolution, ReLU, sum and maximum pooling, reads it.
        feeds: pictures, to find the largest value of each channel.
    """
    graph = _Graph(model)
    groups = _groups(graph)
    largest = _channel_statistics(model, feeds, "ReduceMax", {name for group in groups for name in group.rectified})
    for group in groups:
        activation = _relative_ranges([largest[name] for name in group.rectified])
        weights = _relative_ranges([np.abs(graph.value(node, KERNEL)).max(axis=(0, 2, 3)) for node in group.readers])
        factor = np.sqrt(activation / weights)
        graph.divide(group, factor / np.exp(np.log(factor).mean()))
    graph.drop_unused_constants()


def correct_biases(model: onnx.ModelProto, feeds: Feeds, skip: Iterable[str] = ()) -> None:
    """Subtract from each bias the error that rounding the kernel adds to the mean of the output, in place.

    The rounding errors of a kernel do not average out, because after a ReLU no input is negative. They shift each
    channel of the output by the same amount on all pictures, and the shifts add up from layer to layer (Nagel et al.,
    section 4.2). The kernels are not changed here; the quantizer rounds them later as `rounded` does.

    Args:
        model: with batch normalization folded into the convolutions.
        feeds: pictures, to find the mean of each input channel; the zero padding is not included.
        skip: names of convolutions that will not be rounded.
    """
    graph = _Graph(model)
    nodes = [node for node in graph.convolutions() if node.name not in set(skip)]
    means = _channel_statistics(model, feeds, "ReduceMean", {node.input[0] for node in nodes})
    for node in nodes:
        kernel = graph.value(node, KERNEL)
        shift = (rounded(kernel) - kernel).sum(axis=(2, 3)) @ means[node.input[0]]
        graph.replace(node, BIAS, graph.value(node, BIAS) - shift)
    graph.drop_unused_constants()


def rounded(kernel: np.ndarray) -> np.ndarray:
    """Round a kernel, shape (out, in, height, width), to int8 levels with one scale per output channel."""
    scale = np.maximum(np.abs(kernel).max(axis=(1, 2, 3), keepdims=True), np.finfo(np.float32).tiny) / LEVELS
    return np.asarray(np.round(kernel / scale) * scale)


@dataclass(eq=False)
class _Group:
    """Activations that share their factors, and the convolutions that compute and read them."""

    writers: list[onnx.NodeProto] = field(default_factory=list)
    readers: list[onnx.NodeProto] = field(default_factory=list)
    rectified: list[str] = field(default_factory=list)  # names of their ReLU outputs


class _Graph:
    """A model's nodes and constants; a constant that is replaced for one node stays the same for the others."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        self.constants = {constant.name: constant for constant in model.graph.initializer}

    def convolutions(self) -> list[onnx.NodeProto]:
        """List the convolutions with one group and with a constant kernel and bias."""
        return [
            node
            for node in self.graph.node
            if node.op_type == "Conv"
            and len(node.input) == 3
            and set(node.input[KERNEL:]) <= set(self.constants)
            and all(attribute.i == 1 for attribute in node.attribute if attribute.name == "group")
        ]

    def value(self, node: onnx.NodeProto, which: int) -> np.ndarray:
        """Read a constant input of a node, in float64."""
        return onnx.numpy_helper.to_array(self.constants[node.input[which]]).astype(np.float64)

    def replace(self, node: onnx.NodeProto, which: int, value: np.ndarray) -> None:
        """Replace an input of a node by a constant, in float32."""
        name = f"{node.name}/{which}"
        if name not in self.constants:
            self.constants[name] = self.graph.initializer.add()
        self.constants[name].CopyFrom(onnx.numpy_helper.from_array(value.astype(np.float32), name))
        node.input[which] = name

    def divide(self, group: _Group, factor: np.ndarray) -> None:
        """Divide a group's channels by positive factors, shape (channels,), and multiply the kernels that read them."""
        for node in group.writers:
            self.replace(node, KERNEL, self.value(node, KERNEL) / factor[:, None, None, None])
            self.replace(node, BIAS, self.value(node, BIAS) / factor)
        for node in group.readers:
            self.replace(node, KERNEL, self.value(node, KERNEL) * factor[None, :, None, None])

    def drop_unused_constants(self) -> None:
        """Remove the constants that no node reads."""
        read = {name for node in self.graph.node for name in node.input}
        used = [constant for constant in self.graph.initializer if constant.name in read]
        del self.graph.initializer[:]
        self.graph.initializer.extend(used)


def _groups(graph: _Graph) -> list[_Group]:
    """Find the activations that share factors, by union-find over the channelwise nodes."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while (next_name := parent.setdefault(name, name)) != name:
            name = next_name
        return name

    nodes, convolutions = list(graph.graph.node), {id(node) for node in graph.convolutions()}
    channelwise = {id(node) for node in nodes if node.op_type in _CHANNELWISE and _is_homogeneous(node, graph)}
    for node in nodes:
        if id(node) in channelwise:
            for name in _activations(node, graph):
                parent[root(name)] = root(node.output[0])
    groups: dict[str, _Group] = defaultdict(_Group)
    fixed = {root(value.name) for value in (*graph.graph.input, *graph.graph.output)}
    for node in nodes:
        if id(node) in convolutions:
            groups[root(node.output[0])].writers.append(node)
            groups[root(node.input[0])].readers.append(node)
        elif id(node) not in channelwise:
            fixed |= {root(name) for name in (*_activations(node, graph), *node.output)}
        if node.op_type == "Relu":
            groups[root(node.output[0])].rectified.append(node.output[0])
    free = [group for name, group in groups.items() if name not in fixed]
    return [group for group in free if group.writers and group.readers and group.rectified]


def _is_homogeneous(node: onnx.NodeProto, graph: _Graph) -> bool:
    """Return whether scaling all inputs scales the output: not if a constant other than 0 is added or padded with."""
    constants = [graph.constants[name] for name in node.input if name in graph.constants]
    if node.op_type == "Pad":
        padding = [constant for constant in constants if constant.name != node.input[1]]
        return all(not onnx.numpy_helper.to_array(constant).any() for constant in padding)
    return not constants


def _activations(node: onnx.NodeProto, graph: _Graph) -> list[str]:
    return [name for name in node.input if name and name not in graph.constants]


def _relative_ranges(ranges: list[np.ndarray]) -> np.ndarray:
    """Return each channel's range relative to that of its tensor, at most 1: the largest over several tensors."""
    relative = [values / max(float(values.max()), np.finfo(np.float32).tiny) for values in ranges]
    return np.asarray(np.maximum(np.max(relative, axis=0), SMALLEST_RANGE))


def _channel_statistics(
    model: onnx.ModelProto, feeds: Feeds, reduction: Literal["ReduceMax", "ReduceMean"], names: set[str]
) -> dict[str, np.ndarray]:
    """Reduce activations, shape (N, channels, height, width), over all pictures to shape (channels,), by name."""
    if not names:  # a session without outputs fails
        return {}
    observed = onnx.ModelProto()
    observed.CopyFrom(model)
    ordered = sorted(names)
    del observed.graph.output[:]
    for number, name in enumerate(ordered):
        observed.graph.node.append(
            onnx.helper.make_node(reduction, [name], [f"observed_{number}"], axes=[0, 2, 3], keepdims=0)
        )
        observed.graph.output.append(
            onnx.helper.make_tensor_value_info(f"observed_{number}", onnx.TensorProto.FLOAT, [None])
        )
    session = open_session(observed.SerializeToString())
    batches = [session.run(None, feed) for feed in feeds()]
    combine = np.max if reduction == "ReduceMax" else np.mean
    by_name = zip(ordered, zip(*batches, strict=True), strict=True)
    return {name: combine(values, axis=0).astype(np.float64) for name, values in by_name}
