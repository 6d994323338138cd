"""Makes a float32 ONNX model ready for int8: the same function, in numbers that 8 bits round less.

Both steps are of Nagel et al. 2019 (Data-Free Quantization, arXiv:1906.04721), with the statistics of some training
pictures in place of those of batch normalization, and with SmoothQuant's factors (Xiao et al. 2022, arXiv:2211.10438),
since weights have a scale for each output channel here. They cost nothing when serving.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import onnx
import onnxruntime

Feeds = Callable[[], Iterable[dict[str, np.ndarray]]]  # batches of the model's inputs, from the first at every call

KERNEL, BIAS = 1, 2  # which input of a convolution is which
LEVELS: Final = 127  # of an int8 weight on either side of zero; the scale makes the greatest of a channel the last one
LEAST: Final = 1e-3  # a channel quieter than this, beside the loudest, is taken to be this loud: it may be silent

_KEEP_CHANNELS: Final = frozenset({"Relu", "MaxPool", "Add", "Pad"})  # and let a positive factor through


def equalize(model: onnx.ModelProto, feeds: Feeds) -> None:
    """Share out what each channel needs between the convolutions before and after it, in place.

    All channels of an activation are rounded in the same steps, so its loudest decide how much is left of the quiet
    ones. A channel may be divided by any positive number where it is made if the kernels that read it are multiplied by
    it, for all that lies between lets such a factor through (Nagel et al., section 4.1). Channels that meet in a sum
    share theirs, all along a stage's shortcut. The factor makes a channel as loud, beside the others, as the weights
    that read it (Xiao et al., equation 4, with an alpha of 0.5).

    Args:
        model: with batch normalization folded into the convolutions. What reaches an output of the model, or anything
            but convolutions, rectifiers, sums and maximum pooling, is left alone.
        feeds: pictures, to find how loud a channel gets.
    """
    graph = _Graph(model)
    groups = _groups(graph)
    loudest = _observe(model, feeds, "ReduceMax", {name for group in groups for name in group.rectified})
    for group in groups:
        activation = _levels([loudest[name] for name in group.rectified])
        weights = _levels([np.abs(graph.value(node, KERNEL)).max(axis=(0, 2, 3)) for node in group.readers])
        factor = np.sqrt(activation / weights)
        graph.divide(group, factor / np.exp(np.log(factor).mean()))
    graph.tidy()


def correct_biases(model: onnx.ModelProto, feeds: Feeds, skip: Iterable[str] = ()) -> None:
    """Take out of each bias what rounding the kernel will add to the mean of the output, in place.

    What is rounded off a kernel does not average out, since after a rectifier no input is negative: it shifts each
    channel of the output, on all pictures alike, and from layer to layer the shifts add up (Nagel et al., section 4.2).
    The kernels themselves stay as they are; whoever rounds them does so to `LEVELS`, with a scale for each output
    channel.

    Args:
        model: with batch normalization folded into the convolutions.
        feeds: pictures, to find the mean of each input channel; the few zeros around a picture are not counted in.
        skip: names of convolutions that will not be rounded.
    """
    graph = _Graph(model)
    nodes = [node for node in graph.convolutions() if node.name not in set(skip)]
    means = _observe(model, feeds, "ReduceMean", {node.input[0] for node in nodes})
    for node in nodes:
        kernel = graph.value(node, KERNEL)
        added = (rounded(kernel) - kernel).sum(axis=(2, 3)) @ means[node.input[0]]
        graph.give(node, BIAS, graph.value(node, BIAS) - added)
    graph.tidy()


def rounded(kernel: np.ndarray) -> np.ndarray:
    """Round a kernel, shape (out, in, height, width), to what int8 makes of it with a scale for each output channel."""
    scale = np.maximum(np.abs(kernel).max(axis=(1, 2, 3), keepdims=True), np.finfo(np.float32).tiny) / LEVELS
    steps: np.ndarray = np.round(kernel / scale) * scale
    return steps


@dataclass(eq=False)
class _Group:
    """Activations whose channels share their factors, with the convolutions that make them and that read them."""

    makers: list[onnx.NodeProto] = field(default_factory=list)
    readers: list[onnx.NodeProto] = field(default_factory=list)
    rectified: list[str] = field(default_factory=list)


class _Graph:
    """A model's nodes and constants; a constant that is given anew belongs to its node alone."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        self.constants = {constant.name: constant for constant in model.graph.initializer}

    def convolutions(self) -> list[onnx.NodeProto]:
        """List those of all channels at once, with a bias, whose kernel and bias are constants."""
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

    def give(self, node: onnx.NodeProto, which: int, value: np.ndarray) -> None:
        """Put a constant, as float32, in the place of an input of a node."""
        name = f"{node.name}/{which}"
        if name not in self.constants:
            self.constants[name] = self.graph.initializer.add()
        self.constants[name].CopyFrom(onnx.numpy_helper.from_array(value.astype(np.float32), name))
        node.input[which] = name

    def divide(self, group: _Group, factor: np.ndarray) -> None:
        """Divide a group's channels by positive numbers, shape (channels,), and make up for it where they are read."""
        for node in group.makers:
            self.give(node, KERNEL, self.value(node, KERNEL) / factor[:, None, None, None])
            self.give(node, BIAS, self.value(node, BIAS) / factor)
        for node in group.readers:
            self.give(node, KERNEL, self.value(node, KERNEL) * factor[None, :, None, None])

    def tidy(self) -> None:
        """Drop the constants that no node reads any more."""
        read = {name for node in self.graph.node for name in node.input}
        kept = [constant for constant in self.graph.initializer if constant.name in read]
        del self.graph.initializer[:]
        self.graph.initializer.extend(kept)


def _groups(graph: _Graph) -> list[_Group]:
    """Find the activations that share factors: union-find over the nodes that keep channels apart."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while (above := parent.setdefault(name, name)) != name:
            name = above
        return name

    nodes, convolutions = list(graph.graph.node), {id(node) for node in graph.convolutions()}
    through = {id(node) for node in nodes if node.op_type in _KEEP_CHANNELS and _lets_factors_through(node, graph)}
    for node in nodes:
        if id(node) in through:
            for name in _activations(node, graph):
                parent[root(name)] = root(node.output[0])
    groups: dict[str, _Group] = defaultdict(_Group)
    fixed = {root(value.name) for value in (*graph.graph.input, *graph.graph.output)}
    for node in nodes:
        if id(node) in convolutions:
            groups[root(node.output[0])].makers.append(node)
            groups[root(node.input[0])].readers.append(node)
        elif id(node) not in through:
            fixed |= {root(name) for name in (*_activations(node, graph), *node.output)}
        if node.op_type == "Relu":
            groups[root(node.output[0])].rectified.append(node.output[0])
    free = [group for at, group in groups.items() if at not in fixed]
    return [group for group in free if group.makers and group.readers and group.rectified]


def _lets_factors_through(node: onnx.NodeProto, graph: _Graph) -> bool:
    """Tell whether scaling all inputs scales the output; a constant that is added, or padded with, would not scale."""
    constants = [graph.constants[name] for name in node.input if name in graph.constants]
    if node.op_type == "Pad":
        padding = [constant for constant in constants if constant.name != node.input[1]]
        return all(not onnx.numpy_helper.to_array(constant).any() for constant in padding)
    return not constants


def _activations(node: onnx.NodeProto, graph: _Graph) -> list[str]:
    return [name for name in node.input if name and name not in graph.constants]


def _levels(of_each: list[np.ndarray]) -> np.ndarray:
    """Give each channel's greatest share of the whole, over several tensors that are each rounded by themselves."""
    shares = [values / max(float(values.max()), np.finfo(np.float32).tiny) for values in of_each]
    greatest: np.ndarray = np.maximum(np.max(shares, axis=0), LEAST)
    return greatest


def _observe(
    model: onnx.ModelProto, feeds: Feeds, how: Literal["ReduceMax", "ReduceMean"], names: set[str]
) -> dict[str, np.ndarray]:
    """Reduce activations, shape (N, channels, height, width), to a number for each channel, over all pictures."""
    if not names:  # without outputs, nothing would run
        return {}
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    ordered = sorted(names)
    del watched.graph.output[:]
    for number, name in enumerate(ordered):
        watched.graph.node.append(
            onnx.helper.make_node(how, [name], [f"observed_{number}"], axes=[0, 2, 3], keepdims=0)
        )
        watched.graph.output.append(
            onnx.helper.make_tensor_value_info(f"observed_{number}", onnx.TensorProto.FLOAT, [None])
        )
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    of_batches = [session.run(None, feed) for feed in feeds()]
    whole = np.max if how == "ReduceMax" else np.mean
    of_names = zip(ordered, zip(*of_batches, strict=True), strict=True)
    return {name: whole(values, axis=0).astype(np.float64) for name, values in of_names}
