"""The parameterisations: what of a trained model a search may move, one file each."""

from __future__ import annotations

from harness.models.parameterisations.block_gains import BlockGains
from harness.models.parameterisations.channel_gains import ChannelGains
from harness.models.parameterisations.decoding import Decoding
from harness.models.parameterisations.knob import Knob
from harness.models.parameterisations.logit_bias import LogitBias
from harness.models.parameterisations.parameterisation import Nothing, Parameterisation, Point, Session
from harness.models.parameterisations.rank_one import RankOne

PARAMETERISATIONS: dict[str, type[Parameterisation]] = {
    cls.name: cls for cls in (BlockGains, ChannelGains, RankOne, Decoding, LogitBias)
}

__all__ = [
    "PARAMETERISATIONS",
    "BlockGains",
    "ChannelGains",
    "Decoding",
    "Knob",
    "LogitBias",
    "Nothing",
    "Parameterisation",
    "Point",
    "RankOne",
    "Session",
]
