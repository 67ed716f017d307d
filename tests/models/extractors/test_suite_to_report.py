"""Metrics on published networks from a suite to a report, offline: tiny checkpoints of the real classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.runs import run_suite
from harness.suite.errors import SuiteError

SUITE = """
suite: published-networks
version: 1
task:
  name: text_to_image
  prompts: [a portrait, a baker, a hat, a drawing, of a hat, a long prompt of a portrait of a baker]
  images_per_prompt: 4
model: {name: diffusers, path: PATH, steps: 2, guidance: 3}
data:
  reference: {name: avatars/heldout, n: 24}
  protected: {name: avatars/train, n: 10}
  heldout: {name: avatars/heldout, n: 12}
seeds: [0]
compare_to: iid
baselines: [iid]
methods: [cads]
metrics:
- fd.dinov2-vit-s-14
- kd.clip-vit-b-32
- {name: coverage.dinov2-vit-s-14, k: 2}
- {name: vendi.clip-vit-b-32, kernel: gaussian, bandwidth: 0.5}
- clip.vit-b-32
- {name: copy.sscd-disc-mixup, threshold: 0.9}
- {name: shield.inside.sscd-disc-mixup, radius: 0.7, normalize: unit}
- nn.sscd-disc-mixup.ratio
- pd.dinov2-vit-s-14.pairs
- {name: ms_ssim.pairs, scales: 1}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_published_network_goes_from_suite_to_report_one_pass_each(  # T70
    standins: Path, tmp_path: Path, tiny_pipeline: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.scoring import evidence

    seen: list[int] = []

    def counting(network: Any, images: Any, device: str) -> Any:
        seen.append(len(images))
        return one_pass(network, images, device)

    one_pass = evidence.one_pass
    monkeypatch.setattr(evidence, "one_pass", counting)
    tiny_pipeline("sd").save_pretrained(tmp_path / "model")
    plan = harness.plan(harness.load_suite(written(tmp_path, SUITE.replace("PATH", str(tmp_path / "model")))))
    made = run_suite(plan, out=tmp_path / "run", store=tmp_path / "store", executor="inline", device="cpu")
    scores = made.scores
    rows = scores[(scores.method == "iid") & (scores.seed == "0")].set_index("metric")
    assert {m: s for m, s in rows.status.items() if s != "ok"} == {}
    # each different cell of 24 images through three networks, and the sets that each needs, once
    cells = len({made.store.content(address) for address in made.cells["cell"]})
    assert sorted(seen) == sorted([24] * 3 * cells + [24, 24, 24, 10, 12])
    assert rows.value["clip.vit-b-32.truncated"] == 1  # prompts of more than twelve tokens
    for metric, part in (
        ("fd.dinov2-vit-s-14", "resize=pil-bicubic-f32-aa:224"),
        ("clip.vit-b-32", "scale=100,clamp=none"),
        ("vendi.clip-vit-b-32", "bandwidth=0.5"),
        ("copy.sscd-disc-mixup", "threshold=0.9"),
    ):
        assert part in rows.metric_id[metric]
    assert "clip.vit-b-32" in made.report.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ("[ssim]", "metric 'ssim' compares with the data role 'source', which is not in the suite's `data` section"),
        ("[fid]", "metric 'fid' compares with the data role 'reference'"),
        ("[copy.sscd-disc-mixup]", "metric 'copy.sscd-disc-mixup' compares with the data role 'protected'"),
        ("[fd.inception-clean]", "unknown metric 'fd.inception-clean'"),
        ("[clip.vit-b-23]", "unknown metric 'clip.vit-b-23'; did you mean 'clip.vit-b-32'?"),
        ("[{name: ms_ssim.pairs, scales: 6}]", "must be at most 5"),
        ("[{name: vendi.dinov2-vit-l-14, kernel: gaussian}]", "the gaussian kernel needs a bandwidth"),
    ],
)
def test_a_metric_that_cannot_be_fed_is_refused_before_anything_runs(metrics: str, said: str, tmp_path: Path) -> None:
    text = f"""
suite: refused
version: 1
task: {{name: text_to_image, prompts: [a, b], images_per_prompt: 2}}
model: avatars-sd
seeds: [0]
baselines: [iid]
metrics: {metrics}
"""
    with pytest.raises(SuiteError) as caught:
        harness.load_suite(written(tmp_path, text))
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["fid", "kid.legacy_tensorflow", "clip.vit-l-14", "ssim", "ms_ssim.pairs"])
def test_describe_says_unit_needs_and_id(name: str) -> None:
    from harness.cli.cards import cards

    (card,) = cards(name)
    found = dict(card.facts)
    assert {"unit", "direction", "estimator", "id", "needs", "source"} <= set(found)
    assert card.summary.endswith(".")
    assert "metrics.md" in card.text
