"""The YAML language of suites: `load_suite` reads and checks one, `plan` expands it into cells."""

from __future__ import annotations

from harness.suite.checking import LoadedSuite
from harness.suite.errors import SuiteError
from harness.suite.expansion import Plan, plan
from harness.suite.loading import load_suite, suite_names
from harness.suite.resolved import resolved_yaml

__all__ = ["LoadedSuite", "Plan", "SuiteError", "load_suite", "plan", "resolved_yaml", "suite_names"]
