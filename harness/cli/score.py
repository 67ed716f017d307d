"""`harness score`: images made elsewhere, scored with a suite's metrics beside its rows."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.arguments import Json, Settings, StoreFolder, store_root
from harness.cli.output import BadInput


class Absent(StrEnum):
    ERROR = "error"
    FAIL = "fail"


class Containers(StrEnum):
    MATCH = "match"
    ANY = "any"


class Rule(StrEnum):
    NONE = "none"
    CROP = "crop"
    STRETCH = "stretch"
    ADM = "adm"


class Alpha(StrEnum):
    REFUSE = "refuse"
    WHITE = "white"
    BLACK = "black"


class SixteenBit(StrEnum):
    REFUSE = "refuse"
    ROUND = "round"
    HIGH_BYTE = "high_byte"


class Cmyk(StrEnum):
    REFUSE = "refuse"
    CONVERT = "convert"


class Icc(StrEnum):
    REFUSE = "refuse"
    IGNORE = "ignore"
    SRGB = "srgb"


_READING = "How images are read"


def score(
    images: Annotated[Path, typer.Option("--images", metavar="DIR|NPZ", help="Folder of images, or an npz (arr_0).")],
    suite: Annotated[str, typer.Option("--suite", metavar="SUITE", help="YAML file, or name of a shipped suite.")],
    as_: Annotated[str, typer.Option("--as", metavar="NAME", help="Name of the row in tables.")],
    prompts: Annotated[
        Path | None,
        typer.Option(
            "--prompts",
            metavar="FILE",
            help="JSONL or CSV with file,prompt[,sample,seed]; or .txt, the prompts that numbers in names mean."
            " [dim]default: the suite's prompts, files named as by harness export[/]",
        ),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option("--seed", metavar="N", help="Seeds of the suite that the images answer; repeatable; all without."),
    ] = None,
    missing: Annotated[
        Absent, typer.Option("--missing", help="error: refuse. fail: count seeds with missing images as failed cells.")
    ] = Absent.ERROR,
    out_: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Run directory. [dim]default: runs/<suite name>[/]")
    ] = None,
    store: StoreFolder = None,
    device: Annotated[str, typer.Option("--device", metavar="auto|cpu|cuda[:N]", help="Where networks run.")] = "auto",
    by: Annotated[str, typer.Option("--by", metavar="TEXT", help="Who made the images; kept as provenance.")] = "",
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Anything else worth keeping.")] = "",
    containers: Annotated[
        Containers,
        typer.Option("--containers", help="any: JPEG beside PNG is meant.", rich_help_panel=_READING),
    ] = Containers.MATCH,
    fit: Annotated[Rule, typer.Option("--fit", help="Rule for another size.", rich_help_panel=_READING)] = Rule.NONE,
    side: Annotated[
        int | None, typer.Option("--side", metavar="N", min=1, help="Pixels after --fit.", rich_help_panel=_READING)
    ] = None,
    alpha: Annotated[
        Alpha, typer.Option("--alpha", help="Transparent pixels.", rich_help_panel=_READING)
    ] = Alpha.REFUSE,
    sixteen_bit: Annotated[
        SixteenBit, typer.Option("--sixteen-bit", help="16-bit images.", rich_help_panel=_READING)
    ] = SixteenBit.REFUSE,
    cmyk: Annotated[Cmyk, typer.Option("--cmyk", help="CMYK images.", rich_help_panel=_READING)] = Cmyk.REFUSE,
    icc: Annotated[
        Icc, typer.Option("--icc", help="Embedded profiles other than sRGB.", rich_help_panel=_READING)
    ] = Icc.REFUSE,
    set_: Settings = None,
    as_json: Json = False,
) -> None:
    """Score images made elsewhere, beside the rows of a run.

    The metrics, their ids and the number of images are the suite's. Nothing is generated: rows of the suite that have
    not run stay not-run. The images share prompts with the suite but no noise, so differences are paired by prompt.

    Exit code 0: all cells ok; 1: a seed is counted as failed, or a cell of the suite has failed; 2: bad input.
    """
    from harness.cli.run import conclude
    from harness.data.fitting import Fit
    from harness.data.reader import Reader
    from harness.external import Outside, score_images
    from harness.suite import load_suite
    from harness.suite import plan as expand

    if (fit is Rule.NONE) is not (side is None):
        raise BadInput("--fit and --side belong together", "as in --fit crop --side 64")
    outside = Outside(
        images=images,
        label=as_,
        prompts=prompts,
        seeds=tuple(dict.fromkeys(seed)) if seed else None,
        missing=missing.value,
        reader=Reader(alpha.value, sixteen_bit.value, cmyk.value, icc.value),
        fit=Fit(fit.value, side),
        any_container=containers is Containers.ANY,
        by=by,
        note=note,
    )
    planned = expand(load_suite(suite, set_ or ()))
    finished = score_images(planned, outside, out=out_, store=store_root(store), device=device)
    conclude(finished, as_json, finished.ended_badly)
