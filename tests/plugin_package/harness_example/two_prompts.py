"""Two prompts: text to image on a fixed pair of prompts."""

from __future__ import annotations

from dataclasses import dataclass

from harness.options import option
from harness.tasks.text_to_image import TextToImage


@dataclass(frozen=True)
class TwoPrompts(TextToImage):
    """Text to image with the prompts given by the task itself."""

    prompts: str | tuple[str, ...] = option(("a portrait of a person", "a portrait of a baker"), help="the pair")

    name = "two_prompts"
