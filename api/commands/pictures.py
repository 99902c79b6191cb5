"""Pictures as PNG, for commands: rendered, and what the picture's typeface can't draw is told."""

from __future__ import annotations

from pathlib import Path

import typer

__all__ = ["as_png"]

_NAMED = 12
"""Letters that are named; of more only how many they are."""


def as_png(svg: str, file: Path, *, theme: str = "auto") -> bytes:
    """The picture; letters that are missing in it are named on stderr. `file` is what it will be called."""
    from engine.png import png, undrawn

    missing = undrawn(svg)
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        typer.echo(
            f"warning: {file.name} has empty boxes for {' '.join(missing[:_NAMED])}{more}: a PNG has the letters of Source Sans Pro"
            f" alone; {file.with_suffix('.svg').name} would show them, in the reader's own typefaces",
            err=True,
        )
    return png(svg, theme="light" if theme == "auto" else theme)
