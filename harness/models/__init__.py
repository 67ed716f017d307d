"""The models: adapters, one folder a family, and the zoo of shipped weights. Plug-ins: entry point `harness.models`."""

from __future__ import annotations

from harness.models.model import Model
from harness.registry import Registry

MODELS: Registry[type[Model]] = Registry(
    kind="model",
    base=lambda: Model,
    entries={
        "avatars-sd": "harness.models.diffusion.zoo:AvatarsSd",
        "digits-sd": "harness.models.diffusion.zoo:DigitsSd",
        "diffusers": "harness.models.diffusion.hub:Diffusers",
        "commands-codec": "harness.models.speech.commands_codec:CommandsCodec",
        "encodec": "harness.models.speech.published:Encodec",
        "hifigan": "harness.models.speech.published:HifiGan",
        "avatars-gan": "harness.models.gan:AvatarsGan",
        "torch_hub_gan": "harness.models.torch_hub:TorchHubGan",
        "face-recognisers": "harness.models.recogniser_set:FaceRecognisers",
        "programs-t5": "harness.models.seq2seq:ProgramsT5",
        "seq2seq": "harness.models.seq2seq:Seq2Seq",
        "digits-mlp": "harness.models.vision.adapters:DigitsMlp",
        "digits-resnet": "harness.models.vision.adapters:DigitsResNet",
        "cifar-resnet18": "harness.models.vision.adapters:CifarResNet18",
        "vision-classifier": "harness.models.vision.adapters:VisionClassifier",
    },
)
