"""Each known mistake in ten lines: a check that the real function passes and its buggy twin must fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.keys import generator
from harness.metrics.attribute_shares import smallest_share, total_variation
from harness.metrics.cluster_bootstrap import replicate_units
from harness.metrics.color_dominance import dominant, pooled_share
from harness.metrics.color_hue import mean_pair_hue
from harness.metrics.colorimetry import ciede2000, image_hue, lab
from harness.metrics.confusion import corrected
from harness.metrics.groups import groups_of
from harness.metrics.inputs import unit_rows
from harness.metrics.metric import Items, MetricId
from harness.metrics.neighbors import nearest, nearest_other
from harness.metrics.perceptual import mean_pair_distance
from harness.metrics.shield import inside

Check = Callable[[Callable[..., Any]], None]


def reject(check: Check, real: Callable[..., Any], *twins: Callable[..., Any]) -> None:
    """The check passes on the real function and fails on every twin."""
    check(real)
    for twin in twins:
        with pytest.raises(AssertionError):
            check(twin)


def test_percentages_divided_twice_by_the_number_of_batches() -> None:
    # The notebook's plot_improvement_over_time: its ratio of two methods with unequal batches is wrong.
    def check(share: Callable[..., float]) -> None:
        ours = share(np.array([1, 1, 1, 0]), np.zeros(4))
        base = share(np.array([1, 1, 1, 0] * 2), np.zeros(8))
        assert ours / base == pytest.approx(1.0)

    def divided_twice(hits: np.ndarray, prompt: np.ndarray) -> float:
        return pooled_share(hits, prompt) / len(hits)

    reject(check, pooled_share, divided_twice)


def test_shares_pooled_over_prompts_of_unequal_size() -> None:
    def check(share: Callable[..., float]) -> None:
        assert share(np.array([1, 0, 0, 0]), np.array([0, 1, 1, 1])) == pytest.approx(0.5)

    reject(check, pooled_share, lambda hits, prompt: float(hits.mean()))


def test_groups_formed_anew_from_consecutive_images() -> None:
    items = Items(np.zeros(6, np.int64), np.arange(6), np.array([0, 1, 0, 1, 0, 1]), ("x",))

    def check(groups: Callable[..., Any]) -> None:
        assert sorted(tuple(m.tolist()) for m in groups(items)) == [(0, 2, 4), (1, 3, 5)]

    reject(
        check,
        lambda i: groups_of(i).members,
        lambda i: np.split(np.arange(len(i)), 2),
    )


def test_a_tie_that_dominates() -> None:
    def check(colors: Callable[..., np.ndarray]) -> None:
        for low in range(20, 221, 20):
            tie = np.array([low * 23 // 20, low, 0]).astype(np.uint8).reshape(1, 1, 1, 3)
            assert colors(tie, 1.15)[0] == 3

    def at_least(pictures: np.ndarray, factor: float) -> np.ndarray:
        low, top = np.sort(pictures.reshape(-1, 3).astype(int))[:, 1:].T
        return np.where(top * 20 >= low * 23, 0, 3)

    def in_binary(pictures: np.ndarray, factor: float) -> np.ndarray:  # 1.15 is a little less than 1.15
        low, top = np.sort(pictures.reshape(-1, 3).astype(int))[:, 1:].T
        return np.where(top > factor * low, 0, 3)

    reject(check, dominant, at_least, in_binary)


def test_channel_sums_that_overflow() -> None:
    def check(colors: Callable[..., np.ndarray]) -> None:
        picture = np.zeros((1, 64, 64, 3), np.uint8)
        picture[..., 0], picture[..., 1] = 255, 16
        assert colors(picture, 1.0)[0] == 0

    reject(check, dominant, lambda p, k: np.where(p.sum(axis=(1, 2), dtype=np.uint8)[:, 0] > 0, 0, 3))


def test_hues_averaged_as_plain_numbers() -> None:
    angle = np.radians([350, 10])
    pixels = np.stack([np.full(2, 50.0), np.cos(angle), np.sin(angle)], axis=1)

    def check(hue: Callable[..., float]) -> None:
        assert np.cos(hue(pixels)) == pytest.approx(1)

    def plain(p: np.ndarray) -> float:
        return float((np.arctan2(p[:, 2], p[:, 1]) % (2 * np.pi)).mean())

    reject(check, lambda p: image_hue(p)[0], plain)


def test_circular_variance_that_depends_on_the_group_size() -> None:
    hues = generator(0, "world", "hues").uniform(0, 2 * np.pi, size=(4000, 5))

    def check(spread: Callable[..., float]) -> None:
        assert np.mean([spread(h) for h in hues]) == pytest.approx(1, abs=0.03)

    reject(check, mean_pair_hue, lambda h: float(1 - np.abs(np.exp(1j * h).mean())))


def test_a_white_point_that_is_not_the_matrix_own() -> None:
    white = np.full((1, 3), 255, np.uint8)

    def check(convert: Callable[..., np.ndarray]) -> None:
        assert np.abs(convert(white)[0] - [100, 0, 0]).max() <= 1e-3

    def disagreeing(rgb: np.ndarray) -> np.ndarray:
        x, y, z = 0.95047 / 0.950456, 1.0, 1.08883 / 1.088754
        f = np.cbrt([x, y, z])
        return np.array([[116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])]])

    reject(check, lab, disagreeing)


def test_a_difference_of_hues_that_is_not_wrapped() -> None:
    def check(difference: Callable[..., Any]) -> None:
        # Hues 359.5° and .5° are a degree apart.
        near = difference([50, 40, -0.35], [50, 40, 0.35])
        assert float(near) < 1

    def unwrapped(a: list[float], b: list[float]) -> float:
        h1, h2 = (np.degrees(np.arctan2(v[2], v[1])) % 360 for v in (a, b))
        return float(2 * 40 * np.sin(np.radians(abs(h2 - h1) / 4)) / (1 + 0.015 * 40))

    reject(check, ciede2000, unwrapped)


def test_distances_from_a_float32_product() -> None:
    points = (generator(0, "world", "points").normal(size=(50, 512)) + 3).astype(np.float32)

    def check(distance: Callable[..., np.ndarray]) -> None:
        assert (distance(points, points) == 0).all()

    def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        square = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * a @ b.T
        return np.sqrt(np.maximum(square, 0)).min(axis=1)

    reject(check, lambda a, b: nearest(a, b).distance, product)


def test_oneself_left_out_by_distance_instead_of_number() -> None:
    references = np.array([[0.0, 0], [0, 0], [3, 4]])

    def check(spacing: Callable[..., np.ndarray]) -> None:
        assert spacing(references).tolist() == [0, 0, 5]

    def by_distance(r: np.ndarray) -> np.ndarray:
        table = np.sqrt(((r[:, None] - r) ** 2).sum(axis=2))
        return np.where(table > 0, table, np.inf).min(axis=1)

    reject(check, lambda r: nearest_other(r).distance, by_distance)


def test_a_shield_whose_border_is_inside() -> None:
    def check(rate: Callable[..., np.ndarray]) -> None:
        assert rate(np.array([2.0]), 2.0, 1e-6).tolist() == [0]
        assert rate(np.array([0.0]), 0.0, 1e-6).tolist() == [0]

    reject(check, inside, lambda d, r, _: (d <= r).astype(float))


def test_unit_references_against_raw_items() -> None:
    # Safe_Denoiser normalises the shield and not the expected clean sample: a scaled copy counts as far away.
    points = generator(0, "world", "points").normal(size=(20, 4)) * 30

    def check(distance: Callable[..., np.ndarray]) -> None:
        assert distance(points, points).max() == pytest.approx(0, abs=1e-9)

    reject(
        check,
        lambda a, b: nearest(unit_rows(a), unit_rows(b)).distance,
        lambda a, b: nearest(a, unit_rows(b)).distance,
    )


def test_pairs_counted_with_themselves() -> None:
    rows = np.eye(3)

    def check(mean: Callable[..., float]) -> None:
        assert mean(rows) == pytest.approx(2)

    reject(check, mean_pair_distance, lambda r: float(((r[:, None] - r) ** 2).sum(axis=2).mean()))


def test_signed_deviations_that_cancel() -> None:
    shares, target = np.array([[1.0, 0.0], [0.0, 1.0]]), np.full((2, 2), 0.5)

    def check(statistic: Callable[..., Any]) -> None:
        assert np.mean(statistic(shares, target)) == pytest.approx(0.5)

    reject(check, total_variation, lambda p, q: np.abs((p - q).mean(axis=0)).sum() / 2)


def test_the_smallest_share_of_the_classes_that_occur() -> None:
    def check(statistic: Callable[..., Any]) -> None:
        assert statistic(np.array([0.6, 0.4, 0.0]), np.full(3, 1 / 3)) == 0

    reject(check, smallest_share, lambda p, q: p[p > 0].min())


def test_a_confusion_matrix_read_the_wrong_way_round() -> None:
    matrix = np.array([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.05, 0.15, 0.8]])

    def check(correct: Callable[..., np.ndarray]) -> None:
        assert correct([0.49, 0.295, 0.215], matrix) == pytest.approx([0.5, 0.3, 0.2], abs=1e-12)

    reject(check, corrected, lambda p, m: corrected(p, m.T), lambda p, m: np.asarray(p) @ m)


def test_a_bootstrap_of_a_biased_statistic_that_is_not_shifted() -> None:
    labels = generator(0, "world", "labels").integers(3, size=(400, 8))
    value = total_variation(np.eye(3)[labels].mean(axis=1), np.full(3, 1 / 3)).mean()
    drawn = generator(0, "stats", "twin").integers(8, size=(300, 400, 8))
    shares = np.eye(3)[np.take_along_axis(labels[None], drawn, axis=2)].mean(axis=2)
    replicates = total_variation(shares, np.full(3, 1 / 3)).mean(axis=1)

    def check(units: Callable[..., np.ndarray]) -> None:
        low, high = np.quantile(units(value, replicates), [0.025, 0.975])
        assert low <= value <= high

    reject(check, lambda v, r: replicate_units(v, r).value, lambda v, r: r)


def test_an_id_cut_at_every_comma() -> None:
    identity = MetricId("fd.avatars", (("n", "(96,96)"), ("v", "1")))

    def check(parse: Callable[..., MetricId]) -> None:
        assert parse(str(identity)) == identity

    def at_commas(text: str) -> MetricId:
        name, _, inside = text[:-1].partition("[")
        return MetricId(name, tuple((k, v) for k, _, v in (part.partition("=") for part in inside.split(","))))

    check(MetricId.parse)
    with pytest.raises((AssertionError, ValueError)):
        check(at_commas)
