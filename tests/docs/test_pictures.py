"""The pictures of the documents: each is drawn from a journey that stands in its document, or is shipped; none is stale.

`GOLDEN=write pytest tests/docs/test_pictures.py` draws them anew; look at them before you commit them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from docs.scenario import ROOT, blocks, documents

from dsl import Problems, draw
from dsl.ir import IR
from dsl.loading import load

PICTURES = ROOT / "docs" / "pictures"
_SHOWN = re.compile(r"!\[[^]]*\]\(([^)]+\.svg)\)|<img src=\"([^\"]+\.svg)\"")


def shown(document: Path) -> list[Path]:
    """The pictures that a document shows."""
    found = _SHOWN.findall(document.read_text("utf-8"))
    return [(document.parent / (one or other)).resolve() for one, other in found]


def journeys_of(document: Path, folder: Path) -> dict[str, IR]:
    """The shipped journeys, and those that the document shows, as they are at its end."""
    for block in blocks(document):
        if block.path is not None and block.path.endswith(".py"):
            file = folder / block.path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, "utf-8")
    found = {each.ir.name: each.ir for each in load(ROOT / "journeys")}
    for place in sorted({file.parent for file in folder.rglob("*.py") if not file.name.startswith("test_")}):
        try:
            found |= {each.ir.name: each.ir for each in load(place)}
        except Problems as problems:  # a document may show what is refused
            found |= {each.ir.name: each.ir for each in problems.loaded if each.ir.name not in found}
    return found


@pytest.mark.parametrize("document", [d for d in documents() if shown(d)], ids=lambda d: d.relative_to(ROOT).as_posix())
def test_a_picture_is_of_the_journey_as_it_is(document: Path, tmp_path: Path) -> None:
    journeys = journeys_of(document, tmp_path)
    for picture in shown(document):
        drawn = draw.svg(journeys[picture.stem])
        if os.environ.get("GOLDEN") == "write":
            picture.write_text(drawn, "utf-8")
        assert picture.read_text("utf-8") == drawn, f"{picture.name} is stale: draw it anew"


def test_every_picture_is_shown() -> None:
    assert {path for document in documents() for path in shown(document)} == set(PICTURES.glob("*.svg"))
