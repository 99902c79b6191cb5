"""The drawing of journeys, all from the IR: SVG, Mermaid and text."""

from dsl.draw.mermaid import mermaid
from dsl.draw.svg import svg
from dsl.draw.text import text

__all__ = ["mermaid", "svg", "text"]
