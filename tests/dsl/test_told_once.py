"""One mistake is one error: what it brings with it isn't told beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsl.loading import load
from dsl.problems import Problems

CARE = """\
from dsl import *


class Care(Journey{abstract}):
    enters = Api()
    purpose = marketing
    pause = Knob(days(3), min=days(1), max=days(9))
    won = Goal()
    done = Final()

    @Email("care/mail")
    def mail(self) -> Arrows:
        yield Email.clicked >> self.won
        yield after({wait}) >> self.done
"""
HEIR = """

class Heir(Care):
    {member}

    @Email("care/mail")
    def mail(self) -> Arrows:
        yield Email.clicked >> self.{to}
        yield after(self.pause) >> self.done
"""
MISTAKES = {
    "a knob where none can be": (CARE.format(abstract="", wait="days=self.pause"), ["J150"]),
    "a knob that is misspelt": (CARE.format(abstract="", wait="self.pauses"), ["J150"]),
    "a body that breaks": (CARE.format(abstract="", wait="self.pause[1]"), ["J102"]),
    "a box that an heir makes nothing": (
        CARE.format(abstract=", abstract=True", wait="self.pause") + HEIR.format(member="won = None", to="won"), ["J108"],
    ),
    "a box that an heir makes a number": (
        CARE.format(abstract=", abstract=True", wait="self.pause") + HEIR.format(member="won = 3", to="won"), ["J108"],
    ),
    "and another mistake": (
        CARE.format(abstract=", abstract=True", wait="self.pause") + HEIR.format(member="won = None", to="lost"),
        ["J101", "J108"],
    ),
    "a box that a method takes the name of": (
        CARE.format(abstract="", wait="self.pause") + "\n    def mail(self) -> Arrows:\n        yield then >> self.done\n", ["J108"],
    ),
    "a box of Python's own name": (CARE.format(abstract="", wait="self.pause").replace("def mail", "def __init__"), ["J107"]),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_A1_one_mistake_is_one_error(mistake: str, tmp_path: Path) -> None:
    source, codes = MISTAKES[mistake]
    (tmp_path / "care.py").write_text(source)

    with pytest.raises(Problems) as found:
        load(tmp_path / "care.py")

    assert sorted(error.code for error in found.value.errors) == codes
