"""Any ONNX recogniser with a declared preprocessing: one input (n, 3, side, side), one output (n, D).

HARNESS_WEIGHTS/NAME.recogniser.yaml:

    recogniser: onnx-file
    file: magface.onnx
    side: 112
    order: bgr
    mean: [0.0]
    std: [255.0]
    align: arcface112
    lineage: {weights: magface-r100, training: ms1mv2, architecture: resnet}
    released: "2021-03-11"
    licence: Apache-2.0

What the mean and std are is not in the file: wrong ones give a recogniser that is weak without a word, so state them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.models.faces.embedder import NetworkFile
from harness.models.faces.embedding import Network


@dataclass(frozen=True, kw_only=True)
class OnnxFile(NetworkFile):
    """A user's ONNX file."""

    kind: ClassVar[str] = "onnx-file"
    needs: ClassVar[tuple[str, ...]] = ("onnxruntime",)
    gradients_need: ClassVar[tuple[str, ...]] = ("onnx", "onnx2torch")

    def network(self, device: str, *, gradient: bool) -> Network:
        from harness.models.faces.onnx_network import converted, runtime

        return converted(self.path, device, self.side, self.name) if gradient else runtime(self.path, device)
