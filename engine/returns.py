"""Returned post: letters that came back, from the printer's CSV or a provider's webhook. None goes to that address again."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select, update

from engine import consent, events, post
from engine.csv_rows import CsvFile, Rejects
from engine.db import Database, table
from engine.errors import Invalid
from engine.imports import Imported, Progress
from engine.links import ForgedLink, Links
from engine.tables import Letter

__all__ = ["RETURN_COLUMNS", "Returned", "came_back", "import_returns", "rejected"]

RETURN_COLUMNS = ("letter_id", "code", "reason", "at")
"""A row names a letter by its id (as the manifest has it) or by its answer code; the rest may be left out."""

_COMMIT = 500
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Returned:
    """A letter that came back."""

    key: str
    reason: str
    at: datetime


def came_back(conn: Connection, returned: Returned, now: datetime) -> bool:
    """Keep that a letter came back: on its row, as the event `letter.returned`, and as a suppression. False: it was known.

    Raises NotFound, Invalid (a letter that was never handed over can't come back).
    """
    letter = post.get(conn, returned.key)
    if letter.status == "returned":
        return False
    if letter.status not in {"handed over", "closed"}:
        raise Invalid("letter_id", returned.key, f"this letter was never handed over: it is {letter.status}")
    target = table(Letter)
    conn.execute(
        update(target)
        .where(target.c.key == letter.key)
        .values(status="returned", reason=returned.reason, returned_at=returned.at)
    )
    post.log(conn, [(letter.key, "returned", returned.reason)], now)
    consent.suppress(conn, "letter", letter.customer_id, f"returned: {returned.reason}", "returned post", now)
    sent = events.Answered(letter.key, letter.customer_id, "letter", [])
    payload = {"reason": returned.reason, "code": letter.code}
    return events.answer(
        conn, sent, "returned", returned.at, source="letter", payload=payload, event_id=f"letter:{letter.key}:returned"
    )


def import_returns(
    database: Database,
    path: Path,
    now: datetime,
    zone: str,
    *,
    encoding: str = "utf-8",
    progress: Progress | None = None,
) -> Imported:
    """Read a returns CSV: `letter_id` or `code`, and `reason`, `at`. Reading it again changes nothing. Raises BadFile."""
    source = CsvFile(path, RETURN_COLUMNS, [], encoding)
    if not {"letter_id", "code"} & set(source.columns):
        source = CsvFile(path, RETURN_COLUMNS, ["letter_id"], encoding)  # it says what is missing
    read = new = 0
    where = ZoneInfo(zone)
    rows = source.rows()
    with Rejects(source) as rejects:
        over = False
        while not over:
            with database.write() as conn:
                for _ in range(_COMMIT):
                    row = next(rows, None)
                    if row is None:
                        over = True
                        break
                    read += 1
                    if row.broken is not None:
                        rejects.add(row, row.broken)
                        continue
                    try:
                        new += came_back(conn, _returned(conn, row.cells, where, now), now)
                    except Invalid as error:
                        rejects.add(row, error)
            if progress is not None:
                progress(source.size if over else 0, source.size, read)
    return Imported(read, new, rejects.count, rejects.path if rejects.count else None)


def rejected(path: Path) -> list[dict[str, str]]:
    """The rows that were set aside, as their file has them: row number, reason, column, value."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        names = next(rows)[:4]  # the columns of the file that was read stand behind, and may be named alike
        return [dict(zip(names, row, strict=False)) for row in rows]


def _returned(conn: Connection, cells: Mapping[str, str], zone: ZoneInfo, now: datetime) -> Returned:
    key = cells.get("letter_id", "").strip().removeprefix("'")
    code = cells.get("code", "").strip()
    target = table(Letter)
    if key:
        found = conn.execute(select(target.c.key).where(target.c.key == key)).scalar()
        if found is None:
            raise Invalid("letter_id", key, "there is no such letter")
    elif code:
        try:
            found = conn.execute(select(target.c.key).where(target.c.code == Links.read_letter(code))).scalar()
        except ForgedLink as error:
            raise Invalid("code", code, str(error)) from None
        if found is None:
            raise Invalid("code", code, "no letter has this code")
    else:
        raise Invalid("letter_id", key, "the row names no letter: fill letter_id or code")
    reason = cells.get("reason", "").strip()[:_LONGEST] or "undeliverable"
    return Returned(str(found), reason, _moment(cells.get("at", "").strip(), zone, now))


def _moment(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    if not text:
        return now
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid("at", text, "not a date; write it as 2026-05-04 or 2026-05-04T09:30:00+02:00") from None
    moment = (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(UTC)
    if moment > now:
        raise Invalid("at", text, "a letter can't have come back in the future")
    return moment
