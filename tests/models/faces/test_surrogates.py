"""Words for sets of surrogates, and how a target stands to them."""

from __future__ import annotations

import pytest

from harness.models.faces.recogniser import Lineage
from harness.models.faces.surrogates import UnknownSurrogates, kinship, relation, resolve

FAMILIES = {
    "a": Lineage("a", "set 1", "resnet"),
    "b": Lineage("b", "set 2", "resnet"),
    "c": Lineage("c", "set 1", "mobilenet"),
    "d": Lineage("d", "set 3", "vit"),
    "a-tuned": Lineage("a", "set 4", "other"),
    "who": Lineage(),
    "box": Lineage("box", "set 5", "dlib"),
}
KNOWN = tuple(FAMILIES)


def said(words: str) -> tuple[str, ...]:
    return resolve(words, KNOWN, FAMILIES.__getitem__, lambda name: name != "box")


def test_words_stand_for_names_in_the_order_they_are_listed() -> None:
    assert said("d + a") == ("a", "d")
    assert said("a") == ("a",)
    assert said("all") == ("a", "b", "c", "d", "a-tuned", "who")  # box has no gradients
    assert said("all-but d") == ("a", "b", "c", "a-tuned", "who")
    assert said("all-but-family a") == ("d", "who")
    assert said("all-but-family box") == ("a", "b", "c", "d", "a-tuned", "who")
    assert said("a+box") == ("a", "box")  # named by name it is the caller's to refuse, aloud


@pytest.mark.parametrize(
    ("words", "message"),
    [("a+e", "no recogniser 'e'"), ("all-but", "no recogniser ''"), ("all-but-family x", "'x'"), ("a+a", "twice")],
)
def test_words_that_name_nothing_are_refused(words: str, message: str) -> None:
    with pytest.raises(UnknownSurrogates, match=message):
        said(words)


def test_a_set_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(UnknownSurrogates, match="leave nothing"):
        resolve("all-but a", ("a",), FAMILIES.__getitem__, lambda _: True)


def test_relation_is_white_in_the_set_grey_in_the_family_black_elsewhere() -> None:  # T17
    assert relation(("a", "d"), "a", FAMILIES) == "white"
    assert relation(("a",), "b", FAMILIES) == "grey"  # architecture
    assert relation(("a",), "c", FAMILIES) == "grey"  # people
    assert relation(("a",), "a-tuned", FAMILIES) == "grey"  # descendant
    assert relation(("a", "b"), "d", FAMILIES) == "black"
    assert relation(("who",), "a", FAMILIES) == "black"
    assert relation(("box",), "who", {**FAMILIES, "box": Lineage()}) == "black"  # unknown is not kin to unknown
    assert kinship(("b", "c"), "a", FAMILIES) == ("training", "architecture")
