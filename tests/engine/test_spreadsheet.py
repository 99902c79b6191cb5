"""Cells for spreadsheets: no formula gets through, and what was marked comes back as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.spreadsheet import inert, plain


@pytest.mark.parametrize(
    "cell", ["=1+1", "@SUM(A1)", "+33 12;=1", "-2+3", "  =A1", "\t=A1", "\r=A1", "\n=A1", "+cmd|' /C calc'!A0", "-x"]
)
def test_what_a_spreadsheet_would_run_is_marked(cell: str) -> None:
    assert inert(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "+33612345678", "-12,50", "- 5", "12-1-0", "'tis fine", "Ann", "a=b"])
def test_what_it_would_not_is_left(cell: str) -> None:
    assert inert(cell) == plain(cell) == cell


@given(st.text(alphabet="=+-@'1a \t\n", max_size=6))
def test_a_marked_cell_comes_back(cell: str) -> None:
    if not cell.startswith("'"):
        assert plain(inert(cell)) == cell
