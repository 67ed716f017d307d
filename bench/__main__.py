"""Run benchmarks and print a table, or with --json a list of rows and nothing else on stdout.

    python -m bench [NAME…] [--json] [--threads N]

Exit code 0 where no goal was missed, 1 where one was, 2 for a name that is no benchmark. A goal that this machine
cannot decide (no GPU, no peer) has `met` null and is not missed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.measure import Row, cannot, hold_threads

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The benchmarks: files here that define `run`."""
    return sorted(p.stem for p in FOLDER.glob("*.py") if "\ndef run() ->" in p.read_text(encoding="utf-8"))


def rows_of(name: str) -> list[Row]:
    """The rows of one benchmark, its prints on stderr. A missing peer leaves the goal open, an error misses it."""
    with contextlib.redirect_stdout(sys.stderr):
        try:
            found: list[Row] = importlib.import_module(f"bench.{name}").run()
        except ModuleNotFoundError as error:
            return [cannot(name, "", f"{error.name} is not installed")]
        except Exception as error:
            return [Row(name, None, None, None, "", False, None, f"failed: {type(error).__name__}: {error}")]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    known = names()
    as_written = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser("python -m bench", description=__doc__, formatter_class=as_written)
    parser.add_argument("name", nargs="*", help=f"any of {', '.join(known)}; all by default")
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--threads", type=int, help="of every library; else OMP_NUM_THREADS, else the cores there are")
    options = parser.parse_args(arguments)
    if wrong := [n for n in options.name if n not in known]:
        parser.error(f"no benchmark {wrong[0]!r}; there are {', '.join(known)}")
    threads = hold_threads(options.threads)
    rows: list[Row] = []
    for name in options.name or known:
        print(f"{name} …", file=sys.stderr)
        rows.extend(rows_of(name))
    if options.as_json:
        print(json.dumps([row.plain() for row in rows], indent=1))
    else:
        show(rows, threads)
    return int(any(row.met is False for row in rows))


def show(rows: Sequence[Row], threads: int) -> None:
    from rich.console import Console
    from rich.table import Table

    title = f"{threads} thread{'s' * (threads != 1)} on both sides, the best of the repetitions"
    table = Table(title=title, title_justify="left")
    for column in ("benchmark and peer", "ours s", "peer s", "ratio", "equal to", "goal", "met"):
        table.add_column(column, justify="right" if column in NUMBERS else "left")
    for row in rows:
        met = "?" if row.met is None else "yes" if row.met else "no"
        numbers = [_short(x) for x in (row.ours_s, row.peer_s, row.ratio, row.equal_to)]
        table.add_row("\n".join(filter(None, (row.name, row.peer))), *numbers, row.goal, met)
    console = Console()
    console.print(table)
    for row in rows:
        if row.note:
            console.print(f"{row.name}: {row.note}", style="dim", markup=False, highlight=False)


NUMBERS = ("ours s", "peer s", "ratio", "equal to")


def _short(value: Any) -> str:
    return "–" if value is None else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
