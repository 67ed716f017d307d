"""What the user may choose of a face metric: the options that several of them share, each part of the id."""

from __future__ import annotations

from typing import Any, Literal

from harness.metrics.faces.calibration import PEOPLE as CALIBRATED
from harness.metrics.faces.transfer import LEAST_PEOPLE, LEAST_WHITE
from harness.metrics.faces.view import NONE
from harness.options import option

Protocol = Literal["E", "P", "B"]
Fta = Literal["protected", "excluded"]

SOURCE = "face_privacy.md section 8.3"
FACE: Any = option(help="recogniser")
FAR: Any = option(0.01, above=0, below=1, unit="share", help="false acceptance rate of the threshold", source=SOURCE)
THRESHOLD: Any = option("calibrated", help="calibrated here, or a constant of old code: another id")
PROTOCOL: Any = option("E", help="E protected probe, clean gallery; P clean probe, protected gallery; B both")
TRANSFORM: Any = option(NONE, help="what photos go through before the recogniser, clean ones too")
PEOPLE: Any = option(CALIBRATED, at_least=2, unit="people", help="fewest calibration people", source=SOURCE)
K: Any = option(
    1, at_least=1, unit="ranks", help="found when among so many", source="face_privacy.md section 8.5: 1 and 5"
)
LEAST: Any = option(
    LEAST_WHITE, above=0, at_most=1, help="excess below which a ratio to it has no value", source="face_privacy.md 8.6"
)
FEWEST: Any = option(LEAST_PEOPLE, at_least=2, unit="people", help="fewest people scored", source="face_privacy.md 8.6")
