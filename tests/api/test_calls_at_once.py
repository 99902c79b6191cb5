"""Eight agents at once on the real API over sockets: no task is ever leased to two (K1); and the stream that tells of it."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from kit.calls import claim_one, make, task, tasks_of
from kit.serving import serving

from api.app import create_app
from benchmarks.calls import fill, work
from engine import keys
from engine.calls import tasks as call_tasks
from engine.db import Database
from engine.settings import Settings

TASKS = 120


def test_K1_eight_agents_at_once_lease_no_task_twice(db: Database, settings: Settings) -> None:
    fill(db, TASKS)
    key = keys.create(db, "agents", ["tasks"])
    with serving(create_app(settings, db)) as one, serving(create_app(settings, db)) as two:
        for served in (
            one,
            two,
        ):  # FastAPI makes a route ready at its first call, and of two at once in one process one may warn
            nothing = {"queue": "none", "worker": "ada", "lease_token": "none", "outcome": "refused"}
            for path, status in (("claim", 200), ("9-9-9/complete", 404)):
                answer = httpx.post(f"{served.url}/v1/call-tasks/{path}", json=nothing, auth=(key, ""), timeout=60)
                assert answer.status_code == status
        taken = work(f"{one.url},{two.url}", key, agents=8, most=2)
    assert max(Counter(taken).values()) == 1
    assert len(taken) == TASKS
    assert {row.status for row in tasks_of(db).values()} == {"completed"}


class Listener:
    """A client of the stream, in a thread of its own."""

    def __init__(self, url: str, key: str, *, after: str | None = None, queue: str | None = None) -> None:
        self.events: list[tuple[str, str, dict[str, Any]]] = []
        self.began = threading.Event()
        headers = {"Authorization": f"Bearer {key}"} | ({"Last-Event-ID": after} if after else {})
        self._http = httpx.Client(base_url=url, headers=headers, timeout=60)
        self._params = {"queue": queue} if queue else {}
        self._wanted = 0
        self._enough = threading.Event()
        self.over = False
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        assert self.began.wait(60)

    def until(self, number: int) -> list[tuple[str, str]]:
        """Wait for so many events; what they are, and of which task."""
        self._wanted = number
        if len(self.events) < number:
            assert self._enough.wait(60), self.events
        return [(kind, data["data"]["id"]) for _, kind, data in self.events]

    def stop(self) -> None:
        self.over = True
        self._thread.join(60)
        self._http.close()

    def _listen(self) -> None:
        with self._http.stream("GET", "/v1/call-tasks/stream", params=self._params) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            fields: dict[str, str] = {}
            for line in answer.iter_lines():
                self.began.set()
                name, _, value = line.partition(": ")
                if name in {"id", "event", "data"}:
                    fields[name] = value
                elif not line and fields:
                    self.events.append((fields["id"], fields["event"], json.loads(fields["data"])))
                    fields = {}
                    if self._wanted and len(self.events) >= self._wanted:
                        self._enough.set()
                if self.over:
                    return


@pytest.fixture
def key(db: Database) -> str:
    return keys.create(db, "stream", ["tasks"])


@pytest.fixture
def url(db: Database, settings: Settings) -> Iterator[str]:
    with serving(create_app(settings, db)) as served:
        yield served.url


def test_the_stream_tells_what_happens_and_goes_on_where_it_broke_off(db: Database, url: str, key: str) -> None:
    now = datetime.now(UTC)
    make(db, task("0-1-0"), now=now)
    first = Listener(url, key)
    make(db, task("1-1-0", due_at=now), task("2-1-0", queue="other", due_at=now), now=now)
    assert first.until(2) == [("call_task.created", "1-1-0"), ("call_task.created", "2-1-0")], "and not the one before"
    last = first.events[-1][0]
    first.over = True
    claimed = claim_one(db, now=now)
    first.until(3)
    first.stop()
    with db.write() as conn:
        call_tasks.complete(conn, claimed.task.id, claimed.lease_token, "refused", now)
        call_tasks.withdraw(conn, ["2-1-0"], now)
    second = Listener(url, key, after=last)
    assert second.until(3) == [
        ("call_task.reserved", "0-1-0"),
        ("call_task.completed", "0-1-0"),
        ("call_task.withdrawn", "2-1-0"),
    ]
    assert second.events[1][2]["data"]["outcome"] == "refused"
    other = Listener(url, key, after=last, queue="other")
    assert other.until(1) == [("call_task.withdrawn", "2-1-0")]
    for one in (second, other):
        one.over = True
    make(db, task("3-1-0", queue="other"), now=now)  # a last word, on which they go
    for one in (second, other):
        one.stop()


def test_the_stream_needs_a_key_and_an_id_of_its_own(url: str, key: str, db: Database) -> None:
    ingest = keys.create(db, "other", ["ingest"])
    for headers, status in (
        ({}, 401),
        ({"Authorization": f"Bearer {ingest}"}, 403),
        ({"Authorization": f"Bearer {key}", "Last-Event-ID": "yesterday"}, 422),
        ({"Authorization": f"Bearer {key}", "Last-Event-ID": "1-" + "9" * 30}, 422),
    ):
        assert httpx.get(f"{url}/v1/call-tasks/stream", headers=headers).status_code == status
