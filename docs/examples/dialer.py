"""A dialer that works a queue of Parcours: one file, to read and to begin with. Needs httpx.

    KEY=pk_… python dialer.py http://127.0.0.1:8000 retention ines

`Dialer` speaks the API; `work` is an agent's day: claim, ring, say how it went. Yours replaces `ask`, which types for a voice.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx


class TaskLost(Exception):
    """The task is not ours any more: another holds it (409), or the customer has left (410). Go on with the next."""


class Refused(Exception):
    """What was said can't be taken, and the text says why: a mistyped outcome, a time that is none. Say it another way."""


@dataclass
class Result:
    """How a call ended. `outcome` is one of the task's `choices`, or `callback` with `at`: `15:00`, on her clock."""

    outcome: str
    notes: str | None = None
    answers: dict[str, Any] | None = None
    at: str | None = None
    phone: str | None = None


class Dialer:
    """The call center's API for one worker. What a broken line leaves in doubt is sent again: each call may be repeated."""

    def __init__(
        self, url: str, key: str, worker: str, *, skills: Sequence[str] | None = None, lease: float = 60
    ) -> None:
        self.worker = worker
        self._skills = list(skills) if skills is not None else None
        self._lease = lease
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def claim(self, queue: str, most: int = 1) -> list[dict[str, Any]]:
        """The next calls; an empty list: nothing is due."""
        body = {
            "queue": queue,
            "worker": self.worker,
            "max": most,
            "lease_seconds": self._lease,
            "skills": self._skills,
        }
        return self._post("/v1/call-tasks/claim", body)["tasks"]  # one that broke off lapses by itself

    def accept(self, task: dict[str, Any]) -> dict[str, Any]:
        """It rings: from now on the task is not taken away."""
        return self._do(task, "accept", lease_seconds=self._lease)

    def wrap(self, task: dict[str, Any]) -> dict[str, Any]:
        """The line is free, the writing is not done."""
        return self._do(task, "wrap", lease_seconds=self._lease)

    def reject(self, task: dict[str, Any]) -> dict[str, Any]:
        """Give it back."""
        return self._do(task, "reject")

    def finish(self, task: dict[str, Any], result: Result, seconds: float) -> dict[str, Any]:
        """Say how it went: an outcome, a call that reached nobody, or a time to call back."""
        unreached = result.outcome in {"not_reached", "busy", "voicemail"}
        if result.outcome == "callback" and result.at is not None:
            return self._do(task, "callback", at=result.at, phone=result.phone, notes=result.notes)
        if unreached and task["attempts_left"] > 1:
            return self._do(task, "attempts", outcome=result.outcome, notes=result.notes)
        said = {"outcome": result.outcome, "answers": result.answers, "notes": result.notes}
        return self._do(task, "complete", duration_s=round(seconds, 1), **said)

    @contextmanager
    def held(self, task: dict[str, Any], left: Callable[[], None]) -> Generator[None]:
        """Keep the lease while the block runs; `left` is called when the customer has left the step: end gently."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(self._lease / 3):
                try:
                    if self._do(task, "heartbeat", lease_seconds=self._lease)["withdrawn_at"] is not None:
                        left()
                except TaskLost:
                    left()
                    return
                except httpx.HTTPError:
                    continue  # the line is down: the next beat tries again, before the lease runs out

        beating = threading.Thread(target=beat, daemon=True)
        beating.start()
        try:
            yield
        finally:
            over.set()
            beating.join()

    def _do(self, task: dict[str, Any], what: str, **body: Any) -> dict[str, Any]:
        return self._post(f"/v1/call-tasks/{task['id']}/{what}", {"lease_token": task["lease_token"], **body})

    def _post(self, path: str, body: dict[str, Any], tries: int = 4) -> dict[str, Any]:
        for number in range(1, tries + 1):
            wait = ""
            try:
                answer = self._http.post(path, json=body)
            except httpx.TransportError:
                if number == tries:
                    raise
            else:
                if answer.status_code in {409, 410} and answer.json()["code"] != "no_attempts_left":
                    raise TaskLost(answer.json()["message"])
                if answer.status_code in {409, 422}:
                    raise Refused(answer.json()["message"])
                if answer.status_code not in {429, 503} or number == tries:
                    if answer.is_error:
                        raise RuntimeError(f"{path}: {answer.status_code} {answer.text}")
                    return answer.json()
                wait = answer.headers.get("retry-after", "")
            time.sleep(float(wait) if wait.isdecimal() else 0.5 * 2**number)
        raise AssertionError("not reached")


def work(
    dialer: Dialer,
    queue: str,
    call: Callable[[dict[str, Any], threading.Event], Result],
    again: Callable[[dict[str, Any], str], Result],
    *,
    idle: int | None = None,
) -> int:
    """Call whoever is due, one after the other, until nobody was `idle` times; returns how many calls were reported.

    `again` is asked for another result where the first was refused, until one is taken: no call is lost by a slip. Where the
    agent goes in the middle of a call (Ctrl-C, Ctrl-D), hers goes back into the queue, and the day is over.
    """
    reported = looked = 0
    while idle is None or looked < idle:
        try:
            tasks = dialer.claim(queue)
        except httpx.TransportError as down:  # it is started anew, perhaps: the day goes on
            print(f"Parcours can't be reached: {down}", file=sys.stderr)
            tasks = []
        if not tasks:
            looked += 1
            time.sleep(1)
            continue
        looked = 0
        task, gone, began = tasks[0], threading.Event(), time.monotonic()
        try:
            dialer.accept(task)
            with dialer.held(task, gone.set):
                result = call(task, gone)
                dialer.wrap(task)
                seconds = time.monotonic() - began
                while (why := refused(dialer, task, result, seconds)) is not None:
                    result = again(task, why)
            reported += 1
        except TaskLost as lost:
            print(f"{task['id']}: {lost}", file=sys.stderr)
        except (KeyboardInterrupt, EOFError):
            give_back(dialer, task)
            break
    return reported


def give_back(dialer: Dialer, task: dict[str, Any]) -> None:
    """For another agent, at once; where that can't be, its lease runs out."""
    with suppress(TaskLost, httpx.HTTPError):
        dialer.reject(task)
        print(f"\n{task['id']} went back into the queue.", file=sys.stderr)


def refused(dialer: Dialer, task: dict[str, Any], result: Result, seconds: float) -> str | None:
    """Report a call; None: it was taken, else why not."""
    try:
        dialer.finish(task, result, seconds)
    except Refused as why:
        return str(why)
    return None


def ask(task: dict[str, Any], gone: threading.Event) -> Result:
    """Stands for the call itself: shows the task, and asks who sits here how it went."""
    who: dict[str, Any] = task["customer"] or {}
    print(f"\n{task['title']}: {who.get('first_name') or ''} {who.get('last_name') or ''}, {task['phone']}")
    print(f"Her clock shows {task['window']['local_time']}; {task['attempts_left']} calls are left.")
    result = typed(task)
    if gone.is_set():
        print("She has left this step of the journey meanwhile.")
    return result


def ask_again(task: dict[str, Any], why: str) -> Result:
    """It was refused: shows why, and asks anew."""
    print(why)
    return typed(task)


def typed(task: dict[str, Any]) -> Result:
    """What somebody types."""
    words = input(f"How did it go? {', '.join(task['choices'])}, or callback 15:00: ").split() or ["not_reached"]
    return Result(words[0], at=words[1] if len(words) > 1 else None)


if __name__ == "__main__":
    address, of_queue, agent = sys.argv[1:4]
    with suppress(KeyboardInterrupt), closing(Dialer(address, os.environ["KEY"], agent)) as her:
        work(her, of_queue, ask, ask_again)
