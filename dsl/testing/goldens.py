"""Goldens: pictures and paths that somebody has reviewed, kept as files, and told apart from what a journey gives now.

    def test_win_back_is_as_reviewed(goldens: Goldens) -> None:
        goldens.picture(WinBack)        # goldens/win_back.svg
        goldens.paths(WinBack)          # goldens/win_back.paths.txt

`pytest --renew-goldens` writes them anew: look at what the version control shows then. The fixture `goldens` comes with
`parcours`; it keeps them in the folder `goldens` beside the test's own file.
"""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import unified_diff
from pathlib import Path
from typing import Final

from dsl.ir import IR
from dsl.journey import Journey
from dsl.testing.driver import chart_of
from dsl.testing.paths import Paths, paths

__all__ = ["Goldens", "StaleGoldenError"]

_SHOWN: Final = 60
"""Lines of a difference that are shown."""
_WIDE: Final = 200


class StaleGoldenError(AssertionError):
    """What a journey gives is not what was reviewed."""


class Goldens:
    """The reviewed files of one folder. With `renew` they are written, not compared."""

    def __init__(self, folder: Path, *, renew: bool = False) -> None:
        self.folder = folder
        self.renew = renew
        self.renewed: list[Path] = []
        """The files that were written."""

    def picture(self, journey: type[Journey], suffix: str = ".svg") -> None:
        """The journey's picture: `.svg`, `.mmd` (Mermaid) or `.txt` (as `parcours show` has it)."""
        ir = _placeless(chart_of(journey).ir)
        self.same(f"{ir.name}{suffix}", _drawn(ir, suffix))

    def paths(self, found: type[Journey] | Paths) -> None:
        """The paths through the journey. They are walked too, so each arrow counts as covered."""
        every = found if isinstance(found, Paths) else paths(found)
        for path in every:
            path.walk()
        self.same(f"{every.ir.name}.paths.txt", str(every))

    def same(self, name: str, text: str) -> None:
        """Any text: it must be what stands in the file of this name. Raises StaleGoldenError, with what differs."""
        file = self.folder / name
        reviewed = file.read_text("utf-8") if file.exists() else None
        if reviewed == text:
            return
        if self.renew:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8", newline="\n")
            self.renewed.append(file)
            return
        told = "is not there yet" if reviewed is None else "is not what was reviewed"
        shown = "" if reviewed is None else f":\n{_difference(name, reviewed, text)}"
        raise StaleGoldenError(f"{_short(file)} {told}{shown}\nlook at it anew: pytest --renew-goldens")


def _drawn(ir: IR, suffix: str) -> str:
    match suffix:
        case ".svg":
            from dsl.draw.svg import svg  # noqa: PLC0415  # the layout is loaded only to draw

            return svg(ir)
        case ".mmd":
            from dsl.draw.mermaid import mermaid  # noqa: PLC0415  # as above

            return mermaid(ir)
        case ".txt":
            from dsl.draw.text import text  # noqa: PLC0415  # as above

            return text(ir)
        case _:
            raise ValueError(f"a golden picture is .svg, .mmd or .txt, not {suffix!r}")


def _placeless(ir: IR) -> IR:
    """Without the lines of the author's file: a picture isn't stale because something above it has grown."""
    return replace(ir, notes={name: replace(note, file="", line=0) for name, note in ir.notes.items()})


def _difference(name: str, reviewed: str, text: str) -> str:
    """What differs. Of a picture it is what can be read in it; where only something has moved, that is said."""
    before, after = reviewed.splitlines(), text.splitlines()
    if name.endswith(".svg"):
        before, after = _words(reviewed), _words(text)
        if before == after:
            return "    the same words, in other places or colours"
    lines = [line[:_WIDE] for line in unified_diff(before, after, "reviewed", "now", lineterm="", n=2)]
    more = [f"… and {len(lines) - _SHOWN} lines more"] if len(lines) > _SHOWN else []
    return "\n".join(f"    {line}" for line in (*lines[:_SHOWN], *more))


def _words(picture: str) -> list[str]:
    """What can be read in a picture, in its order."""
    drawn = re.sub(r"<style>.*?</style>", "", picture, flags=re.DOTALL)
    return [word.strip() for word in re.findall(r">([^<>]+)<", drawn) if word.strip()]


def _short(file: Path) -> str:
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)
