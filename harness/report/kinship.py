"""How a recogniser stands to what a row optimised: white, grey or black, and what is known of each recogniser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.report.run_view import RunView


class Kin(StrEnum):
    """face_privacy.md 8.6. NONE: the row optimised nothing, or nobody says."""

    WHITE = "white"
    GREY = "grey"
    BLACK = "black"
    NONE = ""

    @property
    def words(self) -> str:
        return {
            "white": "the row optimised on it",
            "grey": "shares weights, training set or architecture with one that the row optimised on",
            "black": "shares none of them: a stranger",
            "": "",
        }[self.value]


def kin_of(view: RunView, method: str, recogniser: str) -> Kin:
    found = view.kinship.get(method, {}).get(recogniser, "")
    return Kin(found) if found in Kin.__members__.values() else Kin.NONE


@dataclass(frozen=True)
class Recogniser:
    """A column's head: architecture, training set, weights where they are another's, and the day of release."""

    name: str
    facts: tuple[str, ...]


def recogniser_of(view: RunView, name: str) -> Recogniser:
    about: Mapping[str, str] = view.recognisers.get(name, {})
    weights = str(about.get("weights") or "")
    facts = [str(about.get(k) or "") for k in ("architecture", "training")]
    facts += [f"weights of {weights}" if weights not in ("", name) else "", str(about.get("released") or "")]
    return Recogniser(name, tuple(f for f in facts if f))


def recognisers(view: RunView) -> frozenset[str]:
    """Every name that the record calls a recogniser."""
    return frozenset(view.recognisers).union(*view.kinship.values())
