"""Loaders and manifests for users' own data and public sets. Sets of images are named in a suite's `data` section."""

from __future__ import annotations

from harness.data.image_set import ImageSet
from harness.registry import Registry

IMAGE_SETS: Registry[type[ImageSet]] = Registry(
    kind="data",
    base=lambda: ImageSet,
    entries={
        "avatars/prompts": "harness.data.avatars:AvatarsForPrompts",
        "avatars/train": "harness.data.avatars:AvatarsTrain",
        "avatars/heldout": "harness.data.avatars:AvatarsHeldout",
        "digits/train": "harness.data.digits:DigitsTrain",
        "digits/heldout": "harness.data.digits:DigitsHeldout",
        "folder": "harness.data.folder:ImageFolder",
        "npz": "harness.data.npz:ImageNpz",
        "parquet": "harness.data.parquet:ImageParquet",
        "hub": "harness.data.hub:HubImages",
        "statistics": "harness.data.statistics:Statistics",
    },
)
