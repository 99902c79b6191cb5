"""Pictures as PNG: an SVG drawn by `dsl.draw`, rendered with the project's own typeface and no system font."""

from __future__ import annotations

import re
from html import unescape
from importlib.resources import files

import resvg_py

from dsl.draw.palette import resolve
from engine.letters.glyphs import lost

__all__ = ["png", "undrawn"]

_TEXT = re.compile(r"<text\b[^>]*>(.*?)</text>", re.DOTALL)
_FACES = ("Regular", "Semibold")


def png(svg: str, scale: float = 2, *, theme: str = "light") -> bytes:
    """Render an SVG document as PNG, `scale` pixels for each of its own, in the light or the dark theme.

    Raises ValueError if the SVG cannot be read, the scale isn't above 0 or the theme doesn't exist.
    """
    if not scale > 0:
        raise ValueError(f"the scale of a picture must be above 0, not {scale!r}")
    drawing = resolve(svg, theme)
    fonts = files("font_source_sans_pro") / "files"
    try:
        return resvg_py.svg_to_bytes(
            svg_string=drawing,
            zoom=scale,
            skip_system_fonts=True,
            font_files=[str(fonts / f"SourceSansPro-{face}.ttf") for face in _FACES],
            font_family="Source Sans Pro",
            sans_serif_family="Source Sans Pro",
        )
    except ValueError as error:
        raise ValueError(f"the picture is no SVG that can be read: {error}") from error


def undrawn(svg: str) -> str:
    """The letters of a picture's texts that the typeface has not, each once: in the PNG they are missing."""
    return lost("".join(unescape(found) for found in _TEXT.findall(svg)))
