"""Names of recognisers that metrics may hold are those that the models' room knows."""

from __future__ import annotations

from harness.metrics.faces.names import PUBLISHED, SHIPPED
from harness.models import faces


def test_every_name_is_a_recogniser_and_every_recogniser_has_its_name() -> None:
    assert set(faces.names()) == {*SHIPPED, *PUBLISHED}
