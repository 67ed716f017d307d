"""ImageNet's thousand classes as prompts of class-conditional models: "207: golden retriever", or the number alone.

The order is that of ILSVRC 2012 (sorted WordNet ids). Names are for readers; the number is what the model is given.
`few` takes classes from all over the list: animals, plants, food, vehicles, buildings, things, landscapes.
"""

from __future__ import annotations

CLASSES = 1000
FEW = (
    *("1: goldfish", "2: great white shark", "9: ostrich", "14: indigo bunting", "22: bald eagle"),
    *("33: loggerhead", "71: scorpion", "76: tarantula", "88: macaw", "99: goose", "107: jellyfish"),
    *("130: flamingo", "145: king penguin", "151: Chihuahua", "207: golden retriever"),
    *("250: Siberian husky", "279: Arctic fox", "281: tabby cat", "291: lion", "292: tiger"),
    *("294: brown bear", "309: bee", "323: monarch butterfly", "340: zebra", "360: otter"),
    *("385: Asian elephant", "387: lesser panda", "388: giant panda", "402: acoustic guitar"),
    *("404: airliner", "417: balloon", "437: lighthouse", "440: beer bottle", "444: tandem bicycle"),
    *("466: bullet train", "483: castle", "497: church", "511: convertible", "533: dishrag"),
    *("555: fire engine", "565: freight car", "607: jack-o'-lantern", "620: laptop", "637: mailbox"),
    *("671: mountain bike", "701: parachute", "717: pickup truck", "779: school bus", "780: schooner"),
    *("805: soccer ball", "817: sports car", "849: teapot", "879: umbrella", "928: ice cream"),
    *("933: cheeseburger", "949: strawberry", "954: banana", "963: pizza", "970: alp", "973: coral reef"),
    *("975: lakeside", "979: valley", "980: volcano", "985: daisy"),
)

PROMPT_SETS: dict[str, tuple[str, ...]] = {"few": FEW, "all": tuple(str(number) for number in range(CLASSES))}
