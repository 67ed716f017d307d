"""The command line: `harness VERB`. One file a verb; nothing heavy is imported before a verb needs it."""

from __future__ import annotations

import errno
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from harness.cli import (
    cloak,
    describe,
    doctor,
    export,
    plan,
    report,
    run,
    schema,
    score,
    statistics,
    status,
    store,
    validate,
    zoo,
)
from harness.cli import list as listing
from harness.cli.output import BAD_INPUT, FAILED, INTERRUPTED, BadInput


class Verbs(TyperGroup):
    """Turns what a verb raises into a message and an exit code, with CliRunner as well as from a shell."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            from harness.cli.output import err

            err().print("interrupted; the same command resumes")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            sys.stderr.close()
            raise typer.Exit(FAILED) from None
        except Exception as error:
            if not _explain(error):
                raise
            raise typer.Exit(BAD_INPUT) from None


def _explain(error: Exception) -> bool:
    """Says what is wrong, when the error is one that is made for users: the project's own, or a disk that refuses."""
    refused = isinstance(error, OSError) and error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC}
    if not refused and not type(error).__module__.startswith("harness."):
        return False
    from rich.text import Text

    from harness.cli.output import show_error, show_problems
    from harness.suite.errors import SuiteError

    if isinstance(error, SuiteError):
        show_problems(error.problems)
    elif isinstance(error, BadInput):
        show_error(error.title, Text("\n".join(error.lines)), "\n".join((error.title, *error.lines)))
    elif refused:
        assert isinstance(error, OSError)
        text = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
        show_error("cannot be written or read", Text(text), text)
    else:
        show_error("bad input", Text(str(error)), str(error))
    return True


app = typer.Typer(
    cls=Verbs,
    name="harness",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Fair comparisons of what is done to generative models after training: paired, with intervals and controls.",
    epilog="SUITE is a YAML file or the name of a shipped suite. Start with: harness run quickstart",
)


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(version("posthoc-harness"))
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Options of all verbs."""


_RUNNING, _LOOKING, _KEEPING = "Running", "Looking up", "Keeping"
app.command("run", rich_help_panel=_RUNNING)(run.run)
app.command("plan", rich_help_panel=_RUNNING)(plan.plan)
app.command("validate", rich_help_panel=_RUNNING)(validate.validate)
app.command("status", rich_help_panel=_RUNNING)(status.status)
app.command("report", rich_help_panel=_RUNNING)(report.report)
app.command("cloak", rich_help_panel=_RUNNING)(cloak.cloak)
app.command("score", rich_help_panel=_RUNNING)(score.score)
app.command("export", rich_help_panel=_RUNNING)(export.export)
app.command("statistics", rich_help_panel=_RUNNING)(statistics.statistics)
app.command("list", rich_help_panel=_LOOKING)(listing.list_names)
app.command("describe", rich_help_panel=_LOOKING)(describe.describe)
app.command("schema", rich_help_panel=_LOOKING)(schema.schema)
app.command("doctor", rich_help_panel=_LOOKING)(doctor.doctor)
app.add_typer(zoo.app, name="zoo", rich_help_panel=_KEEPING)
app.add_typer(store.app, name="store", rich_help_panel=_KEEPING)


def main() -> None:
    """The `harness` script."""
    app()
