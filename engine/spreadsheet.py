"""Cells for spreadsheets: text that one would take for a formula is marked with an apostrophe (OWASP, CSV injection)."""

from __future__ import annotations

import re

__all__ = ["inert", "plain"]

# A phone number or an amount computes nothing, and stays as it is.
_FORMULA = re.compile(r"[\t\r\n]|\s*(?:[=@]|[+-](?![\d\s.,]*\Z))")


def inert(cell: str) -> str:
    """A cell that no spreadsheet runs."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def plain(cell: str) -> str:
    """The cell as it was before `inert`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell, 1) else cell
