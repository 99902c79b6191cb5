"""The cohort workflow: carries many customers through one journey, durably. A thin driver of the stepper.

One dynamic workflow serves every journey (the workflow's type is the journey's name). It holds a snapshot per member and a
heap of deadlines; one timer runs to the earliest; what falls due together is performed together in batch activities;
answers come as batched signals. Nothing here reads a clock, a database or a customer.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterable, Sequence
from datetime import timedelta
from math import ceil
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy

from dsl.ir import IR
from dsl.step import (
    ACTING,
    ENDED,
    Acted,
    Answered,
    Chart,
    Decide,
    Decided,
    Due,
    Effect,
    End,
    Event,
    Late,
    Measure,
    Postponed,
    Row,
    Send,
    Snapshot,
    Stopped,
    enter,
    pack,
    rank,
    step,
    unpack,
)
from engine.clock import Clock
from workers.batch import Batch, Item, Outcome
from workers.registry import REGISTRY

__all__ = ["CohortWorkflow", "fresh_input", "newcomers", "planned_queue", "queue_of"]

_SIDE_BY_SIDE = 4  # batches of one cohort under way at once
_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(seconds=30)
)
NOWHERE = -1
"""The place of an answer to a member who has ended: the workflow has forgotten her, her row tells."""

_KINDS = {Send: "send", Measure: "measure", Decide: "decide"}

Work = tuple[str, int, tuple[int, ...]]
"""What items of one batch share: kind, state, arrows."""


def planned_queue(queue: str) -> str:
    """The task queue of mass sends, beside a worker's own: they have places of their own, and take nobody else's."""
    return f"{queue}-planned"


def queue_of(ir: IR, queue: str) -> str:
    """Where a journey's batches are performed: who has just done something is not to wait behind a campaign (behaviour S6)."""
    return planned_queue(queue) if ir.planned else queue


def fresh_input(
    content: str,
    clock: Clock,
    members: Sequence[tuple[int, int]],
    *,
    grace: float,
    tick: float,
    batch: int,
    events: int,
) -> dict[str, Any]:
    """The input of a cohort's workflow: version, clock, and members as (enrolment, entered at in ms).

    `events`: how long its history may grow before it goes on in a new run.
    """
    return {
        "hash": content,
        "clock": [clock.scale, clock.real_origin, clock.origin],
        "grace": grace,
        "tick": tick,
        "batch": batch,
        "events": events,
        "new": newcomers(members),
    }


def newcomers(members: Sequence[tuple[int, int]]) -> list[Any]:
    """Members as (enrolment, entered at in ms), for the wire: the earliest time, then each number, with its delay if any."""
    base = min(entered for _, entered in members)
    return [base, *(number if entered == base else [number, entered - base] for number, entered in members)]


@workflow.defn(dynamic=True)
class CohortWorkflow:
    """A cohort of customers on their way through one journey."""

    def __init__(self) -> None:
        self._arrived: list[Answered] = []
        self._to: list[int] = []
        self._joining: list[list[Any]] = []
        self._stopping: list[int] = []
        self._known: set[int] = set()
        """Everyone who ever joined: a repeated join brings nobody in twice."""
        self._chart: Chart
        self._clock = Clock()
        self._members: dict[int, Snapshot] = {}
        self._deadlines: list[tuple[int, int]] = []
        """(fires at: the deadline and its grace, member); entries that are overtaken are passed over."""
        self._watched: dict[int, int] = {}
        """The entry of the heap that counts, for each member who waits."""
        self._queue: dict[Work, list[Item]] = {}
        self._waiting_rows: dict[int, tuple[list[Row], list[Late]]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._timer: asyncio.Task[None] | None = None
        self._timer_at = 0
        self._turn = True
        self._fault: BaseException | None = None
        self._ended: dict[str, int] = {}

    @workflow.signal(name="answers")
    def answers(self, batch: list[list[Any]]) -> None:
        """Answers, each as [enrolment, event number, event time in ms, listens, visit]."""
        for member, seq, at, listens, visit in batch:
            self._arrived.append(Answered(seq, at, tuple(listens), visit))
            self._to.append(member)
        self._turn = True

    @workflow.signal(name="join")
    def join(self, new: list[Any]) -> None:
        """More members, as `newcomers` writes them."""
        self._joining.append(new)
        self._turn = True

    @workflow.signal(name="stop")
    def stop(self, members: list[int]) -> None:
        """Enrolments that were ended from outside; whoever did that has written it down."""
        self._stopping.extend(members)
        self._turn = True

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> None:
        given: dict[str, Any] = workflow.payload_converter().from_payload(args[0].payload)
        self._chart = REGISTRY[given["hash"]]
        self._clock = Clock(*given["clock"])
        self._given = given
        self._begin(given)
        while True:
            self._turn = False
            self._welcome()
            self._let_go()
            self._hear()
            self._ring()
            self._launch()
            idle = not (self._running or self._arrived or self._joining or self._stopping)
            if idle and not self._members:
                break
            if idle and self._is_long():
                self._go_on()
            self._arm()
            workflow.set_current_details(self._details())
            await workflow.wait_condition(lambda: self._turn)
            if self._fault is not None:  # fails the workflow task, not the workflow: a mended release takes it up again
                raise RuntimeError(
                    "a batch of this cohort broke; nobody is lost, and it is tried again"
                ) from self._fault
        workflow.set_current_details(self._details())

    # --- beginning, and going on in a new run -------------------------------------------------------------------------

    def _begin(self, given: dict[str, Any]) -> None:
        for values in given.get("members", ()):
            member = unpack(values)
            self._members[member.id] = member
            self._watch(member)
        self._ended = dict(given.get("ended", {}))
        self._known = set(given.get("known", ()))
        if "new" in given:
            self._joining.insert(0, given["new"])

    def _welcome(self) -> None:
        """Let those enter who have joined since the last turn."""
        now = self._now()
        joining, self._joining = self._joining, []
        for base, *entries in joining:
            for entry in entries:
                number, late = (entry, 0) if isinstance(entry, int) else entry
                if number not in self._known:
                    self._known.add(number)
                    self._apply(*enter(self._chart, number, now, base + late))

    def _let_go(self) -> None:
        """Forget those who were ended from outside; of what they were queued for, only what happened before is recorded."""
        gone, self._stopping = set(self._stopping), []
        for number in gone & self._members.keys():
            self._step(self._members[number], Stopped(), self._now())
        if gone:
            for work in list(self._queue):
                over = [item for item in self._queue[work] if item.enrolment_id in gone]
                self._queue[work] = [item for item in self._queue[work] if item.enrolment_id not in gone]
                if not self._queue[work]:
                    del self._queue[work]
                for item in over:
                    self._note(item.enrolment_id, item.rows, item.late)

    def _is_long(self) -> bool:
        """Whether the history has grown long: whoever takes the cohort up again has to replay all of it."""
        info = workflow.info()
        return info.is_continue_as_new_suggested() or info.get_current_history_length() >= self._given["events"]

    def _go_on(self) -> None:
        """Continue as new: the snapshots are the whole state, since no batch is under way."""
        kept = {key: value for key, value in self._given.items() if key != "new"}
        workflow.continue_as_new(
            kept
            | {
                "known": sorted(self._known),
                "members": [pack(member) for member in self._members.values()],
                "ended": self._ended,
            }
        )

    # --- one turn: answers, deadlines, batches ------------------------------------------------------------------------

    def _now(self) -> int:
        return self._clock.at(workflow.time_ns() // 1_000_000)

    def _hear(self) -> None:
        """Step each member by the answers that came in: by declared rank, then event time, ties by number."""
        arrived = sorted(
            zip(self._arrived, self._to, strict=True),
            key=lambda pair: rank(self._chart, self._members.get(pair[1]), pair[0]),
        )
        self._arrived, self._to = [], []
        now = self._now()
        for answer, number in arrived:
            member = self._members.get(number)
            if member is None:
                if self._chart.ir.late == "record":
                    self._note(number, (), [Late(answer.seq, NOWHERE, "ended")])
                continue
            self._step(member, answer, now)

    def _ring(self) -> None:
        """Take every deadline that has passed."""
        now = self._now()
        while self._deadlines and self._deadlines[0][0] <= now:
            fires, number = heapq.heappop(self._deadlines)
            if self._watched.get(number) == fires:
                del self._watched[number]
                self._step(self._members[number], Due(), now)

    def _launch(self) -> None:
        """Start batches of what is to be done, a few side by side.

        A member is in one batch at a time that she waits for; batches which only record may run beside it.
        """
        for number, (rows, late) in self._waiting_rows.items():
            self._queue.setdefault(("record", 0, ()), []).append(Item(number, 0, rows, late))
        self._waiting_rows = {}
        while self._queue and len(self._running) < _SIDE_BY_SIDE:
            work = next(iter(self._queue))
            items = self._queue.pop(work)
            piece, rest = items[: self._given["batch"]], items[self._given["batch"] :]
            if rest:
                self._queue[work] = rest
            task = asyncio.create_task(self._perform(work, piece))
            self._running.add(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._turn = True
        self._fault = self._fault or task.exception()

    async def _perform(self, work: Work, items: Sequence[Item]) -> None:
        kind, state, arrows = work
        batch = Batch(self._given["hash"], kind, state, arrows, tuple(items), self._now())
        name = self._chart.boxes[state].name
        summary = f"{len(items)} × {kind}" if kind == "record" else f"{name}: {kind} {len(items)}"
        answer: dict[str, Any] = await workflow.execute_activity(
            "perform",
            batch.to_wire(),
            task_queue=queue_of(self._chart.ir, workflow.info().task_queue),
            result_type=dict,
            start_to_close_timeout=timedelta(hours=6),  # a slow rate takes its time; its beats say that it lives
            heartbeat_timeout=timedelta(seconds=10),
            retry_policy=_RETRY,
            summary=summary,
        )
        outcome, now = Outcome.from_wire(answer), self._now()
        if kind == "decide":
            for item, results in zip(items, outcome.results, strict=True):
                self._done(item, Decided(results), now)
        elif kind in {"send", "measure"}:
            self._sent(items, outcome, batch.at, now)

    def _sent(self, items: Sequence[Item], outcome: Outcome, at: int, now: int) -> None:
        reasons = outcome.reasons or ((),) * len(outcome.not_sent)
        not_sent = dict(zip(outcome.not_sent, reasons, strict=True))
        deferred = {position: Postponed(seconds, held) for position, seconds, held in outcome.deferred}
        for position, item in enumerate(items):
            if position in deferred:
                self._done(item, deferred[position], now)
                continue
            waits = tuple((arrow, at + ms) for arrow, ms in outcome.waits[position]) if outcome.waits else ()
            self._done(item, Acted(position not in not_sent, waits, not_sent.get(position, ())), now)

    def _done(self, item: Item, event: Event, now: int) -> None:
        """Her part of a batch is done; if she was ended from outside meanwhile, there is nobody to step."""
        member = self._members.get(item.enrolment_id)
        if member is not None:
            self._step(member, event, now)

    # --- members ------------------------------------------------------------------------------------------------------

    def _step(self, member: Snapshot, event: Event, now: int) -> None:
        self._apply(*step(self._chart, member, event, now))

    def _apply(self, member: Snapshot, effects: Iterable[Effect]) -> None:
        """Keep the new snapshot, and turn its effects into work."""
        number = member.id
        self._members[number] = member
        rows: list[Row] = []
        late: list[Late] = []
        work: Work | None = None
        since = 0
        for effect in effects:
            match effect:
                case Row():
                    rows.append(effect)
                case Late():
                    late.append(effect)
                case Send() | Measure() | Decide():
                    work = (_KINDS[type(effect)], effect.state, effect.arrows)
                    since = effect.since if isinstance(effect, Measure) else 0
                case End():
                    name = self._chart.boxes[effect.state].name
                    self._ended[name] = self._ended.get(name, 0) + 1
        if work is not None:
            self._note(number, rows, late)
            self._enqueue(work, number, member.seq, since)
        elif rows or late:
            self._note(number, rows, late)
        if member.phase == ENDED:
            del self._members[number]
            self._watched.pop(number, None)
        else:
            self._watch(member)

    def _note(self, number: int, rows: Sequence[Row], late: Sequence[Late]) -> None:
        """Rows go out with the member's next batch, or in a batch of their own at the end of this turn."""
        kept = self._waiting_rows.setdefault(number, ([], []))
        kept[0].extend(rows)
        kept[1].extend(late)

    def _enqueue(self, work: Work, number: int, visit: int, since: int) -> None:
        rows, late = self._waiting_rows.pop(number, ([], []))
        self._queue.setdefault(work, []).append(Item(number, visit, tuple(rows), tuple(late), since))

    def _watch(self, member: Snapshot) -> None:
        if member.deadline is None or member.phase == ACTING:
            self._watched.pop(member.id, None)
            return
        fires = self._fires(member.deadline)
        if self._watched.get(member.id) != fires:
            self._watched[member.id] = fires
            heapq.heappush(self._deadlines, (fires, member.id))

    def _fires(self, deadline: int) -> int:
        """A deadline fires after its grace, in which an answer that was given in time may still arrive."""
        return deadline + round(self._given["grace"] * 1000 * self._clock.scale)

    # --- the timer ----------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        """Run one timer to the earliest deadline; leave it alone if it rings early enough."""
        while self._deadlines and self._watched.get(self._deadlines[0][1]) != self._deadlines[0][0]:
            heapq.heappop(self._deadlines)  # overtaken: it is to wake nobody
        if not self._deadlines or (self._timer is not None and self._timer_at <= self._deadlines[0][0]):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._deadlines[0][0]
        tick = self._given["tick"]
        seconds = self._clock.real_seconds(self._timer_at - self._now())
        self._timer = asyncio.create_task(self._wait(max(tick, ceil(seconds / tick) * tick)))

    async def _wait(self, seconds: float) -> None:
        await workflow.sleep(seconds, summary=f"next deadline; {len(self._members)} under way")
        self._timer = None
        self._turn = True

    def _details(self) -> str:
        """What Temporal's own page shows: where the members are, in the journey's words."""
        where: dict[str, int] = {}
        for member in self._members.values():
            name = self._chart.boxes[member.state].name
            where[name] = where.get(name, 0) + 1
        under_way = "".join(f"\n- {name}: {count}" for name, count in sorted(where.items()))
        ended = "".join(f"\n- {name}: {count}" for name, count in sorted(self._ended.items()))
        return f"**{self._chart.ir.title}** `{self._given['hash'][:12]}`\n\nUnder way:{under_way}\n\nEnded:{ended}"
