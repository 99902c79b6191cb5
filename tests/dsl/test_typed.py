"""What takes a text, a yes or a no takes nothing else: refused where it is written, with what was given and a way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsl.loading import load
from dsl.problems import Problems

CARE = """\
from dsl import *


class Member(Customer):
    tier = {fact}


class Care(Journey{abstract}):
    \"\"\"{doc}\"\"\"

    enters = {enters}
    pause = {knob}
    done = Final()

    @Wait()
    def rest(self) -> Arrows:
        yield after(self.pause) >> self.done
"""
SOUND = {
    "fact": 'text(key="loyaltyTier")',
    "abstract": "",
    "doc": "Care.",
    "enters": "Api()",
    "knob": 'Knob(days(3), min=days(1), max=days(9), label="Pause")',
}
WRONG = {
    "text(key=3)": ("fact", "key= takes the name that the data has for it, not 3", 'for example text(key="loyaltyTier")'),
    "number(key='')": ("fact", "key= takes the name that the data has for it, not ''", 'for example number(key="loyaltyTier")'),
    "Knob(days(3), min=days(1), max=days(9), label=3)": (
        "knob", "label= takes words for who turns the knob, not 3", 'for example label="Pause"',
    ),
    ", abstract='no'": ("abstract", "abstract= takes True or False, not 'no'", ""),
    "Audience(everyone, every=daily(at='09:00', local='x'))": ("enters", "local= takes True or False, not 'x'", ""),
    "Audience(everyone, every=weekly('monday', at='09:00', local=1))": ("enters", "local= takes True or False, not 1", ""),
    "Audience(everyone, every=cron('0 9 * * *', local=None))": ("enters", "local= takes True or False, not None", ""),
}  # fmt: skip


def problems(folder: Path, **parts: str) -> list[tuple[str, int, str, str]]:
    source = CARE.format(**{**SOUND, **parts})
    (folder / "care.py").write_text(source)
    try:
        load(folder / "care.py")
    except Problems as found:
        return [(error.code, error.line, error.message, error.help) for error in found.errors]
    return []


def test_A1_what_is_of_its_kind_is_fine(tmp_path: Path) -> None:
    assert problems(tmp_path) == []


@pytest.mark.parametrize("value", WRONG)
def test_A1_what_is_of_another_kind_is_refused_where_it_stands(value: str, tmp_path: Path) -> None:
    part, message, way_out = WRONG[value]
    lines = {"fact": 5, "abstract": 8, "enters": 11, "knob": 12}

    assert problems(tmp_path, **{part: value}) == [("J150", lines[part], message, way_out)]


def test_A1_half_of_a_character_has_a_way_out(tmp_path: Path) -> None:
    ((code, line, _, way_out),) = problems(tmp_path, doc="Care \\ud800.")

    assert (code, line, way_out) == ("J142", 8, "half of a character is no text: write the character itself")
