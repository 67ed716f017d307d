from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.metrics.groups import Grouping, groups_of, mean_over_groups, one_size
from harness.metrics.inputs import features, images, unit_rows
from harness.metrics.metric import CannotMeasure, Evidence, Items, ScoreStatus

MakeItems = Callable[..., Items]


def test_groups_are_numbered_within_their_prompt(make_items: MakeItems) -> None:
    groups = groups_of(make_items(2, 4, 2))
    assert groups.key.tolist() == ["0000/g00", "0000/g01", "0001/g00", "0001/g01"]
    assert groups.cluster.tolist() == ["0000", "0000", "0001", "0001"]
    assert [m.tolist() for m in groups.members] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert groups.prompts.tolist() == [0, 0, 1, 1]


def test_the_numbers_of_the_groups_do_not_matter_only_their_order(make_items: MakeItems) -> None:
    items = make_items(2, 4, 2)
    renamed = Items(items.prompt, items.sample, items.group * 10 + 7, items.prompts)
    assert groups_of(renamed).key.tolist() == groups_of(items).key.tolist()


def test_a_prompt_can_be_the_group(make_items: MakeItems) -> None:
    groups = groups_of(make_items(2, 4, 2), Grouping.PROMPT)
    assert groups.key.tolist() == ["0000/g00", "0001/g00"]
    assert [len(m) for m in groups.members] == [4, 4]


def test_a_group_over_two_prompts_is_refused(make_items: MakeItems) -> None:
    items = make_items(2, 2, 2)
    with pytest.raises(CannotMeasure, match="several prompts"):
        groups_of(Items(items.prompt, items.sample, np.zeros(4, np.int64), items.prompts))


def test_unequal_sizes_and_counts_are_refused_where_they_matter(make_items: MakeItems) -> None:
    uneven = groups_of(make_items(1, 5, 3))
    with pytest.raises(CannotMeasure, match="2, 3"):
        one_size(uneven)
    items = Items(np.array([0, 0, 1]), np.array([0, 1, 0]), np.arange(3), ("a", "b"))
    with pytest.raises(CannotMeasure, match="between 1 and 2 groups"):
        mean_over_groups(groups_of(items), np.zeros(3))


def test_missing_evidence_says_what_was_not_brought(make_items: MakeItems) -> None:
    with pytest.raises(CannotMeasure, match="generated features of 'avatars': not brought") as caught:
        features(Evidence(make_items(1, 2, 2)), "avatars")
    assert caught.value.status is ScoreStatus.FAILED


def test_rows_that_are_not_the_items_are_a_mismatch(make_items: MakeItems) -> None:
    evidence = Evidence(
        make_items(1, 3, 3),
        images={"generated": np.zeros((2, 1, 1, 3), np.uint8)},
        features={("generated", "latent"): np.zeros(3)},
    )
    for read in (lambda: images(evidence), lambda: features(evidence, "latent")):
        with pytest.raises(CannotMeasure) as caught:
            read()
        assert caught.value.status is ScoreStatus.PROTOCOL_MISMATCH


def test_unit_rows_of_extreme_lengths_neither_overflow_nor_vanish() -> None:
    rows = np.array([[3e200, 4e200], [3e-200, 4e-200]])
    assert unit_rows(rows) == pytest.approx(np.array([[0.6, 0.8], [0.6, 0.8]]))
