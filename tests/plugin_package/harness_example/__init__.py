"""A plug-in package: one metric, one method and one task, registered by entry points."""
