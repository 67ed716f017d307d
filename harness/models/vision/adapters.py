"""Classifiers by name: an architecture and its training recipe. Nothing is loaded: tasks train what they need.

The recipe's numbers are options of the model, so a suite declares them once, for the original, the retrained network
and every method.
"""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.models.model import Missing, Model, model
from harness.models.vision.recipe import Augmentation, Precision, Recipe, Schedule
from harness.options import nearest, option, params_of

if TYPE_CHECKING:
    from torch import nn

    from harness.models.vision.classifier import Blueprint


OURS = "ours: held-out accuracy of digits within two seconds on one core"
STARTING_KIT = "the starting kit's SGD .1, momentum .9, weight decay 5e-4, cosine: unlearning.md 6.1"
SALUN = "github.com/OPTML-Group/Unlearn-Saliency: 182 epochs, batch 256, crops and mirror images"


@dataclass(frozen=True)
class Trainable(Model):
    """A model that starts untrained. Subclasses give the network, and defaults of their own."""

    epochs: int = option(30, unit="epochs", at_least=1, help="passes over the training set", source="ours")
    batch: int = option(128, unit="examples", at_least=1, help="examples a step", source="ours")
    rate: float = option(0.1, unit="a step", above=0, help="learning rate at the start", source=STARTING_KIT)
    momentum: float = option(0.9, unit="1", at_least=0, below=1, help="momentum of SGD", source=STARTING_KIT)
    weight_decay: float = option(5e-4, unit="1", at_least=0, help="added to the gradient", source=STARTING_KIT)
    schedule: Schedule = option("cosine", help="how the rate falls: constant or cosine", source=STARTING_KIT)
    augment: Augmentation = option("none", help="what is done to training pictures: none or crop-flip", source="ours")
    precision: Precision = option("float32", help="of layers under autocast: float32 or bfloat16", source="ours")

    channels_last = False

    @abstractmethod
    def network(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        """The network for pictures (C, H, W) and so many classes; it reads normalised pixels."""

    @property
    def licence(self) -> str:
        return "Apache-2.0 (trained by the project)"

    def weights(self) -> Mapping[str, str]:
        return {}

    def missing(self) -> tuple[Missing, ...]:
        return ()

    def recipe(self) -> Recipe:
        """The recipe that the options declare."""
        names = ("epochs", "batch", "rate", "momentum", "weight_decay", "schedule", "augment", "precision")
        return Recipe(**{n: getattr(self, n) for n in names}, channels_last=self.channels_last)

    def open(self, device: str) -> Blueprint:
        from harness.models.vision.classifier import Blueprint

        text = json.dumps([self.name, self.version, params_of(self)], sort_keys=True)
        identity = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        return Blueprint(self.network, self.recipe(), identity, device)


@model("digits-mlp")
@dataclass(frozen=True)
class DigitsMlp(Trainable):
    """A perceptron of one hidden layer for small pictures."""

    width: int = option(128, unit="units", at_least=1, help="units of the hidden layer", source=OURS)
    epochs: int = option(40, unit="epochs", at_least=1, help="passes over the training set", source=OURS)
    batch: int = option(64, unit="examples", at_least=1, help="examples a step", source=OURS)

    def network(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        from harness.models.vision.networks import perceptron

        return perceptron(shape[0] * shape[1] * shape[2], classes, self.width)


@model("digits-resnet")
@dataclass(frozen=True)
class DigitsResNet(Trainable):
    """A residual network of two stages for small pictures."""

    width: int = option(16, unit="channels", at_least=1, help="channels of the first stage", source=OURS)
    epochs: int = option(8, unit="epochs", at_least=1, help="passes over the training set", source=OURS)
    batch: int = option(64, unit="examples", at_least=1, help="examples a step", source=OURS)

    def network(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        from harness.models.vision.networks import resnet

        return resnet(shape[0], classes, (self.width, 2 * self.width), (1, 1))


@model("cifar-resnet18")
@dataclass(frozen=True)
class CifarResNet18(Trainable):
    """ResNet-18 for pictures of 32×32: a stem of 3×3 without pooling, 11 million weights.

    Under autocast in bfloat16, channels last and with the data on the device an original takes minutes on a data-centre
    GPU; 182 epochs are what SalUn's repository trains.
    """

    width: int = option(64, unit="channels", at_least=1, help="channels of the first stage", source="arXiv 1512.03385")
    epochs: int = option(182, unit="epochs", at_least=1, help="passes over the training set", source=SALUN)
    batch: int = option(256, unit="examples", at_least=1, help="examples a step", source=SALUN)
    augment: Augmentation = option("crop-flip", help="what is done to training pictures", source=SALUN)
    precision: Precision = option("bfloat16", help="of layers under autocast: float32 or bfloat16", source="ours")

    channels_last = True

    def network(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        from harness.models.vision.networks import resnet

        return resnet(shape[0], classes, [self.width * 2**i for i in range(4)], (2, 2, 2, 2))


@model("vision-classifier")
@dataclass(frozen=True)
class VisionClassifier(Trainable):
    """Any architecture of torchvision or timm by its name, untrained; it reads pictures of three channels."""

    architecture: str = option("resnet18", help="name of the architecture", source="torchvision")
    library: Literal["torchvision", "timm"] = option("torchvision", help="whose name it is", source="ours")
    augment: Augmentation = option("crop-flip", help="what is done to training pictures", source=SALUN)
    precision: Precision = option("bfloat16", help="of layers under autocast: float32 or bfloat16", source="ours")

    channels_last = True

    def network(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        if shape[0] != 3:
            raise ValueError(f"{self.architecture} reads three channels; these pictures have {shape[0]}")
        made: nn.Module
        if self.library == "timm":
            try:
                import timm
            except ImportError as error:
                raise ImportError("library: timm is not installed; pip install timm") from error
            made = timm.create_model(self.architecture, pretrained=False, num_classes=classes)
            return made
        from torchvision import models

        if self.architecture not in models.list_models(module=models):
            near = nearest(self.architecture, models.list_models(module=models))
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"torchvision has no classifier {self.architecture!r}{hint}")
        made = models.get_model(self.architecture, weights=None, num_classes=classes)
        return made
