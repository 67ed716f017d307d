"""What every registered sampling method must do (generation.md section 0.4, rules.md 1, 7, 33)."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from harness import keys
from harness.methods import METHODS
from harness.methods.method import Condition, Couples, Group, Kind, Method, Sampling, Step
from harness.models.diffusion.loop import active_hooks, sample
from harness.models.diffusion.stage import LoopStage
from harness.options import build, options_of, params_of
from harness.registry import summary

# Parameters at which a method does something on the toy, those at which it must do nothing, and whether permuting a
# group permutes the result (a selection that goes item by item in order does not).
PARAMS: dict[str, tuple[dict[str, Any], list[dict[str, Any]], bool]] = {
    "iid": ({}, [{}], True),
    "low_guidance": ({"w": 1.0}, [{"w": 2.0}], True),  # the toy's own weight is 2
    "diverse_diffusion": ({"tries": 9}, [{"tries": 1}, {"variant": "cap", "threshold": 0.0}], False),
    "norm_matched_noise": ({"tries": 9}, [{"tries": 1}, {"tries": 1, "match": "spectrum", "pool": 2}], False),
    "norm_matched_kmedoids": (
        {"factor": 5, "pool": 2, "match": "spectrum"},
        [{"factor": 1}, {"factor": 1, "match": "spectrum", "pool": 2}],
        True,
    ),
    "norm_matched_riesz": ({"pool": 2, "smooth": "forces"}, [{"iterations": 0}], True),
    "cluster_balance": (
        {"cells": 3, "pilot": 12},
        [{"factor": 1.0}, {"cells": 1}, {"cells": 1, "how": "resampling"}],
        True,
    ),
    "iid_equal_time": ({"factor": 2.0}, [{"factor": 1.0}, {"factor": 1.0, "space": "random"}], True),
    "kmedoids": ({"factor": 5, "pool": 2}, [{"factor": 1}, {"factor": 1, "norm": "match"}], True),
    "antithetic": ({}, [{"pairs": 0}], True),
    "riesz": ({}, [{"iterations": 0}, {"step": 0.0}], True),
    "spell": (
        {"radius_quantile": 0.6, "pilot": 4},
        [{"radius": 0.0}, {"overcompensation": 0.0}, {"sigma_min": 1e9}, {"radius": 1e-9}],
        True,
    ),
    "cads": ({}, [{"s": 0.0}, {"tau1": 1.0, "tau2": 1.0}], True),
    "interval_guidance": ({}, [{"lo": 0.0, "hi": None}], True),
    "sparke": (
        {"every": 2, "eta": 0.3, "sigma_image": 4.0, "sigma_text": 5.0},
        [{"eta": 0.0}, {"every": 10, "prompts": "one", "sigma_image": 1e-3}],
        True,
    ),
    "particle_guidance": ({}, [{"coefficient": 0.0}, {"sigma_min": 1e9}], True),
}
SAMPLING = [n for n in METHODS.names() if METHODS.get(n).kind is Kind.SAMPLING]

Groups = Callable[..., list[Group]]


def _prepared(name: str, params: dict[str, Any], model: Any) -> Sampling:
    method = build(METHODS.get(name), params)
    images = keys.generator(0, "world", "images").integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)
    return method.prepare(LoopStage(model, ("a portrait", "portrait of"), lambda _: images))


def _run(name: str, params: dict[str, Any], model: Any, groups: list[Group], **options: Any) -> Any:
    return sample(model, _prepared(name, params, model), groups, seed=7, **options)


def test_every_sampling_method_is_in_the_table_of_this_contract() -> None:
    assert set(SAMPLING) <= set(PARAMS)


@pytest.mark.parametrize("name", METHODS.names())
def test_a_method_describes_itself(name: str) -> None:
    cls = METHODS.get(name)
    assert issubclass(cls, Method)
    assert cls.name == name
    assert cls.version >= 1
    assert cls.source.licence
    assert dataclasses.is_dataclass(cls)
    assert len(summary(cls)) > 30
    assert summary(cls).endswith(".")
    for option in options_of(cls):
        assert option.help, option.name
        numeric = isinstance(option.default, int | float) or "float" in option.type or "int" in option.type
        assert option.unit or not numeric, f"{option.name} has no unit"
        if option.default is not None:
            assert option.source or option.name in {"sigma_max", "blur"}, f"{option.name}: no source of its default"


@pytest.mark.parametrize("name", SAMPLING)
def test_parameters_make_the_round_trip(name: str) -> None:
    method = build(METHODS.get(name), PARAMS[name][0])
    assert build(METHODS.get(name), params_of(method)) == method
    assert pickle.loads(pickle.dumps(method)) == method


@pytest.mark.parametrize("name", SAMPLING)
def test_without_strength_it_is_the_base_sampler_bit_for_bit(
    name: str, toy: Any, tiny_model: Any, make_groups: Groups
) -> None:
    for model in (toy(), tiny_model()):
        base = sample(model, build(METHODS.get("iid"), {}), make_groups(), seed=7, micro_batch=8)
        for params in PARAMS[name][1]:
            if name == "low_guidance":
                params = {"w": model.guidance}
            found = _run(name, params, model, make_groups(), micro_batch=8)
            assert np.array_equal(found.latents, base.latents), params
            assert np.array_equal(found.images, base.images), params


@pytest.mark.parametrize("name", [n for n in SAMPLING if n != "iid"])
def test_at_its_strength_it_changes_samples_and_says_so(name: str, toy: Any, make_groups: Groups) -> None:
    base = sample(toy(), build(METHODS.get("iid"), {}), make_groups(), seed=7)
    found = _run(name, PARAMS[name][0], toy(), make_groups())
    assert (np.abs(found.latents - base.latents).max(1) > 1e-3).mean() > 0.2
    assert found.activity


@pytest.mark.parametrize("name", SAMPLING)
def test_the_same_key_gives_the_same_bytes_and_another_seed_others(name: str, toy: Any, make_groups: Groups) -> None:
    first, second = (_run(name, PARAMS[name][0], toy(), make_groups()) for _ in range(2))
    assert np.array_equal(first.latents, second.latents)
    assert first.activity == second.activity
    method = _prepared(name, PARAMS[name][0], toy())
    other = sample(toy(), method, make_groups(seed=8), seed=8)
    assert not np.array_equal(first.latents, other.latents)


@pytest.mark.parametrize("name", SAMPLING)
def test_no_global_generator_is_read_or_moved(name: str, toy: Any, make_groups: Groups) -> None:
    state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = _run(name, PARAMS[name][0], toy(), make_groups())
    assert torch.equal(state[0], torch.get_rng_state())
    assert (state[1] == np.random.get_state()[1]).all()  # noqa: NPY002
    torch.rand(1)
    assert np.array_equal(first.latents, _run(name, PARAMS[name][0], toy(), make_groups()).latents)


@pytest.mark.parametrize("name", SAMPLING)
def test_the_micro_batch_changes_nothing_that_is_drawn(name: str, toy: Any, make_groups: Groups) -> None:
    """Elementwise toy: values are equal too."""
    whole, cut = (_run(name, PARAMS[name][0], toy(), make_groups(), micro_batch=m) for m in (8, 3))
    assert whole.digests["noise"] == cut.digests["noise"]
    assert np.array_equal(whole.latents, cut.latents)


@pytest.mark.parametrize("name", SAMPLING)
def test_a_group_does_not_feel_other_groups(name: str, toy: Any, make_groups: Groups) -> None:
    both = _run(name, PARAMS[name][0], toy(), make_groups())
    alone = _run(name, PARAMS[name][0], toy(), make_groups()[1:])
    apart = _prepared(name, PARAMS[name][0], toy()).coupling() is not Couples.SEQUENCE  # which couples all prompts
    assert np.array_equal(both.latents[4:], alone.latents) == apart


@pytest.mark.parametrize("name", SAMPLING)
def test_uncoupled_items_do_not_feel_their_group(name: str, toy: Any) -> None:
    method = _prepared(name, PARAMS[name][0], toy())
    four, two = (sample(toy(), method, [Group(7, 0, "hat", 0, s)], seed=7) for s in ((0, 1, 2, 3), (2, 3)))
    same = np.array_equal(four.latents[2:], two.latents)
    assert same == (method.coupling() is Couples.NOTHING)


@pytest.mark.parametrize("name", [n for n in SAMPLING if PARAMS[n][2]])
def test_permuting_a_group_permutes_the_result(name: str, toy: Any) -> None:
    """Float64 sums inside, float32 outside: equal to a rounding of the last bit."""
    order = [2, 0, 3, 1]
    method = _prepared(name, PARAMS[name][0], toy())
    plain, permuted = (sample(toy(), method, [Group(7, 0, "hat", 0, s)], seed=7) for s in ((0, 1, 2, 3), tuple(order)))
    assert np.allclose(plain.latents[order], permuted.latents, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", SAMPLING)
def test_it_works_under_half_precision_weights(name: str, toy: Any, make_groups: Groups) -> None:
    half, full = (
        _run(name, PARAMS[name][0], toy(dtype=d), make_groups(), guidance=1.0) for d in ("float16", "float32")
    )
    assert np.isfinite(half.latents).all()
    if name != "spell":  # its pilot and its balls feel the rounding of the sampler
        assert np.abs(half.latents - full.latents).max() < 0.2


@pytest.mark.parametrize("name", SAMPLING)
@pytest.mark.parametrize("kind", ["v_prediction", "sample", "flow"])
def test_it_acts_under_every_kind_of_prediction(name: str, kind: str, toy: Any, make_groups: Groups) -> None:
    found = _run(name, PARAMS[name][0], toy(kind), make_groups())
    base = sample(toy(kind), build(METHODS.get("iid"), {}), make_groups(), seed=7)
    assert np.isfinite(found.latents).all()
    assert np.array_equal(found.latents, base.latents) == (name == "iid")


@pytest.mark.parametrize("name", SAMPLING)
def test_hooks_leave_the_tensors_they_are_given(name: str, toy: Any) -> None:
    """And give back the shapes and the float32 they got."""
    method, model = _prepared(name, PARAMS[name][0], toy()), toy()
    group = Group(7, 0, "hat", 0, (0, 1, 2, 3))
    step = Step(0, 5, 999.0, 0.95, 0.1, 0.995)
    z = torch.stack([keys.normal((2, 4, 4), 1, "world", i) for i in range(4)])
    y = Condition(z.reshape(4, 4, 8), z.reshape(4, 32)[:, :6])
    copies = z.clone(), y.embeddings.clone(), y.pooled.clone()  # type: ignore[union-attr]
    results = [
        method.initial_noise(z, group),
        method.clean_samples([z], step, [group])[0],
        method.latent(z, step, group),
    ]
    results += [getattr(method, h)(y, step, group).embeddings.reshape(z.shape) for h in ("condition", "negative")]
    assert all(r.shape == z.shape and r.dtype == torch.float32 for r in results)
    for before, after in zip(copies, (z, y.embeddings, y.pooled), strict=True):
        assert torch.equal(before, after)  # type: ignore[arg-type]
    assert active_hooks(method) or name == "iid"
    assert model.latent_shape == (2, 4, 4)
