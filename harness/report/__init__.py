"""Reports: frames of a run in; HTML, Markdown, CSV or a terminal table out. Importing it does not load torch."""

from __future__ import annotations

from typing import Literal

from harness.report.run_view import BadFrame, GridImages, MixedProtocols, RunView

Format = Literal["html", "md", "csv"]

__all__ = ["BadFrame", "Format", "GridImages", "MixedProtocols", "RunView", "render"]


def render(view: RunView, format: Format = "html") -> str:
    """The run as text: one self-contained page, a Markdown table with its notes, or the scores frame as CSV.

    Raises ValueError for another format.
    """
    if format == "html":
        from harness.report.html import page

        return page(view)
    if format == "md":
        from harness.report.markdown import markdown

        return markdown(view)
    if format == "csv":
        from harness.scoring.columns import SCORES

        text: str = view.scores[list(SCORES)].to_csv(index=False, lineterminator="\n")
        return text
    raise ValueError(f"unknown report format {format!r}; known are html, md, csv")
