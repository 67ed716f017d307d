"""What `harness run` shows while it works: bars in a terminal, a line a finished cell elsewhere, none with --json."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from harness.cli.plan import duration

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

Notify = Callable[[Any], None]


@contextmanager
def show_progress(console: Console, forecast: dict[str, Any], *, quiet: bool = False) -> Iterator[Notify]:
    """A function that takes the events of engine and scoring, and shows them as suits the console."""
    if quiet:
        yield _nothing
    elif console.is_terminal:
        with _Bars(console, forecast) as bars:
            yield bars.notify
    else:
        yield _Lines(console, forecast).notify


def _nothing(event: Any) -> None:
    """For scripts."""


def name_of(event: Any) -> str:
    """`spell seed 1`."""
    return f"{event.planned.label} seed {event.planned.cell.seed}" if event.planned is not None else ""


class _Lines:
    """Plain lines for pipes and logs."""

    def __init__(self, console: Console, forecast: dict[str, Any]) -> None:
        self.console, self.total, self.ended, self.scoring = console, forecast["to_run"], 0, False

    def notify(self, event: Any) -> None:
        kind = getattr(event, "kind", "scoring")
        if kind == "scoring":
            if not self.scoring:
                self._say(f"scoring {event.total} cells")
            self.scoring = True
        elif kind == "stopping":
            self._say("stopping after the shards in flight; Ctrl-C again stops now")
        elif kind == "waiting":
            self._say(f"{name_of(event)}: waiting for another run of the same cell")
        elif kind == "ended":
            self.ended += 1
            left = f", {duration(event.remaining_s)} left" if event.remaining_s else ""
            self._say(f"[{self.ended}/{self.total}] {name_of(event)}: {event.status}{left}")

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)


class _Bars:
    """Live bars: items of the whole run, each cell in flight, then scoring."""

    def __init__(self, console: Console, forecast: dict[str, Any]) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

        self.console, self.cells, self.items = console, forecast["to_run"], forecast["images"]
        self.item = str(forecast["item"])
        self.ended = 0
        self.finished = 0.0
        self.done: dict[str, float] = {}
        self.bars: dict[str, TaskID] = {}
        self.whole: TaskID | None = None
        self.scoring: TaskID | None = None
        self.progress: Progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=console,
            transient=True,
            expand=console.width < 100,
        )

    def __enter__(self) -> _Bars:
        self.progress.start()
        if self.cells:
            self.whole = self.progress.add_task(f"[bold]{self.item}s[/]", total=self.items, note=self._cells())
        return self

    def __exit__(self, *unused: object) -> None:
        self.progress.stop()

    def _cells(self, remaining_s: float | None = None) -> str:
        left = f" · {duration(remaining_s)} left" if remaining_s else ""
        return f"{self.ended}/{self.cells} cells{left}"

    def notify(self, event: Any) -> None:
        kind = getattr(event, "kind", "scoring")
        if kind == "scoring":
            self._score(event)
        elif kind == "stopping":
            self.console.print("[yellow]stopping after the shards in flight; Ctrl-C again stops now[/]")
        elif event.planned is not None:
            self._cell(str(kind), event)

    def _cell(self, kind: str, event: Any) -> None:
        address = event.planned.cell.address
        if address not in self.bars and kind != "ended":
            note = "waiting for another run" if kind == "waiting" else ""
            self.bars[address] = self.progress.add_task(f"  {name_of(event)}", total=event.total or None, note=note)
        if kind == "ended":
            if (bar := self.bars.pop(address, None)) is not None:
                self.progress.remove_task(bar)
            self.done.pop(address, None)
            self.finished += event.total or event.done
            self.ended += 1
            if not event.status.is_ok:
                self.console.print(f"[red]✗[/] {name_of(event)}: {event.status}", soft_wrap=True)
        elif kind != "waiting":
            self.done[address] = max(self.done.get(address, 0.0), min(event.done, event.total))
            self.progress.update(self.bars[address], completed=self.done[address], total=event.total or None, note="")
        if self.whole is not None:
            completed = self.finished + sum(self.done.values())
            self.progress.update(self.whole, completed=int(completed), note=self._cells(event.remaining_s))

    def _score(self, event: Any) -> None:
        if self.scoring is None:
            self.scoring = self.progress.add_task("[bold]scoring[/]", total=event.total, note="")
        self.progress.update(self.scoring, completed=event.done, note=event.label)
