"""The task of cloaking: who is protected, what a cloak may use, and that files hold 8 bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.data.face_set import People, avatars_people
from harness.data.files import MissingData
from harness.methods.cloaking.photos import Photos, Tools
from harness.methods.method import Transform
from harness.models.recogniser_set import FaceRecognisers
from harness.tasks.face_cloaking import CloakingTools, FaceCloaking, tensor_of
from harness.tasks.task import RunContext, Shard

TASK = FaceCloaking(identities=5, probes=2, gallery=1, calibration=12, distractors=7, targets=3)


@dataclass(frozen=True)
class Add(Transform):
    """Adds a number of levels of 255."""

    levels: float = 0.0
    name = "add"

    def transform(self, photos: Photos, tools: Tools, seed: int) -> Tensor:
        return photos.pixels + self.levels / 255.0


def context(records: dict[str, Any] | None = None) -> RunContext:
    return RunContext("cpu", 8, lambda _: None, record=(records if records is not None else {}).update)


def run(method: Transform, shard: Shard) -> np.ndarray[Any, Any]:
    return TASK.run(None, method, 0, shard, context()).arrays["images"]


def test_items_are_photographs_and_clusters_people() -> None:
    table, found = TASK.items(), TASK.faces()
    assert len(table) == len(found.users) == len(found.role) == len(found.target) == 15
    assert [found.users.person[i] for i in (0, 2, 3)] == ["evaluation 0000", "evaluation 0000", "evaluation 0001"]
    assert found.role.tolist()[:3] == ["probe", "probe", "gallery"]
    assert (table.prompt == np.repeat(np.arange(5), 3)).all()
    assert sum(len(s) for s in TASK.shards()) == 15


def test_nobody_stands_in_two_groups_and_no_photograph_in_two_roles() -> None:
    found = TASK.faces()
    groups = [found.users, found.calibration, found.distractors, found.decoys, found.target_opt]
    names = [set(g.person.tolist()) for g in groups]
    assert all(not a & b for i, a in enumerate(names) for b in names[i + 1 :])
    every = [found.users.pixels, found.other[::3], found.calibration.pixels, found.distractors.pixels]
    every += [found.target_opt.pixels, found.target_eval.pixels, found.decoys.pixels]
    hashes = [image.tobytes() for group in every for image in group]
    assert len(hashes) == len(set(hashes))


def test_the_untouched_photograph_comes_back_bit_for_bit() -> None:
    images = run(Add(), Shard(0, 0, 15))
    assert np.array_equal(images, TASK.faces().users.pixels)


def test_less_than_half_a_level_is_lost_in_the_file() -> None:  # T19, at the level of files
    assert np.array_equal(run(Add(0.49), Shard(0, 0, 15)), TASK.faces().users.pixels)
    assert not np.array_equal(run(Add(0.51), Shard(0, 0, 15)), TASK.faces().users.pixels)


def test_a_cloak_of_another_shape_or_with_nan_is_refused() -> None:
    @dataclass(frozen=True)
    class Broken(Transform):
        name = "broken"

        def transform(self, photos: Photos, tools: Tools, seed: int) -> Tensor:
            return photos.pixels * float("nan")

    with pytest.raises(ValueError, match="broken gave"):
        run(Broken(), Shard(0, 0, 2))


def test_keys_name_the_photograph_and_targets_are_found() -> None:
    tools = CloakingTools(TASK.faces(), None, "cpu", "avatars", lambda *_: None)
    assert tools.key(4) == ("evaluation 0001", "1")
    aim = tools.target(tools.key(4))
    assert aim is not None
    found = TASK.faces()
    assert torch.equal(aim, tensor_of(found.target_opt.pixels[1:2])[0])
    assert found.target[4] == found.target_opt.person[1]
    assert tools.target(("nobody", "0")) is None


def test_the_distance_is_that_of_the_metric() -> None:
    tools = CloakingTools(TASK.faces(), None, "cpu", "avatars", lambda *_: None)
    a, b = tensor_of(TASK.faces().users.pixels[:2]), tensor_of(TASK.faces().users.pixels[3:5])
    assert torch.equal(tools.distance(a, a), torch.zeros(2))
    assert (tools.distance(a, b) > 0).all()


def test_the_digest_depends_on_every_picture_and_name() -> None:
    one, two = (avatars_people(3, 1, 1, 4, 2, n) for n in (2, 3))
    assert one.digest == avatars_people(3, 1, 1, 4, 2, 2).digest
    assert one.digest != two.digest
    with pytest.raises(ValueError, match="1 pictures and 2 names"):
        People(one.users.pixels[:1], one.users.person[:2])


def test_words_reach_no_further_than_the_set() -> None:
    chosen = FaceRecognisers("avatars-cnn+avatars-vit")
    assert chosen.members == ("avatars-cnn", "avatars-vit")
    assert len(FaceRecognisers().members) == 6
    with pytest.raises(MissingData, match="no folder of photographs"):
        FaceCloaking(people="celebrities").faces()
