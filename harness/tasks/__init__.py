"""The tasks: one file each. Plug-ins come by the entry point `harness.tasks`."""

from __future__ import annotations

from harness.registry import Registry
from harness.tasks.task import Task

TASKS: Registry[type[Task]] = Registry(
    kind="task",
    base=lambda: Task,
    entries={"text_to_image": "harness.tasks.text_to_image:TextToImage"},
)
