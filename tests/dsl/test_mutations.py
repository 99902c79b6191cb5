"""Journeys that were damaged at random: they compile, or every problem has a place; nothing else ever comes out."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from dsl.ir import IR
from dsl.ir_json import from_json, to_json
from dsl.loading import load
from dsl.problems import CODES, JourneyError, Problems, render
from dsl.step import chart

LINES = (Path(__file__).parent.parent / "golden" / "ir" / "win_back.py").read_text().splitlines()
FIRST = next(number for number, line in enumerate(LINES) if line.startswith("class WinBack"))
WORDS = [
    "self.call",
    "self.won",
    "self.cal",
    "then",
    "forever",
    "otherwise",
    "Email.clicked",
    "Sms.clicked",
    "yield ",
    "share(50)",
]


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """The journey with some lines dropped, doubled, swapped, or with one word put for another."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(FIRST, len(lines) - 1))
        match draw(st.sampled_from(["drop", "double", "swap", "word"])):
            case "drop":
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "swap":
                other = draw(st.integers(FIRST, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case _:
                lines[at] = lines[at].replace(draw(st.sampled_from(WORDS)), draw(st.sampled_from(WORDS)))
    return "\n".join(lines) + "\n"


def outcome(file: Path) -> tuple[list[IR], tuple[JourneyError, ...]]:
    try:
        return [one.ir for one in load(file)], ()
    except Problems as problems:
        return [], problems.errors


@settings(max_examples=150, deadline=None)
@given(damaged())
def test_A1_a_damaged_journey_compiles_or_says_where_it_is_wrong(source: str) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "win_back.py"
        file.write_text(source)
        loaded, problems = outcome(file)
    assert loaded or problems
    for error in problems:
        assert error.code in CODES
        assert error.file == str(file)
        assert error.code == "J143" or (0 < error.line <= source.count("\n") + 1 and error.column > 0)
        assert render(error)
    for ir in loaded:
        assert from_json(to_json(ir)) == ir
        assert len(chart(ir).boxes) == len(ir.states)
