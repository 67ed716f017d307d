"""The real command in its own process: speed and imports of --help, streams, exit codes, colors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "pandas", "numpy", "diffusers", "transformers", "pydantic", "ruamel.yaml", "rich.console")
MAIN = "from harness.cli.main import main; main()"


def harness(*arguments: str, code: str = MAIN, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environ})


def test_help_answers_within_half_a_second_of_its_own_time() -> None:
    best = 9.0
    for _ in range(3):
        before = os.times()
        assert harness("--help").returncode == 0
        after = os.times()
        best = min(best, after.children_user + after.children_system - before.children_user - before.children_system)
    assert best < 0.5  # seconds of CPU: other work on the machine does not count


def test_importing_the_command_line_imports_nothing_heavy() -> None:
    code = f"import sys, harness.cli.main; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert harness(code=code).stdout.strip() == "[]"


def test_help_names_every_verb_and_a_beginning() -> None:
    text = harness("--help").stdout
    for verb in (
        "run",
        "plan",
        "validate",
        "status",
        "report",
        "export",
        "statistics",
        "list",
        "describe",
        "schema",
        "doctor",
        "zoo",
    ):
        assert f"│ {verb} " in text
    assert "harness run" in text


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["frobnicate"], 2, "No such command 'frobnicate'"),
        (["run", "quickstart", "--bogus"], 2, "No such option: --bogus"),
        (["run", "quickstart", "--workers", "many"], 2, "Invalid value for '--workers'"),
        (["list", "metrix"], 2, "Invalid value"),
        (["validate", "nope.yaml"], 2, "nope.yaml: no such file"),
        (["describe", "nothing-like-it-at-all"], 2, "unknown name 'nothing-like-it-at-all'"),
        (["--version"], 0, ""),
    ],
)
def test_what_is_wrong_goes_to_stderr_with_its_exit_code(arguments: list[str], code: int, says: str) -> None:
    result = harness(*arguments, COLUMNS="200")
    assert result.returncode == code
    assert says in result.stderr
    assert (result.stdout == "") == (code != 0)


def test_a_pipe_gets_no_colors_and_no_trailing_blanks() -> None:
    result = harness("list", "metrics", FORCE_COLOR="", COLUMNS="80")
    assert "\x1b" not in result.stdout
    lines = result.stdout.splitlines()
    assert all(line == line.rstrip() for line in lines)
    assert max(map(len, lines)) <= 80


def test_no_color_is_respected_in_a_terminal(tmp_path: Path) -> None:
    import pty

    def shown(**environ: str) -> str:
        leader, follower = pty.openpty()
        settings = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", **environ}
        command = [sys.executable, "-c", MAIN, "validate", "nope.yaml"]
        process = subprocess.Popen(command, stdout=follower, stderr=follower, env=settings, cwd=tmp_path)
        os.close(follower)
        text = b""
        while True:
            try:
                part = os.read(leader, 4096)
            except OSError:
                break
            if not part:
                break
            text += part
        process.wait()
        os.close(leader)
        return text.decode()

    colored, plain = shown(), shown(NO_COLOR="1")
    assert "\x1b[31m" in colored
    assert "\x1b[31m" not in plain
    assert "bad input: 1 problem" in plain
    assert "╭─" in plain


def test_a_closed_pipe_is_no_traceback() -> None:
    command = f"{sys.executable} -c '{MAIN}' schema | head -c 10"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in result.stderr


def test_planning_from_the_shell_imports_no_torch_and_no_pandas() -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from harness.cli.main import app\n"
        "result = CliRunner().invoke(app, ['validate', 'quickstart'])\n"
        "assert result.exit_code == 0, result.output\n"
        "print(sorted(sys.modules.keys() & {'torch', 'pandas', 'diffusers'}))"
    )
    assert harness(code=code).stdout.strip() == "[]"
