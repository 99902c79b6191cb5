"""Claim and complete: agents over HTTP on real API processes, against a bare SQL loop that writes the same.

Of 10,000 tasks, which 8 agents work at once over two API processes on one SQLite file, none may ever be leased to two.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select

from engine import keys
from engine.calls import tasks as call_tasks
from engine.db import Database, table
from engine.settings import Settings
from engine.tables import CallTask, Event
from workers.server import free_port

__all__ = ["fill", "measure", "work"]

TASKS = 10_000
AGENTS = 8
PROCESSES = 2


def fill(database: Database, tasks: int) -> None:
    """Tasks that are due, of one queue, each worth something else."""
    now = datetime.now(UTC)
    for start in range(0, tasks, 1000):
        rows: list[dict[str, Any]] = [
            {
                "id": f"{number}-1-0",
                "customer_id": f"c{number}",
                "enrolment_id": number,
                "journey": "bench",
                "state": "call",
                "queue": "bench",
                "status": "pending",
                "priority": 1 + number % 9,
                "value": number * 7919 % 10_007,
                "skills": ["language:fr"],
                "zone": "Europe/Paris",
                "country": "FR",
                "language": "fr",
                "script": "<p>Good day, and how are you?</p>" * 20,
                "title": "A call",
                "phone": "+33639980000",
                "outcomes": ["interested", "refused", "not_reached"],
                "created_at": now,
                "updated_at": now,
                "due_at": now - timedelta(seconds=1),
            }
            for number in range(start + 1, min(start + 1000, tasks) + 1)
        ]
        with database.write() as conn:
            call_tasks.create(conn, rows, now)


def work(url: str, key: str, agents: int, most: int = 1) -> list[str]:
    """Agents claim and complete at once until nothing is left; gives every task id that was leased, as often as it was."""
    taken: list[list[str]] = [[] for _ in range(agents)]
    urls = url.split(",")
    troubles: list[BaseException] = []

    def agent(number: int) -> None:
        try:
            with httpx.Client(base_url=urls[number % len(urls)], auth=(key, ""), timeout=120) as http:
                who = {"queue": "bench", "worker": f"agent {number}", "max": most, "skills": ["language:fr"]}
                while tasks := http.post("/v1/call-tasks/claim", json=who).raise_for_status().json()["tasks"]:
                    for task in tasks:
                        taken[number].append(task["id"])
                        done = {"lease_token": task["lease_token"], "outcome": "refused", "duration_s": 60}
                        http.post(f"/v1/call-tasks/{task['id']}/complete", json=done).raise_for_status()
        except BaseException as trouble:  # noqa: BLE001  # it is raised in the main thread
            troubles.append(trouble)

    threads = [threading.Thread(target=agent, args=(number,)) for number in range(agents)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if troubles:
        raise troubles[0]
    return [task for share in taken for task in share]


def _twice(database: Database, taken: Sequence[str], tasks: int) -> int:
    """How many were leased to two. Each was completed once, and is one event; else the run is worth nothing."""
    with database.read() as conn:
        target, events = table(CallTask), table(Event)
        done = select(func.count()).select_from(target).where(target.c.status == "completed")
        kept = (conn.execute(done).scalar_one(), conn.execute(select(func.count()).select_from(events)).scalar_one())
    leased = Counter(taken)
    if len(leased) != tasks or kept != (tasks, tasks):
        raise SystemExit(f"the books are wrong: of {tasks} tasks {len(leased)} were leased; {kept} done and told")
    return sum(times > 1 for times in leased.values())


@contextmanager
def _processes(settings: Settings) -> Generator[str]:
    """API processes over one database; their addresses, with commas between."""
    environment = {**os.environ, "PARCOURS_DATA": str(settings.data), "PARCOURS_KEY_RATE": "0"}
    ports = [free_port() for _ in range(PROCESSES)]
    arguments = [sys.executable, "-m", "api.command", "api", "--port"]
    with (settings.data / "api.log").open("ab") as log:
        running = [
            subprocess.Popen([*arguments, str(port)], env=environment, stdout=log, stderr=log)  # noqa: S603  # our own
            for port in ports
        ]
        try:
            for port in ports:
                _wait(f"http://127.0.0.1:{port}/v1/health")
            yield ",".join(f"http://127.0.0.1:{port}" for port in ports)
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait()


def _wait(url: str) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise SystemExit(f"{url} did not come up")


def ours(folder: Path, tasks: int) -> tuple[float, int]:
    """Tasks a second over HTTP, and how many were leased to two."""
    settings = Settings(data=folder)
    database = Database(settings.database_url)
    database.migrate()
    fill(database, tasks)
    key = keys.create(database, "bench", ["tasks"])
    with _processes(settings) as url:
        began = time.perf_counter()
        taken = work(url, key, AGENTS)
        seconds = time.perf_counter() - began
    twice = _twice(database, taken, tasks)
    database.close()
    return tasks / seconds, twice


def bare(folder: Path, tasks: int) -> float:
    """Tasks a second of a loop that claims and completes on the same tables with SQL alone: no HTTP, no JSON, no checks."""
    settings = Settings(data=folder)
    database = Database(settings.database_url)
    database.migrate()
    fill(database, tasks)
    database.close()
    conn = sqlite3.connect(folder / "parcours.db", isolation_level=None)
    conn.execute("PRAGMA synchronous=NORMAL")
    now = datetime.now(UTC).isoformat(" ")
    began = time.perf_counter()
    for _ in range(tasks):
        lease = sha256(secrets.token_bytes(24)).hexdigest()
        conn.execute("BEGIN IMMEDIATE")
        (task, customer) = conn.execute(
            "SELECT id, customer_id FROM call_task WHERE queue = 'bench' AND status = 'pending' AND due_at <= ?"
            " ORDER BY rank, due_at, id LIMIT 1",
            (now,),
        ).fetchone()
        conn.execute(
            "UPDATE call_task SET status = 'reserved', worker = 'bare', lease_hash = ?, lease_until = ?, updated_at = ?"
            " WHERE id = ?",
            (lease, now, now, task),
        )
        told = "INSERT INTO call_event (xact, type, task_id, queue, data, at) VALUES (0, ?, ?, 'bench', '{}', ?)"
        conn.execute(told, ("call_task.reserved", task, now))
        conn.execute("COMMIT")
        conn.execute("BEGIN IMMEDIATE")
        conn.execute(
            "UPDATE call_task SET status = 'completed', outcome = 'refused', completed_at = ?, updated_at = ?,"
            " lease_until = NULL WHERE id = ? AND lease_hash = ?",
            (now, now, task, lease),
        )
        conn.execute(
            "INSERT INTO event (id, name, customer_id, message_key, at, received_at, payload, source)"
            " VALUES (?, 'call.refused', ?, ?, ?, ?, '{}', 'task')",
            (f"call:{task}", customer, task, now, now),
        )
        conn.execute(told, ("call_task.completed", task, now))
        conn.execute("COMMIT")
    seconds = time.perf_counter() - began
    conn.close()
    return tasks / seconds


def measure(rounds: int) -> Mapping[str, Any]:
    """Alternate ours and the bare loop; medians."""
    mine: list[float] = []
    theirs: list[float] = []
    twice = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            speed, leased_twice = ours(Path(folder) / f"ours-{number}", TASKS)
            mine.append(speed)
            twice += leased_twice
            theirs.append(bare(Path(folder) / f"bare-{number}", TASKS))
    return {
        "tasks": TASKS,
        "agents": AGENTS,
        "api_processes": PROCESSES,
        "leased_twice": twice,
        "tasks_per_second": round(statistics.median(mine)),
        "bare_sql_per_second": round(statistics.median(theirs)),
        "ratio": round(statistics.median(a / b for a, b in zip(mine, theirs, strict=True)), 3),
    }
