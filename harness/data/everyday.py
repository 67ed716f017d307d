"""Sixty-four prompts in the project's own words: everyday scenes of the kind that captions of photographs describe.

Places, people, animals, food, vehicles, things; short and plain, each open in what matters to diversity (who, when,
which colors, from where). Written for this project; no caption of a data set is among them.
"""

from __future__ import annotations

SCENES = (
    "a street market in the rain",
    "a kitchen with a window over the sink",
    "a train station early in the morning",
    "a small library with wooden shelves",
    "a bus stop at the edge of a town",
    "a beach with a few umbrellas",
    "a mountain path with a wooden fence",
    "a harbour with fishing boats",
    "a living room with a large sofa",
    "a bridge over a narrow river",
    "a playground after school",
    "a gas station at night",
    "a farm seen from a hill",
    "a city square with a fountain",
    "a hospital corridor",
    "a garden shed behind a house",
)
PEOPLE = (
    "a person repairing a bicycle",
    "a doctor talking to a patient",
    "a teacher in front of a class",
    "a child blowing out candles",
    "two friends playing chess in a park",
    "a cook tasting a soup",
    "a musician waiting for the concert",
    "a family having a picnic",
    "a scientist looking through a microscope",
    "a runner crossing a finish line",
    "a person reading a newspaper in a café",
    "a worker carrying a ladder",
    "a couple dancing at a wedding",
    "a photographer taking a picture of a tree",
    "a judge in a courtroom",
    "a group of tourists looking at a map",
)
ANIMALS = (
    "a dog asleep on a doorstep",
    "a cat looking out of a window",
    "a horse standing in the snow",
    "three birds on a wire",
    "a cow crossing a road",
    "an elephant near a waterhole",
    "a squirrel holding a nut",
    "a fish in a round bowl",
    "a sheep between two rocks",
    "a duck with its ducklings",
)
THINGS = (
    "a bowl of fruit on a table",
    "a slice of cake on a plate",
    "a sandwich wrapped in paper",
    "a pot of tea with two cups",
    "a pizza coming out of an oven",
    "a red bicycle against a wall",
    "an old truck in a field",
    "a motorcycle parked under a tree",
    "a small airplane on a runway",
    "a sailing boat on a calm lake",
    "a suitcase on an unmade bed",
    "a pair of shoes by the door",
    "a clock on a tower",
    "a vase of flowers near a lamp",
    "a desk covered with papers",
    "a kite above a meadow",
    "a broken umbrella on the pavement",
    "a stack of books with a pair of glasses on top",
    "a skateboard on a flight of stairs",
    "a teddy bear on a chair",
    "a bench under a street lamp",
    "a letter box covered with stickers",
)

PROMPT_SETS: dict[str, tuple[str, ...]] = {"captions": (*SCENES, *PEOPLE, *ANIMALS, *THINGS)}
