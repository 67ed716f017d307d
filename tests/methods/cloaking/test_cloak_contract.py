"""What every cloak and every control must do (face_privacy.md section 2; rules.md 1, 33)."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from cloak_toys import ToyTools, eight_bits, photos, picture, tools

from harness.methods import METHODS
from harness.methods.cloaking.photos import BLOCK, Photos
from harness.methods.method import Couples, Kind, Transform
from harness.options import build, params_of

# Parameters at which a method does something on the toys, and those at which the file must not change a bit.
CNN = {"surrogates": "cnn"}
BOTH = {"surrogates": "cnn+linear"}
PARAMS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "identity": ({}, [{}]),
    "round_trip_8bit": ({}, [{}]),
    "generator_round_trip": ({}, []),
    "another_photo": ({}, []),
    "random_decoy": ({}, [{"space": "pixels", "amount": 0.0}]),
    "noise": ({}, [{"amount": 0.0}, {"amount": 0.0, "draw": "sign", "match": "perceptual"}]),
    "blur": ({}, [{"sigma": 0.0}]),
    "pixelate": ({}, [{"block": 1}]),
    "downscale": ({}, [{"factor": 1.0}]),
    "pgd": (BOTH | {"steps": 5}, [CNN | {"eps": 0.0}, CNN | {"steps": 0}]),
    "mi_di_ti": (BOTH | {"steps": 5}, [CNN | {"eps": 0.0}, CNN | {"steps": 0}]),
    "fawkes": (
        BOTH | {"steps": 5, "variant": "paper", "candidates": 3},
        [CNN | {"bound": 0.0}, CNN | {"steps": 0}, CNN | {"steps": 0, "variant": "paper"}],
    ),
    "lowkey": (BOTH | {"steps": 5}, [CNN | {"eps": 0.0}, CNN | {"steps": 0}]),
    "tip_im": (BOTH | {"steps": 5, "candidates": 3, "gamma": 0.1}, [CNN | {"eps": 0.0}, CNN | {"steps": 0}]),
    "privacygan": (BOTH | {"steps": 5, "hinge": 2}, []),
    "evolutionary": (
        {"recogniser": "cnn", "budget": 12},
        [{"recogniser": "cnn", "budget": 0}, {"recogniser": "cnn", "eps": 0.0}, {"recogniser": "cnn", "budget": 2}],
    ),
}
NAMES = [n for n in METHODS.names() if METHODS.get(n).kind is Kind.TRANSFORM]
STILL = {"identity", "round_trip_8bit"}


def made(name: str, params: dict[str, Any]) -> Transform:
    return build(METHODS.get(name), params)  # type: ignore[no-any-return]


def run(name: str, params: dict[str, Any], given: Photos, seed: int = 3) -> torch.Tensor:
    return made(name, params).transform(given, tools(impersonated=picture("t")), seed)


def test_every_transform_is_in_the_table_of_this_contract() -> None:
    assert set(NAMES) == set(PARAMS)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_make_the_round_trip(name: str) -> None:
    method = made(name, PARAMS[name][0])
    assert made(name, params_of(method)) == method
    assert pickle.loads(pickle.dumps(method)) == method
    assert method.coupling() is Couples.NOTHING


@pytest.mark.parametrize("name", NAMES)
def test_it_gives_pictures_of_the_same_shape_and_range_and_leaves_its_input(name: str) -> None:
    given = photos()
    before = given.pixels.clone()
    found = run(name, PARAMS[name][0], given)
    assert (found.shape, found.dtype, found.device.type) == (before.shape, torch.float32, "cpu")
    assert not found.requires_grad
    assert 0 <= found.min() <= found.max() <= 1
    assert torch.equal(given.pixels, before)
    assert found.data_ptr() != given.pixels.data_ptr()
    assert (eight_bits(found) != eight_bits(before)).flatten(1).any(1).all() == (name not in STILL)


@pytest.mark.parametrize("name", NAMES)
def test_without_strength_the_file_is_the_photo_bit_for_bit(name: str) -> None:
    given = photos()
    for params in PARAMS[name][1]:
        assert torch.equal(eight_bits(run(name, params, given)), eight_bits(given.pixels)), params


@pytest.mark.parametrize("name", NAMES)
def test_two_photos_in_one_call_are_two_photos_in_two_calls(name: str) -> None:
    """The CLIP2Protect state leak; and no order."""
    both, params = photos(2), PARAMS[name][0]
    together = run(name, params, both)
    apart = torch.cat([run(name, params, both.at([i])) for i in range(2)])
    assert torch.equal(together, apart)
    assert torch.equal(run(name, params, both.at([1, 0])), together[[1, 0]])


@pytest.mark.parametrize("name", NAMES)
def test_a_photo_does_not_feel_in_which_block_it_is(name: str) -> None:
    many, params = photos(BLOCK + 1), PARAMS[name][0]
    assert torch.equal(run(name, params, many)[-1:], run(name, params, many.at([BLOCK])))


@pytest.mark.parametrize("name", NAMES)
def test_calls_leave_no_state_in_the_method_or_in_global_generators(name: str) -> None:
    state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    method, toy, given = made(name, PARAMS[name][0]), tools(impersonated=picture("t")), photos(2)
    first = method.transform(given, toy, 3)
    assert torch.equal(method.transform(given, toy, 3), first)
    assert torch.equal(state[0], torch.get_rng_state())
    assert (state[1] == np.random.get_state()[1]).all()  # noqa: NPY002


@pytest.mark.parametrize("name", NAMES)
def test_it_works_where_the_caller_takes_no_gradients(name: str) -> None:
    given, toy, method = photos(2), tools(impersonated=picture("t")), made(name, PARAMS[name][0])
    wanted = method.transform(given, toy, 3)
    with torch.inference_mode():
        assert torch.equal(method.transform(photos(2), toy, 3), wanted)
    with torch.no_grad():
        assert torch.equal(method.transform(given, toy, 3), wanted)


@pytest.mark.parametrize("name", NAMES)
def test_no_photos_give_no_pictures(name: str) -> None:
    assert run(name, PARAMS[name][0], photos(1).at([])).shape == (0, 3, 16, 16)


def test_photos_and_their_keys_have_one_length() -> None:
    with pytest.raises(ValueError, match="1 pictures, 2 keys, 1 names"):
        Photos(torch.zeros(1, 3, 8, 8), (("a",), ("b",)), np.array(["a"]))


def test_the_toys_are_tools() -> None:
    from harness.methods.cloaking.photos import Tools

    toy: Tools = ToyTools({})
    assert all(hasattr(toy, name) for name in Tools.__annotations__)


@pytest.mark.parametrize("name", NAMES)
def test_the_weights_of_a_generator_enter_the_address_and_nothing_else_does(name: str) -> None:
    """Recognisers and the perceptual distance are the task's and the model's own content."""
    params = PARAMS[name][0]
    if "generator" not in params_of(made(name, params)):
        assert made(name, params).content() == {}
        return
    latent = {"space": "latent"} if "space" in params_of(made(name, params)) else {}
    one, two = (made(name, params | latent | {"generator": g}).content() for g in ("avatars-vae", "avatars-gan"))
    assert set(one) == {"generator"}
    assert one != two
    if latent:
        other = {"evolutionary": "field", "random_decoy": "pixels"}[name]
        assert made(name, params | {"space": other}).content() == {}
