"""Photographs of people: several portraits of one identity that differ in pose, light, expression, age and glasses."""

from __future__ import annotations

import numpy as np

from harness.worlds.avatars.attributes import IntArray, Portraits, sample

# What stays with a person; everything else varies between two pictures of them.
FIXED: tuple[str, ...] = ("skin", "hair_color", "hair_style")


def people(
    n_people: int, n_each: int, seed: int, *indices: int | str, style: str = "flat"
) -> tuple[Portraits, IntArray]:
    """`n_each` portraits of each of `n_people` persons, and the person's number (n_people * n_each,) int64.

    A person keeps identity, skin tone, hair color and hair style. Hats are left off: they hide the face in every
    picture alike. Raises ValueError for n_people or n_each < 1.
    """
    if n_people < 1 or n_each < 1:
        raise ValueError(f"people needs n_people and n_each >= 1, got {n_people} and {n_each}")
    given = {"style": style, "hat": "none"}
    person = np.repeat(np.arange(n_people, dtype=np.int64), n_each)
    persons = sample(n_people, seed, "people", *indices, given=given)
    pictures = sample(len(person), seed, "pictures of people", *indices, given=given)
    labels = {
        name: persons.labels[name][person] if name in FIXED else values for name, values in pictures.labels.items()
    }
    fields = {**pictures.__dict__, "labels": labels, "identity": persons.identity[person]}
    return Portraits(**fields), person
