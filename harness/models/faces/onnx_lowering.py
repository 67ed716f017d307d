"""ONNX models in the words that onnx2torch knows: copies taken out, GELU written out, operator set 17.

torch's exporter names equal weights once and copies them by Identity, which onnx2torch does not take for weights; GELU
is one operator from set 20 on and has no older form for onnx's own lowering. gelu(x) = x (1 + erf(x / √2)) / 2.
"""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

OPSET = 17  # the newest that onnx2torch 1.5.15 reads throughout


class NotLowered(ValueError):
    """A model has operators that have no older form."""


def lowered(model: Any) -> Any:
    """The same function as a ModelProto of operator set 17 at most. Raises NotLowered."""
    _without_copies(model.graph)
    _layer_norms_by_shape_at_hand(model.graph)
    if all(o.version <= OPSET for o in model.opset_import if o.domain == ""):
        return model
    _gelu_written_out(model.graph)
    try:
        return import_module("onnx.version_converter").convert_version(model, OPSET)
    except RuntimeError as error:
        raise NotLowered(" ".join(str(error).split())) from error


def _without_copies(graph: Any) -> None:
    """Identity nodes taken out, but for those that make an output of the graph."""
    outputs = {o.name for o in graph.output}
    same: dict[str, str] = {}
    kept = []
    for node in graph.node:
        inputs = [same.get(i, i) for i in node.input]
        del node.input[:]
        node.input.extend(inputs)
        if node.op_type == "Identity" and node.domain == "" and node.output[0] not in outputs:
            same[node.output[0]] = inputs[0]
        else:
            kept.append(node)
    _replace(graph, kept)


def _layer_norms_by_shape_at_hand(graph: Any) -> None:
    """Their scale behind a copy: onnx2torch then takes the normalised shape from the tensor that comes, where it would
    read a shape that inference may not have found (a free batch size behind a reshape)."""
    helper = import_module("onnx.helper")
    made = []
    for node in graph.node:
        if node.op_type == "LayerNormalization" and node.domain == "":
            copy = f"{node.output[0]}.scale"
            made.append(helper.make_node("Identity", [node.input[1]], [copy], name=f"{copy}.copy"))
            node.input[1] = copy
        made.append(node)
    _replace(graph, made)


def _gelu_written_out(graph: Any) -> None:
    helper, numpy_helper = import_module("onnx.helper"), import_module("onnx.numpy_helper")
    import numpy as np

    constants = {"gelu.root": math.sqrt(2.0), "gelu.one": 1.0, "gelu.half": 0.5}
    made = []
    for node in graph.node:
        if node.op_type != "Gelu" or node.domain != "":
            made.append(node)
            continue
        if any(a.name == "approximate" and a.s == b"tanh" for a in node.attribute):
            raise NotLowered(f"Gelu {node.name} by tanh")
        x, y = node.input[0], node.output[0]
        a, b, c, d = (f"{y}.gelu.{k}" for k in "abcd")
        steps = [("Div", (x, "gelu.root"), a), ("Erf", (a,), b), ("Add", (b, "gelu.one"), c), ("Mul", (x, c), d)]
        steps.append(("Mul", (d, "gelu.half"), y))
        made.extend(helper.make_node(op, list(given), [out], name=f"{out}.{op}") for op, given, out in steps)
    if len(made) != len(graph.node):
        for name, value in constants.items():
            graph.initializer.append(numpy_helper.from_array(np.array(value, dtype=np.float32), name))
    _replace(graph, made)


def _replace(graph: Any, nodes: list[Any]) -> None:
    copies = [type(n).FromString(n.SerializeToString()) for n in nodes]
    del graph.node[:]
    graph.node.extend(copies)
