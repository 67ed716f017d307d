"""The search over references loses no pair, whatever the arithmetic, the storage and the cut (metrics.md 1.4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import keys
from harness.data import references as storage
from harness.data.references import References
from harness.methods.diversity import balls, search
from harness.methods.diversity.balls import Push, nearest, push

D = 256


@pytest.fixture(autouse=True)
def _always_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balls, "FEW_PAIRS", 0)


def _draw(count: int, *key: int | str, length: int = D) -> torch.Tensor:
    return torch.from_numpy(keys.generator(0, "world", *key).standard_normal((count, length), dtype=np.float32))


def _distances(x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """(N, K) float64 by differences, one pair at a time."""
    return torch.stack([(row.double() - z.double()).norm(dim=1) for row in x])


def _brute(x: torch.Tensor, z: torch.Tensor, radius: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Balls entered and the sum of the formula, in float64."""
    d = _distances(x, z)
    factor = torch.where((d > 0) & (d < radius), radius / d.clamp_min(1e-300) - 1, torch.zeros_like(d))
    away = x.double()[:, None] - z.double()[None]
    return (d < radius).sum(1), (factor[:, :, None] * away).sum(1)


def _agrees(found: Push, x: torch.Tensor, z: torch.Tensor) -> None:
    inside, delta = _brute(x, z, found.radius)
    assert found.inside.tolist() == inside.tolist()
    scale = float(delta.abs().max()) + 1e-300
    assert float((found.delta - delta).abs().max()) <= 1e-11 * max(scale, found.radius)
    assert bool((found.clear <= _distances(x, z).min(1).values * (1 + 1e-14)).all())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("offset", [0.0, 100.0, 3000.0])
@pytest.mark.parametrize("scale", [0.3, 1.0])
def test_the_search_is_the_float64_double_loop(dtype: torch.dtype, offset: float, scale: float) -> None:
    z = (_draw(300, "z") + offset).to(dtype)
    x = scale * _draw(7, "x") + offset
    x[0], x[1] = z[3].float() + 0.01, z[5].float()
    typical = float(_distances(x, z).median())
    for share in (0.05, 0.4, 0.97, 1.2):
        _agrees(push(x, References.of(z), share * typical), x, z)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_every_reference_a_hair_from_the_surface_is_on_its_side(sign: int, offset: float) -> None:
    """All references at the radius to 1e-9: float32 products cannot tell, and the sketch sees nothing."""
    x = _draw(3, "x") + offset
    u = _draw(200, "u").double()
    z = x[:1].double() + 7.0 * u / u.norm(dim=1, keepdim=True)
    distance = _distances(x, z)[0]
    radius = float(distance.max() * (1 + 1e-9) if sign > 0 else distance.min() * (1 - 1e-9))
    found = push(x, References.of(z), radius)
    assert int(found.inside[0]) == (200 if sign > 0 else 0)
    _agrees(found, x, z)


def test_a_radius_between_two_neighboring_references_takes_one_of_them() -> None:
    x, z = _draw(2, "x"), _draw(400, "z").half()
    ordered = _distances(x, z)[0].sort().values
    for k in (1, 10, 399):
        found = push(x, References.of(z), float((ordered[k - 1] + ordered[k]) / 2))
        assert int(found.inside[0]) == k


@pytest.mark.parametrize("kind", ["equal rows", "one row", "line", "zeros", "one far outlier", "nan row"])
def test_degenerate_references_lose_nothing(kind: str) -> None:
    z = _draw(200, "z")
    if kind == "equal rows":
        z[:] = z[0]
    elif kind == "one row":
        z = z[:1]
    elif kind == "line":
        z = torch.linspace(-3, 3, 200)[:, None] * z[:1]
    elif kind == "zeros":
        z = torch.zeros_like(z)
    elif kind == "one far outlier":
        z[17] *= 1e18  # its square overflows in float32
    x = z[:1].repeat(3, 1) + 0.01 * _draw(3, "x")
    if kind == "nan row":
        z[50] = torch.nan
    for radius in (0.1, 0.2, 15.0):
        found = push(x, References.of(z), radius)
        assert found.inside.tolist() == _brute(x, z, radius)[0].tolist()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), offset=st.sampled_from([0.0, 10.0, 500.0]), share=st.floats(0.01, 1.5))
def test_no_draw_loses_a_pair(seed: int, offset: float, share: float) -> None:
    z, x = _draw(90, "z", seed, length=64) + offset, _draw(20, "x", seed, length=64) + offset
    z[:10] = x[:10] + 0.1 * z[:10]
    radius = share * float(_distances(x, z).median())
    _agrees(push(x, References.of(z.half()), radius), x, z.half())


def test_products_in_bfloat16_only_widen_the_margin() -> None:
    """A user who allows fast products gets the same balls."""
    x, z = _draw(9, "x"), _draw(300, "z")
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        assert search._slack(D, torch.device("cpu")) > 2.0**-8
        _agrees(push(x, References.of(z), 20.0), x, z)
    finally:
        torch.set_float32_matmul_precision(before)


def test_the_margin_is_above_the_rounding_that_happens() -> None:
    """Worst of many products of like signs, the hardest for a sum."""
    for length in (64, 1024, 16384):
        x, z = _draw(8, "x", length=length).abs(), _draw(64, "z", length=length).abs()
        error = ((x @ z.T).double() - x.double() @ z.double().T).abs()
        assert bool(
            (error <= search._slack(length, x.device) * x.double().norm(dim=1)[:, None] * z.double().norm(dim=1)).all()
        )


def test_a_search_without_margin_would_lose_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: were products taken at their word, a large offset would rule out what is inside."""
    x = _draw(50, "x") + 3000.0
    z = x + 0.02 * _draw(50, "u")
    references = References.of(z)
    radius = 1.02 * float((x.double() - z.double()).norm(dim=1).max())
    _agrees(push(x, references, radius), x, z)
    monkeypatch.setattr(search, "_slack", lambda length, device: 0.0)
    references.center.zero_()  # the worst center
    broken = References.of(z, directions=0)
    broken.center.zero_()
    broken._measure()
    assert push(x, broken, radius).inside.tolist() != _brute(x, z, radius)[0].tolist()


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_written_store_is_the_tensor(dtype: str, tmp_path: Path) -> None:
    z = _draw(150, "z").to(getattr(torch, dtype))
    x = z[:4].float() + 0.3 * _draw(4, "x")
    written = References.write(tmp_path / "store", (len(z), D), dtype, lambda rows: rows.copy_(z))
    opened, held = References.open(tmp_path / "store"), References.of(z)
    assert opened.rows.dtype == z.dtype
    assert torch.equal(opened.rows, z)
    for name in ("center", "basis", "sketch", "squares"):
        assert torch.equal(getattr(opened, name), getattr(held, name)), name
        assert torch.equal(getattr(opened, name), getattr(written, name)), name
    one, other = push(x, opened, 6.0), push(x, held, 6.0)
    assert int(one.inside.sum()) >= 4
    assert torch.equal(one.delta, other.delta)
    _agrees(one, x, z)


def test_a_store_that_was_not_finished_is_not_there(tmp_path: Path) -> None:
    def breaks(rows: torch.Tensor) -> None:
        raise RuntimeError("no more images")

    with pytest.raises(RuntimeError, match="no more images"):
        References.write(tmp_path / "new", (30, D), "float16", breaks)
    with pytest.raises(FileNotFoundError):
        References.open(tmp_path / "new")
    References.write(tmp_path / "old", (5, D), "float16", lambda rows: rows.zero_())
    with pytest.raises(RuntimeError, match="no more images"):
        References.write(tmp_path / "old", (30, D), "float16", breaks)
    assert len(References.open(tmp_path / "old")) == 5
    assert len(References.write(tmp_path / "old", (7, D), "float32", lambda rows: rows.zero_())) == 7
    assert References.open(tmp_path / "old").rows.shape == (7, D)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    with pytest.raises(ValueError, match="must be"):
        References.of(torch.zeros(3))


def test_the_sketch_never_exceeds_the_distance_and_its_norm_is_the_points() -> None:
    z, x = _draw(300, "z"), 2.0 * _draw(20, "x")
    references = References.of(z)
    sketch, length = references.sketched(x)
    shown = torch.cdist(sketch, references.sketch.double(), compute_mode="donot_use_mm_for_euclid_dist")
    assert bool((shown <= _distances(x, z) * (1 + 1e-6)).all())
    assert torch.allclose(sketch.norm(dim=1), length, rtol=1e-12)
    assert torch.allclose(references.squares.sum(0).double().sqrt(), (z - references.center).double().norm(dim=1))


def test_a_sketch_of_points_near_a_plane_is_the_distance() -> None:
    """Where it pays: images live near few directions."""
    plane = _draw(4, "plane")
    z, x = _draw(300, "z", length=4) @ plane, _draw(5, "x", length=4) @ plane
    references = References.of(z)
    shown = torch.cdist(references.sketched(x)[0], references.sketch.double())
    assert torch.allclose(shown, _distances(x, z), rtol=1e-4)


def test_the_number_of_points_at_hand_changes_no_bit() -> None:
    z = _draw(500, "z").half()
    x = _draw(12, "x")
    x[:6] = z[:6].float() + 0.4
    references = References.of(z)
    together = push(x, references, 15.0)
    for i in range(12):
        alone = push(x[i : i + 1], references, 15.0)
        assert torch.equal(alone.delta[0], together.delta[i])
        assert torch.equal(alone.inside[0], together.inside[i])


def test_blocks_pieces_and_products_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    z, x = _draw(300, "z"), _draw(6, "x")
    whole = push(x, References.of(z), 21.5)
    for name, value in (("PAIRS_A_BLOCK", 6 * 37), ("NUMBERS_A_PRODUCT", 700)):
        monkeypatch.setattr(search, name, value)
    monkeypatch.setattr(storage, "NUMBERS_A_BLOCK", D * 11)
    cut = push(x, References.of(z), 21.5)
    assert 0 < int(whole.inside.sum()) < 6 * 300
    assert torch.equal(cut.delta, whole.delta)


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 50])
def test_pieces_through_two_buffers_are_the_rows(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    z = _draw(50, "z").half()
    monkeypatch.setattr(search, "BYTES_A_PIECE", rows * D * 2)
    index = torch.arange(1, 50, 2)
    pieces = [piece.clone() for piece in search.streamed(z, index, torch.device("cpu"))]
    assert torch.equal(torch.cat(pieces), z[index])
    assert max(map(len, pieces)) <= rows


def test_rows_far_away_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Points near the center are ruled out by norms alone; a fifth of the typical distance by a few coordinates."""
    z, read = _draw(400, "z"), []
    original = search._products

    def counted(x: Any, rows: Any, index: Any, a: int, b: int, buffer: Any) -> Any:
        read.append(len(index) * (b - a))
        return original(x, rows, index, a, b, buffer)

    monkeypatch.setattr(search, "_products", counted)
    references = References.of(z)
    push(0.01 * _draw(4, "x"), references, 5.0)
    assert sum(read) == 0
    push(_draw(4, "x"), references, 5.0)
    assert 0 < sum(read) < 0.35 * z.numel()


def test_the_nearest_is_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "PAIRS_A_BLOCK", 9 * 50)
    z, x = _draw(700, "z"), _draw(9, "x")
    x[0] = z[11]
    expected = _distances(x, z).min(1).values
    for centres in (z, References.of(z)):
        assert torch.allclose(nearest(x, centres), expected, rtol=1e-14, atol=0)
