"""Who a portrait shows: a continuous identity vector, its drawing geometry and the variation within one person.

An identity is a point of R^16, standard normal over people. `traits` squashes each coordinate with tanh, so that every
vector draws a valid face and a distance between vectors is visible in the picture.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

# (trait, centre, half range) in image units, the image spanning [-1, 1]; one coordinate of the identity each.
TRAITS: tuple[tuple[str, float, float], ...] = (
    ("face_width", 0.385, 0.045),
    ("face_height", 0.45, 0.035),
    ("jaw", 0.20, 0.16),
    ("eye_spacing", 0.175, 0.03),
    ("eye_size", 0.098, 0.016),
    ("eye_height", -0.06, 0.03),
    ("eye_hue", 0.5, 0.5),
    ("brow_thickness", 0.024, 0.010),
    ("brow_tilt", 0.0, 0.035),
    ("nose_length", 0.11, 0.035),
    ("nose_width", 0.05, 0.02),
    ("mouth_width", 0.15, 0.025),
    ("mouth_height", 0.215, 0.02),
    ("ear_size", 0.085, 0.02),
    ("freckles", 0.0, 1.0),
    ("skin_shade", 0.0, 0.06),
)
IDENTITY_DIM = len(TRAITS)


def sample_identities(n: int, generator: np.random.Generator) -> FloatArray:
    """Identities of `n` different people, (n, 16) float32, standard normal."""
    return generator.standard_normal((n, IDENTITY_DIM), dtype=np.float32)


def traits(identity: FloatArray) -> dict[str, FloatArray]:
    """Drawing geometry of identities (N, 16): trait name -> (N,) float32 within centre +- half range of `TRAITS`."""
    if identity.ndim != 2 or identity.shape[1] != IDENTITY_DIM:
        raise ValueError(f"identity has shape {identity.shape}, expected (N, {IDENTITY_DIM})")
    squashed = np.tanh(0.8 * identity)
    return {
        name: np.asarray(centre + half * squashed[:, i], dtype=np.float32)
        for i, (name, centre, half) in enumerate(TRAITS)
    }
