"""docs/examples/dialer.py at a terminal: whoever sits there goes, and her call is another's at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from kit.calls import make, task, tasks_of
from kit.serving import Served, serving

from engine.db import Database

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "dialer.py"
PROMPT = b"callback 15:00: "


@pytest.fixture
def served(app: FastAPI, sqlite: Database) -> Generator[Served]:
    now = datetime.now(UTC)
    make(sqlite, task("1-1-0", created_at=now, updated_at=now, due_at=now - timedelta(minutes=1)), now=now)
    with serving(app) as served:
        yield served


def started(served: Served, key: str) -> subprocess.Popen[bytes]:
    """The example, as somebody starts it; it has asked how the call went."""
    agent = subprocess.Popen(
        [sys.executable, EXAMPLE, served.url, "retention", "ines"],
        env={**os.environ, "KEY": key},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert agent.stdout is not None
    shown = b""
    while not shown.endswith(PROMPT):
        more = agent.stdout.read(1)
        assert more, (shown, agent.communicate(timeout=60))
        shown += more
    return agent


@pytest.mark.parametrize("how", ["end of input", "Ctrl-C"])
def test_who_goes_in_the_middle_of_a_call_gives_it_back(served: Served, key: str, sqlite: Database, how: str) -> None:
    with started(served, key) as agent:
        assert tasks_of(sqlite)["1-1-0"].status == "assigned"
        if how == "Ctrl-C":
            agent.send_signal(signal.SIGINT)
        _, said = agent.communicate(timeout=60)
    assert (agent.returncode, said.decode()) == (0, "\n1-1-0 went back into the queue.\n")
    assert (tasks_of(sqlite)["1-1-0"].status, tasks_of(sqlite)["1-1-0"].worker) == ("pending", None)


def test_who_goes_when_the_task_is_lost_ends_quietly_too(served: Served, key: str, sqlite: Database) -> None:
    with started(served, key) as agent:
        with sqlite.write() as conn:
            conn.exec_driver_sql("UPDATE call_task SET lease_hash = 'of another'")
        _, said = agent.communicate(timeout=60)
    assert (agent.returncode, said) == (0, b"")
