"""The methods: one file each, one folder a family. Plug-ins come by the entry point `harness.methods`."""

from __future__ import annotations

from harness.methods.method import Method
from harness.registry import Registry

METHODS: Registry[type[Method]] = Registry(kind="method", base=lambda: Method, entries={})
