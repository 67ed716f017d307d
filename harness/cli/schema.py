"""`harness schema`: the JSON Schema of suites, for editors."""

from __future__ import annotations

import sys


def schema() -> None:
    """Print the JSON Schema of suites, for editors.

    It holds the names and parameters of everything installed. Editors complete from it after
    [cyan]harness schema > suite.schema.json[/] and a first line
    [cyan]# yaml-language-server: $schema=suite.schema.json[/] in the suite.
    """
    from harness.suite.json_schema import schema_text

    sys.stdout.write(schema_text())
