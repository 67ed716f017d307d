"""What a CUDA device may not change: draws, decisions of the exact search, and images beyond rounding.

Run with `pytest -m gpu` (tox -e gpu) where there is a device; without one they fail, since whoever asks for them wants
them to run.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from harness import keys
from harness.data.references import References
from harness.engine import memory
from harness.methods.diversity.balls import nearest, push
from harness.methods.diversity.cads import Cads
from harness.methods.diversity.iid import Iid
from harness.methods.diversity.spell import Spell
from harness.methods.method import Group, Sampling
from harness.models import MODELS
from harness.models.diffusion.loop import sample
from harness.models.diffusion.samples import Samples
from harness.models.diffusion.stage import LoopStage

pytestmark = pytest.mark.gpu
PROMPTS = ("a portrait of a person", "a portrait of a baker")


def made(device: str, method: Sampling) -> Samples:
    model = MODELS.get("avatars-sd")(steps=8).open(device)
    groups = [Group(5, p, text, 0, (0, 1, 2, 3)) for p, text in enumerate(PROMPTS)]
    images = keys.generator(0, "world", "shield").integers(0, 256, (16, 64, 64, 3)).astype(np.uint8)
    stage = LoopStage(model, PROMPTS, lambda _: images, group_size=4)
    return sample(model, method.prepare(stage), groups, seed=5, micro_batch=8)


@pytest.mark.parametrize("method", [Iid(), Cads(), Spell(radius=9.0)], ids=lambda m: m.name)
def test_draws_are_the_same_and_images_differ_by_rounding(method: Sampling) -> None:
    here, there = made("cpu", method), made("cuda", method)
    assert here.digests["noise"] == there.digests["noise"]
    assert here.calls["conditional"] == there.calls["conditional"]
    np.testing.assert_allclose(there.latents, here.latents, rtol=0, atol=0.02 * here.latents.std())
    assert (np.abs(there.images.astype(int) - here.images) > 3).mean() < 0.01


def test_the_search_decides_on_the_device_as_on_the_cpu(tmp_path: Path) -> None:
    rows = keys.normal((5000, 512), 0, "world", "references")
    points = torch.cat([rows[:6] + 0.05 * keys.normal((6, 512), 1, "world", "points"), 3 * rows[6:10]])
    mapped = References.write(tmp_path / "set", (5000, 512), "float16", lambda out: out.copy_(rows.half()))
    radius = float(nearest(points, References.of(rows)).max()) * 1.01
    here = push(points, References.of(rows.half()), radius)
    for references in (References.of(rows.half()), References.of(rows.half().cuda()), mapped):
        there = push(points.cuda(), references, radius)  # the last one streams from the file through pinned buffers
        torch.testing.assert_close(there.delta.cpu(), here.delta, rtol=1e-9, atol=1e-12)
        assert torch.equal(there.inside.cpu(), here.inside)


def test_memory_that_runs_out_halves_the_micro_batch_and_changes_no_draw() -> None:
    model = MODELS.get("avatars-sd")(steps=2).open("cuda")
    groups = [Group(1, 0, PROMPTS[0], 0, tuple(range(64)))]
    whole = sample(model, Iid(), groups, seed=1, micro_batch=64)
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    ballast = torch.empty(max(0, free - 60 * 2**20), dtype=torch.uint8, device="cuda")
    try:
        tight = sample(model, Iid(), groups, seed=1, micro_batch=64)
    finally:
        del ballast
        torch.cuda.empty_cache()
    assert tight.digests["noise"] == whole.digests["noise"]
    assert tight.micro_batch < whole.micro_batch
    np.testing.assert_allclose(tight.latents, whole.latents, rtol=0, atol=0.02 * whole.latents.std())


def test_the_peak_of_device_memory_is_reported() -> None:
    memory.reset()
    made("cuda", Iid())
    assert memory.peak_mb()["device"] > 10
