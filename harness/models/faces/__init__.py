"""Recognisers of faces: pictures to unit vectors, each with its family, its preprocessing and its files in its id."""

from __future__ import annotations

from harness.models.faces.recogniser import (
    RECOGNISERS,
    Lineage,
    NoGradients,
    Recogniser,
    Seen,
    find,
    names,
    opened,
)

__all__ = ["RECOGNISERS", "Lineage", "NoGradients", "Recogniser", "Seen", "find", "names", "opened"]
