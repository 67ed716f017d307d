"""The generator of a GAN: latent vectors to pictures, residual and modulated by the latent at every resolution."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.models.zoo.card import load_safetensors


class Up(nn.Module):
    """Twice the side: two 3x3 convolutions around a shortcut; gain and bias of the first norm come from the latent."""

    def __init__(self, width: int, out: int, latent: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(width, affine=False)
        self.style = nn.Linear(latent, 2 * width)
        self.first = nn.Conv2d(width, out, 3, padding=1)
        self.middle = nn.BatchNorm2d(out)
        self.second = nn.Conv2d(out, out, 3, padding=1)
        self.shortcut = nn.Conv2d(width, out, 1)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        gain, bias = self.style(z)[:, :, None, None].chunk(2, dim=1)
        y = functional.relu(torch.addcmul(bias, self.norm(x), 1 + gain))
        y = self.first(functional.interpolate(y, scale_factor=2, mode="nearest"))
        y = self.second(functional.relu(self.middle(y)))
        result: Tensor = y + functional.interpolate(self.shortcut(x), scale_factor=2, mode="nearest")
        return result


class Generator(nn.Module):
    """Latents (N, latent) of N(0, I) to pictures (N, 3, 64, 64) float32 in [0, 1].

    Convolutions end at 32x32: the last one gives the four pixels of each place, which is what one CPU core can train.
    """

    def __init__(self, latent: int = 64, widths: tuple[int, int, int, int] = (160, 160, 80, 40)) -> None:
        super().__init__()
        self.latent, self.widths = latent, tuple(widths)
        w4, w8, w16, w32 = widths
        self.stem = nn.Linear(latent, w4 * 16)
        self.up8 = Up(w4, w8, latent)
        self.up16 = Up(w8, w16, latent)
        self.up32 = Up(w16, w32, latent)
        self.norm = nn.BatchNorm2d(w32)
        self.head = nn.Conv2d(w32, 12, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """Pictures (N, 3, 64, 64). Raises ValueError for latents of another size."""
        if z.ndim != 2 or z.shape[1] != self.latent:
            raise ValueError(f"latents have shape {tuple(z.shape)}, expected (N, {self.latent})")
        x = self.stem(z).unflatten(1, (-1, 4, 4))
        for block in (self.up8, self.up16, self.up32):
            x = block(x, z)
        x = self.head(functional.relu(self.norm(x)))
        return torch.sigmoid(functional.pixel_shuffle(x, 2).to(torch.promote_types(x.dtype, torch.float32)))

    @classmethod
    def load(cls, folder: str | Path) -> Generator:
        """The generator stored in `folder`, in evaluation mode. Raises WeightsChanged when a hash differs."""
        folder = Path(folder)
        config = json.loads((folder / "config.json").read_text())
        w4, w8, w16, w32 = (int(w) for w in config["widths"])
        model = cls(int(config["latent"]), (w4, w8, w16, w32))
        model.load_state_dict(load_safetensors(folder), strict=False)
        return model.eval().requires_grad_(False)

    def save(self, folder: str | Path) -> None:
        """Writes config.json and float16 weights into `folder`; the card is the recipe's to write."""
        from safetensors.torch import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        config = {"latent": self.latent, "widths": list(self.widths), "size_px": 64, "range": [0.0, 1.0]}
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        weights = {k: v for k, v in self.state_dict().items() if not k.endswith("num_batches_tracked")}
        save_file({k: v.half().contiguous() for k, v in weights.items()}, folder / "model.safetensors")
