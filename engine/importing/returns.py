"""Returned letters from a file: the printer's list of what came back. No letter goes to these customers any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from engine.db import Database, table
from engine.errors import Invalid
from engine.importing.cells import past
from engine.letters import returns
from engine.letters.returns import Returned
from engine.links import ForgedLink, Links
from engine.spreadsheet import plain
from engine.tables import Letter

__all__ = ["ReturnRows"]

_LONGEST = 200


class ReturnRows:
    """A row names a letter by its id, as the manifest has it, or by its answer code. One that is known to be back changes nothing."""

    name = "returns"
    known = ("letter_id", "code", "reason", "at")
    required: tuple[str, ...] = ()

    def __init__(self, database: Database, now: datetime, zone: str) -> None:
        self._database = database
        self._now = now
        self._zone = ZoneInfo(zone)

    def begin(self, columns: Sequence[str]) -> None:
        """A letter must be named somehow."""
        if not {"letter_id", "code"} & set(columns):
            raise Invalid("letter_id", ", ".join(columns), "a column letter_id or code must name the letter")

    def read(self, cells: Mapping[str, str]) -> Returned:
        at = cells.get("at", "").strip()
        reason = cells.get("reason", "").strip()[:_LONGEST] or "undeliverable"
        with self._database.read() as conn:
            key = _letter(conn, cells)
            returns.check(conn, key)
        return Returned(key, reason, past("at", at, self._zone, self._now, "a return") if at else self._now)

    def keep(self, conn: Connection, rows: list[Returned]) -> int:
        return sum(returns.came_back(conn, row, self._now) for row in rows)


def _letter(conn: Connection, cells: Mapping[str, str]) -> str:
    key, code = plain(cells.get("letter_id", "").strip()), cells.get("code", "").strip()
    letter = table(Letter)
    if key:
        found = conn.execute(select(letter.c.key).where(letter.c.key == key)).scalar()
        if found is None:
            raise Invalid("letter_id", key, "there is no such letter")
    elif code:
        try:
            found = conn.execute(select(letter.c.key).where(letter.c.code == Links.read_letter(code))).scalar()
        except ForgedLink as error:
            raise Invalid("code", code, str(error)) from None
        if found is None:
            raise Invalid("code", code, "no letter has this code")
    else:
        raise Invalid("letter_id", key, "the row names no letter: fill letter_id or code")
    return str(found)
