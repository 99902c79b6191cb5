"""A dialer's file back: the outcomes of tasks that were worked without a lease, row after row (RFC 4180, first line: columns)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, select

from dsl.outcomes import CALLBACK, UNREACHED
from engine.calls import again as call_again
from engine.calls import outcomes as call_outcomes
from engine.calls import tasks as call_tasks
from engine.calls.hours import rules_of
from engine.db import Database, chunked, table
from engine.errors import Conflict, EngineError, Gone, Invalid
from engine.json_text import parsed, unfit
from engine.spreadsheet import plain
from engine.tables import CallAttempt, CallTask

__all__ = ["COLUMNS", "REQUIRED", "Rejected", "Results", "apply"]

COLUMNS = ("id", "outcome", "worker", "notes", "duration_s", "at", "phone", "answers")
REQUIRED = ("id", "outcome")
_AT_ONCE = 200
_LONGEST = {"notes": 10_000, "worker": 200}


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not applied: its number (the header is 1), its task, and why not."""

    row: int
    id: str
    code: str
    reason: str


@dataclass(slots=True)
class Results:
    """What became of a file's rows."""

    rows: int = 0
    applied: int = 0
    repeated: int = 0
    """Said before, by the same file or another; nothing changed."""
    rejected: list[Rejected] = field(default_factory=list[Rejected])


def apply(database: Database, text: str, worker: str, now: datetime) -> Results:
    """Apply each row by itself, in order; one that can't be is told, and the others go on. The same file again changes nothing.

    A "do not call" suppresses its number also where the task is over, or another's.

    `worker` stands for rows that name none. Raises Invalid for a file whose columns are not known.
    """
    results = Results()
    rows = list(_rows(text))
    name = sha256(text.encode()).hexdigest()[:24]
    for piece in chunked(rows, _AT_ONCE):
        with database.write() as conn:
            _lock_queues(conn, piece)
            for number, cells in piece:
                results.rows += 1
                try:
                    with conn.begin_nested():  # a row that fails half-way leaves nothing
                        new = _apply(conn, cells, f"{name}:{number}", worker, now)
                except EngineError as error:
                    if isinstance(error, (Conflict, Gone)):
                        call_tasks.never_again(conn, _cell(cells, "id"), _cell(cells, "outcome"), now)
                    results.rejected.append(Rejected(number, _cell(cells, "id"), error.code, error.message))
                else:
                    results.applied += new
                    results.repeated += not new
    return results


def _rows(text: str) -> Iterator[tuple[int, Mapping[str | None, Any]]]:
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise Invalid(
            "file", "", f"it is empty; its first line names the columns: {', '.join(REQUIRED)} and others", "bad_file"
        )
    first = text.partition("\n")[0]
    mark = max(",;\t", key=lambda each: (first.count(each), each == ","))
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=mark)
    try:
        columns = [name.strip() for name in reader.fieldnames or ()]
    except csv.Error as error:
        raise _no_csv(1, error) from None
    reader.fieldnames = columns
    unknown = [name for name in columns if name not in COLUMNS]
    missing = [name for name in REQUIRED if name not in columns]
    if unknown or missing:
        wrong = f"unknown: {', '.join(unknown)}" if unknown else f"missing: {', '.join(missing)}"
        raise Invalid("columns", first.strip()[:200], f"{wrong}; there are {', '.join(COLUMNS)}", "bad_file")
    try:
        yield from enumerate(reader, 2)
    except csv.Error as error:
        raise _no_csv(reader.line_num, error) from None


def _no_csv(line: int, error: csv.Error) -> Invalid:
    return Invalid("file", f"line {line}", f"this is no CSV: {error}", "bad_file")


def _lock_queues(conn: Connection, rows: Sequence[tuple[int, Mapping[str | None, Any]]]) -> None:
    """The queues come before their tasks, as in every transaction that plans, and one after another by name."""
    target = table(CallTask)
    query = select(target.c.queue).where(target.c.id.in_([_cell(cells, "id") for _, cells in rows])).distinct()
    for queue in sorted(conn.execute(query).scalars()):
        rules_of(conn, queue, lock=True)


def _apply(conn: Connection, cells: Mapping[str | None, Any], place: str, worker: str, now: datetime) -> bool:
    """Apply the row at this place of this file; False where it was applied before."""
    if None in cells:
        raise Invalid("row", cells[None], "it has more cells than there are columns")
    outcome = _cell(cells, "outcome")
    task = call_tasks.locked(conn, _cell(cells, "id"))
    who = _text(cells, "worker") or worker
    if outcome == CALLBACK and outcome not in task.outcomes:
        return _call_back(conn, cells, task, who, now)
    call_outcomes.check(outcome, task.outcomes)
    said = {"answers": _answers(cells), "notes": _text(cells, "notes"), "duration_s": _seconds(cells)}
    if outcome in UNREACHED:
        made = f"file:{task.id}:{_moment(cells) or place}"
        return _unreached(conn, task, made, who, outcome, said, now)
    return _finish(conn, task, who, outcome, said, now)


def _finish(
    conn: Connection, task: call_tasks.CallTask, who: str, outcome: str, said: Mapping[str, Any], now: datetime
) -> bool:
    if task.status == "completed":
        if task.outcome == outcome:
            return False
        raise call_tasks.finished(task)
    _free(task)
    call_tasks.finish(conn, task, who, task.lease_hash, outcome, said, now)
    return True


def _unreached(
    conn: Connection,
    task: call_tasks.CallTask,
    made: str,
    who: str,
    outcome: str,
    said: Mapping[str, Any],
    now: datetime,
) -> bool:
    """An attempt, and the last one is the task's outcome: as `POST …/attempts`.

    The call is known (`made`) by its time where the row has one, else by its place in the file: the same again is no other call.
    """
    if _known(conn, made):
        return False
    rules = rules_of(conn, task.queue)
    if task.status == "completed" or task.attempts + 1 >= rules.attempts:
        return _finish(conn, task, who, outcome, said, now)
    _free(task)
    task.worker, task.lease_hash = who, made
    call_again.retry(conn, task, rules, outcome, now, notes=said.get("notes"))
    return True


def _call_back(
    conn: Connection, cells: Mapping[str | None, Any], task: call_tasks.CallTask, who: str, now: datetime
) -> bool:
    at = _cell(cells, "at")
    made = f"file:{task.id}:{at}"
    if _known(conn, made):
        return False
    if task.status == "completed":
        raise call_tasks.finished(task)
    _free(task)
    rules = rules_of(conn, task.queue)
    if task.attempts + 1 >= rules.attempts:
        raise Conflict("no_attempts_left", f"it was tried {task.attempts} times before; {rules.attempts} are the most")
    task.worker, task.lease_hash = who, made
    phone = _text(cells, "phone")
    call_again.replan(conn, task, rules, at, now, phone=phone, notes=_text(cells, "notes"))
    return True


def _known(conn: Connection, made: str) -> bool:
    target = table(CallAttempt)
    return conn.execute(select(target.c.id).where(target.c.lease_hash == made)).first() is not None


def _moment(cells: Mapping[str | None, Any]) -> str | None:
    at = _cell(cells, "at")
    try:
        return datetime.fromisoformat(at).isoformat() if at else None
    except ValueError:
        raise Invalid("at", at, "when was the call made? A date and time, as 2026-03-02T15:00") from None


def _free(task: call_tasks.CallTask) -> None:
    """Raises Conflict or Gone where the task is nobody's to complete by a file."""
    if task.status == "withdrawn":
        raise call_tasks.withdrawn(task.id)
    held = task.status in call_tasks.LEASED and task.lease_until is not None and task.lease_until > datetime.now(UTC)
    if held:
        raise Conflict("leased", f"call task {task.id} is being worked on by {task.worker}")


def _cell(cells: Mapping[str | None, Any], name: str) -> str:
    text = plain(str(cells.get(name) or "").strip())  # as it was before our own export marked it
    return text.removeprefix("'") if name == "id" else text  # '3-1-0 keeps a spreadsheet from reading a date


def _text(cells: Mapping[str | None, Any], name: str) -> str | None:
    text = _cell(cells, name)
    if len(text) > _LONGEST.get(name, 1000):
        raise Invalid(name, f"{text[:40]}…", f"it has {len(text)} characters; {_LONGEST.get(name, 1000)} are the most")
    if "\x00" in text:
        raise Invalid(name, text, "it holds a NUL character")
    return text or None


def _seconds(cells: Mapping[str | None, Any]) -> float | None:
    text = _cell(cells, "duration_s")
    if not text:
        return None
    try:
        seconds = float(text.replace(",", "."))
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= 86_400:
        raise Invalid("duration_s", text, "it must be seconds, 0 to 86400")
    return seconds


def _answers(cells: Mapping[str | None, Any]) -> dict[str, Any] | None:
    text = _cell(cells, "answers")
    if not text:
        return None
    try:
        answers: Any = parsed(text)
    except ValueError:
        answers = None
    if not isinstance(answers, dict):
        raise Invalid("answers", text, 'it must be a JSON object, as {"wants": "red"}')
    found = unfit(answers)
    if found is not None:
        raise Invalid(f"answers.{found[0]}", text, f"it holds {found[1]}")
    return {str(name): value for name, value in answers.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # JSON
