"""The worked examples of CONTRIBUTING.md are real files, and a plug-in package registers one of each."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
PLUGIN = Path(__file__).parent / "plugin_package"
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- (\S+) -->\n```(?:python|yaml)\n(.*?)```", PAGE, flags=re.S)


def _python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(PLUGIN), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def _harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    return _python("from harness.cli.main import main; main()", *arguments)


def test_the_page_has_an_example_of_each() -> None:
    assert [Path(name).suffix for name, _ in BLOCKS] == [".py", ".py", ".yaml", ".yaml"]


@pytest.mark.parametrize(("name", "block"), BLOCKS, ids=[name for name, _ in BLOCKS])
def test_the_examples_on_the_page_are_the_files(name: str, block: str) -> None:
    assert block == (ROOT / name).read_text(encoding="utf-8")


def test_a_plugin_is_listed_and_described() -> None:
    listed = _harness("list", "--json")
    assert listed.returncode == 0, listed.stderr
    for name in ("brightness", "mirrored_noise", "two_prompts"):
        assert name in listed.stdout
        described = _harness("describe", name)
        assert described.returncode == 0, described.stderr
    assert "every" in _harness("describe", "mirrored_noise").stdout


def test_a_suite_over_plugins_is_valid_and_planned() -> None:
    validated = _harness("validate", str(PLUGIN / "mirrored.yaml"))
    assert validated.returncode == 0, validated.stderr
    planned = _harness("plan", str(PLUGIN / "mirrored.yaml"), "--json")
    assert planned.returncode == 0, planned.stderr
    assert "every second" in planned.stdout


def test_a_broken_plugin_fails_the_suite_that_names_it_and_no_other(tmp_path: Path) -> None:
    text = (PLUGIN / "mirrored.yaml").read_text(encoding="utf-8").replace("name: two_prompts", "name: broken")
    suite = tmp_path / "broken.yaml"
    suite.write_text(text, encoding="utf-8")
    done = _harness("validate", str(suite))
    assert done.returncode == 2
    assert "harness_example.nowhere" in done.stderr


def test_without_the_plugin_its_names_are_unknown() -> None:
    code = "from harness.metrics import METRICS; print('brightness' in METRICS)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
    assert _python(code).stdout == "True\n"


def test_the_example_metric_has_its_closed_forms() -> None:
    code = """
import numpy as np
from harness_example.brightness import luminance
images = np.zeros((3, 4, 4, 3), np.uint8)
images[1] = 255
images[2, ..., 0] = 255
print(luminance(images).tolist())
"""
    values = np.array(_floats(_python(code).stdout))
    np.testing.assert_allclose(values, [0.0, 1.0, 0.2126], atol=1e-12)


def _floats(text: str) -> list[float]:
    return [float(part) for part in text.strip().strip("[]").split(",")]
