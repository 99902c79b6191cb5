"""`parcours queue`: the call center's queues from the command line, as a program of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from kit import ready
from kit.calls import make, task
from kit.command import as_text

from engine.calls.hours import Shift, rules_of
from engine.db import Database


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PARCOURS_DATA": str(folder / "var"), "COLUMNS": "200"}
    return as_text(ready.run(["queue", *arguments], folder=folder, env=environment))


def test_a_queue_is_set_listed_and_planned(tmp_path: Path, sqlite: Database) -> None:
    make(sqlite, task("1-1-0"), task("2-1-0"))
    made = run(
        tmp_path,
        "set",
        "retention",
        "--shift",
        "mon-fri 09:00-13:00 x4",
        "--shift",
        "sat,sun 10:00-12:00 x2",
        "--zone",
        "Asia/Tokyo",
    )
    assert (made.returncode, made.stdout) == (0, "retention: 2 shifts in Asia/Tokyo, 12 calls in a slot at most\n"), (
        made.stderr
    )
    with sqlite.read() as conn:
        rules = rules_of(conn, "retention")
    assert rules.shifts == (
        Shift((0, 1, 2, 3, 4), "09:00", "13:00", 4),
        Shift((5, 6), "10:00", "12:00", 2),
    )
    planned = run(tmp_path, "plan", "retention")
    assert planned.stdout == "retention: 2 calls are worth something else now, 0 have another place\n"
    listed = run(tmp_path, "list").stdout
    assert "retention" in listed
    assert "of 12" in listed or "of 6" in listed
    for wrong in ("always", "mon-fri 9:00-18:00", "fri-mon 09:00-18:00", "xyz 09:00-18:00", "mon 18:00-09:00"):
        refused = run(tmp_path, "set", "retention", "--shift", wrong)
        assert refused.returncode == 1
        assert "error[invalid_value]" in refused.stderr
