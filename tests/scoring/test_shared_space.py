"""A network that both guides and scores is named (rules.md 8)."""

from __future__ import annotations

from harness.metrics import METRICS
from harness.options import build
from harness.scoring.shared_space import shared_spaces


def _metrics() -> list[object]:
    return [build(METRICS.get("fd.{space}"), {"space": "avatars"}), build(METRICS.get("color.de2000"), {})]


def test_a_shared_network_is_named_with_the_metrics_it_scores() -> None:
    cells = [{"method": "balanced", "params": {"space": "avatars", "cells": 4}}]
    (sentence,) = shared_spaces(cells * 2, _metrics())  # type: ignore[arg-type]
    assert sentence == (
        "balanced looks at its samples through avatars, which also scores fd.avatars: a gain there is no evidence."
    )


def test_another_network_and_other_options_are_not() -> None:
    cells = [
        {"method": "balanced", "params": {"space": "latent"}},
        {"method": "named so", "params": {"protected": "avatars", "space": None}},
    ]
    assert shared_spaces(cells, _metrics()) == []  # type: ignore[arg-type]
