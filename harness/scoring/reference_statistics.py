"""Statistics of a suite's data set, made from the very features that its metrics read.

One pass, stored as every other: a suite that is scored later reads the same features back, and the Fréchet distance to
the file equals that to the images (metrics.md T15).
"""

from __future__ import annotations

from harness.data.statistics import Stated
from harness.metrics.feature_moments import FeatureMoments
from harness.scoring.evidence import LATENT, Source
from harness.scoring.extractors import find


class NoStatistics(ValueError):
    """A data set or network of which no statistics can be made, and why."""


def statistics_of(source: Source, role: str, extractor: str) -> Stated:
    """Mean, covariance and number of a set's features. Raises NoStatistics, UnknownName and MissingWeights."""
    if extractor == LATENT:
        raise NoStatistics("latents belong to a suite's model, not to a network with weights of its own")
    if (found := find("features", extractor)).long:
        raise NoStatistics(f"features of {extractor!r} grow with the image: their covariance cannot be had")
    rows, texts = source.rows(role, extractor), source.task.texts()
    if len(rows) < 2:
        raise NoStatistics(f"the {role} set has {len(rows)} image; a covariance takes two")
    kept_as = tuple(sorted(source.sets[role].kept_as(texts)))
    return Stated(FeatureMoments.of(rows), extractor, found.digest, kept_as)
