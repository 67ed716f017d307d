"""The recipes that trained the shipped models: `python -m harness.worlds.recipes.<name>` reruns one."""
