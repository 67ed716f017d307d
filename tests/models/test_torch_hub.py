"""Generators of torch.hub: no foreign line runs without trust; latents, ranges and modules are the declared ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.keys import generator
from harness.models import MODELS
from harness.models.model import MissingWeights
from harness.models.torch_hub import NotTrusted, TorchHubGan
from harness.options import OptionError, build

HUBCONF = '''
dependencies = ["torch"]
import torch
from pathlib import Path

(Path(__file__).parent / "ran").touch()


class Net(torch.nn.Module):
    def __init__(self, side):
        super().__init__()
        self.first = torch.nn.Linear(6, 3 * 4 * 4)
        self.up = torch.nn.Upsample(side)
        with torch.no_grad():
            steps = torch.linspace(-1, 1, self.first.weight.numel())
            self.first.weight.copy_(steps.reshape(self.first.weight.shape))
            self.first.bias.zero_()

    def forward(self, z):
        assert z.ndim == 4, z.shape
        return self.up(torch.tanh(self.first(z.flatten(1))).unflatten(1, (3, 4, 4)))


class Trainer:
    """As pytorch_GAN_zoo: the generator is an attribute of what the entry point returns."""

    def __init__(self, side):
        self.avgG = Net(side)


def PGAN(side=8, useGPU=False):
    return Trainer(side)


def plain(side=8):
    return Net(side)
'''


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "hubconf.py").write_text(HUBCONF)
    return folder


def adapter(repo: Path | str, **changes: object) -> TorchHubGan:
    options = {
        "repo": str(repo),
        "entry_point": "PGAN",
        "latent_size": 6,
        "latent_shape": (6, 1, 1),
        "attribute": "avgG",
        "arguments": {"side": 16, "useGPU": False},
        "trust": True,
    }
    made: TorchHubGan = build(TorchHubGan, {**options, **changes})
    return made


def test_nothing_foreign_runs_without_trust(repo: Path) -> None:
    for model in (adapter(repo, trust=False), TorchHubGan(str(repo), "PGAN", 6)):
        with pytest.raises(NotTrusted, match="`trust: true`"):
            model.open("cpu")
        assert model.weights()
        assert model.missing() == ()
    assert not (repo / "ran").exists()


def test_a_trusted_directory_is_opened_without_a_network(repo: Path) -> None:
    session = adapter(repo, blocks=("first",), layers=("first",)).open("cpu")
    assert (repo / "ran").exists()
    latents = generator(0, "world").standard_normal((11, 6), dtype=np.float32)
    images = session.decode(latents)
    assert images.shape == (11, 16, 16, 3)
    assert images.dtype == np.uint8
    assert (session.decode(latents[4:5]) == images[4:5]).all()
    assert list(session.blocks) == list(session.layers) == ["first"]


def test_the_output_range_is_the_declared_one(repo: Path) -> None:
    import torch

    latents = torch.from_numpy(generator(0, "world").standard_normal((3, 6), dtype=np.float32))
    wide = adapter(repo).open("cpu").decode_tensor(latents)
    half = adapter(repo, low=-2.0, high=2.0).open("cpu").decode_tensor(latents)
    assert torch.allclose(wide - 0.5, 2 * (half - 0.5), atol=1e-6)
    assert float(wide.min()) >= 0
    assert float(adapter(repo, low=0.0, high=1.0).open("cpu").decode_tensor(latents).min()) == 0  # clipped
    with pytest.raises(ValueError, match="no range"):
        TorchHubGan(str(repo), "PGAN", 6, low=1.0, high=1.0)


def test_code_and_checkpoints_are_the_weights(repo: Path, tmp_path: Path) -> None:
    before = adapter(repo).weights()
    assert set(before) == {"hubconf.py"}
    (repo / "hubconf.py").write_text(HUBCONF + "\n# changed\n")
    assert adapter(repo).weights() != before
    outside = tmp_path / "celeba.pth"
    with pytest.raises(MissingWeights, match=r"celeba\.pth"):
        adapter(repo, checkpoints=(str(outside),)).open("cpu")
    outside.write_bytes(b"weights")
    assert "celeba.pth" in adapter(repo, checkpoints=(str(outside),)).weights()


def test_a_repository_is_never_fetched_but_looked_for_in_the_cache(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    model = adapter("facebookresearch/pytorch_GAN_zoo:hub")
    with pytest.raises(MissingWeights, match=r"git clone https://github.com/facebookresearch/pytorch_GAN_zoo -b hub"):
        model.open("cpu")
    cached = tmp_path / "torch" / "hub" / "facebookresearch_pytorch_GAN_zoo_hub"
    cached.parent.mkdir(parents=True)
    repo.rename(cached)
    assert model.open("cpu").decode(np.zeros((1, 6), np.float32)).shape == (1, 16, 16, 3)


def test_wrong_declarations_are_explained(repo: Path) -> None:
    with pytest.raises(TypeError, match=r"gave Trainer, not a module.*`attribute`"):
        adapter(repo, attribute="").open("cpu")
    with pytest.raises(ValueError, match="no attribute 'netG'"):
        adapter(repo, attribute="netG").open("cpu")
    with pytest.raises(ValueError, match="no module 'last'; one of first"):
        adapter(repo, blocks=("last",)).open("cpu")
    with pytest.raises(OptionError, match="latent_size"):
        build(TorchHubGan, {"repo": str(repo), "entry_point": "PGAN"})
    assert MODELS.get("torch_hub_gan") is TorchHubGan
