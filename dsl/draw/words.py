"""The words of a picture: what stands beside an arrow, in a caption and in a box."""

from __future__ import annotations

from collections.abc import Iterator

from dsl.ir import (
    CHANNELS,
    IR,
    After,
    Answer,
    Arrow,
    Clock,
    Entry,
    Knob,
    Learned,
    Limit,
    NoDate,
    Otherwise,
    Reentry,
    Share,
    State,
    Then,
    Until,
    When,
)

__all__ = [
    "again_words",
    "arrow_words",
    "clock_words",
    "duration",
    "entry_words",
    "goal_words",
    "knob_words",
    "limit_words",
    "percent",
    "spaced",
    "term_words",
    "trigger_words",
]

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def duration(seconds: float) -> str:
    """A duration in its two largest units: `3 d`, `20 h`, `1 d 12 h`."""
    rest = round(seconds)
    parts: list[str] = []
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def spaced(name: str) -> str:
    """A name as it is read: `not_eligible` is "not eligible"."""
    return name.replace("_", " ").strip() or name


def percent(number: float) -> str:
    """A share: `50 %`, `12.5 %`."""
    return f"{number:.6g} %"


def answer_words(answer: Answer, kind: str = "") -> str:
    """An answer as it is said in a box of `kind`: the channel is named where it isn't the box's own."""
    prefix, _, name = answer.event.rpartition(".")
    said = spaced(name)
    if prefix and prefix not in {kind, "shop"}:
        said = f"{spaced(prefix)} {said}"
    if answer.where is not None:
        said += f", {answer.where.sentence()}"
    said += "".join(f" ({which})" for which in _which(answer))
    return said


def trigger_words(arrow: Arrow, state: State | None) -> str:  # noqa: PLR0911  # one for each kind of trigger
    """What fires the arrow, without its guard and its limit; empty for the plain next step."""
    match arrow.on:
        case Answer() as answer:
            return answer_words(answer, state.kind if state is not None and not state.also else "")
        case After() as after:
            return _after(after, state)
        case Until() as until:
            return _date(until)
        case NoDate() as no_date:
            return _no_date(no_date, state)
        case Share(percent=share):
            return percent(share)
        case Learned():
            return "learned share"
        case Otherwise():
            return "otherwise"
        case When() | Then():
            return ""


def arrow_words(arrow: Arrow, state: State | None) -> str:
    """The arrow's label: trigger, guard and limit, for example "not reached (up to 3×, every 20 h)"."""
    said = trigger_words(arrow, state)
    if arrow.late:
        said += ", late"
    if arrow.guard is not None:
        guard = arrow.guard.sentence()
        said = f"{said}, if {guard}" if said else guard
    if arrow.limit is not None:
        said = f"{said} ({limit_words(arrow.limit)})".lstrip()
    return said


def limit_words(limit: Limit) -> str:
    """How often: `once`, `up to 3×, every 20 h`."""
    every = f", every {duration(limit.every)}" if limit.every else ""
    return "once" if limit.times == 1 and not every else f"up to {limit.times}×{every}"


def entry_words(entry: Entry) -> str:
    """Who comes in, and when."""
    if entry.kind == "audience" and entry.audience is not None:
        return f"{entry.audience.sentence()}{_every(entry)}"
    if entry.kind == "event" and entry.event is not None:
        return answer_words(entry.event)
    return "by API call"


def goal_words(ir: IR) -> str:
    """What the journey is for; empty if it says nothing."""
    return f"{answer_words(ir.goal.event)} within {duration(ir.goal.seconds)}" if ir.goal is not None else ""


def again_words(again: Reentry) -> str:
    """Whether a customer may come again."""
    said = f"after {duration(again.seconds)}" if again.rule == "after" else again.rule
    if again.parallel is not None:
        said += f", in parallel by {spaced(again.parallel)}"
    return said if again.active == "reject" else f"{said}, while active: {again.active}"


def term_words(ir: IR) -> dict[str, str]:
    """The journey's terms by the field that each stands in: its purpose, re-entry, hold-out, hours and zone."""
    said = {"purpose": ir.purpose, "again": f"again: {again_words(ir.again)}"}
    if ir.holdout:
        said["holdout"] = f"hold-out {percent(ir.holdout)}"
    if ir.quiet is not None:
        said["quiet"] = f"quiet {clock_words(ir.quiet)}"
    if ir.zone is not None:
        said["zone"] = f"time zone {ir.zone}"
    if ir.late == "ignore":
        said["late"] = "late answers ignored"
    return said


def clock_words(clock: Clock) -> str:
    """Times of the customer's clock: `09:00 Mon–Fri`, `08:00–20:00, no holidays`."""
    hours = f"{clock.opens}–{clock.closes}" if clock.opens is not None else ""
    said = " ".join(part for part in (clock.at or "", hours, _days(clock.weekdays)) if part)
    return said if clock.holidays else f"{said}, no holidays".removeprefix(", ")


def knob_words(knob: Knob) -> str:
    """What may be tuned, where it stands, and its bounds: `Wait before the SMS: 3 d (1 d to 10 d)`."""
    value, low, high = (
        duration(number) if knob.kind == "duration" else f"{number:.6g}" for number in (knob.value, knob.min, knob.max)
    )
    return f"{knob.label or spaced(knob.name)}: {value} ({low} to {high})"


def _listens(state: State | None) -> bool:
    """Does the box wait for an answer of people? `sent` and `not_sent` are its own outcome, so they don't count."""
    if state is None:
        return False
    answers = [arrow.on for arrow in state.arrows if isinstance(arrow.on, Answer)]
    return state.kind in CHANNELS and any(not answer.event.endswith((".not_sent", ".sent")) for answer in answers)


def _which(answer: Answer) -> Iterator[str]:
    """Which events count, where not every one of this box's own does."""
    if answer.scope == "any_send":
        yield "any send"
    if answer.look_back is not None:
        yield f"up to {duration(answer.look_back)} before"
    if answer.by is not None:
        yield f"by {spaced(answer.by)}"
    if answer.moves is not None:
        yield {"all": "moves all", "error": "moves none of several"}.get(answer.moves, f"moves the {answer.moves}")
    if answer.first:
        yield "heard first"


def _after(after: After, state: State | None) -> str:
    waits = _listens(state)
    if after.clock is not None and after.seconds == 0:
        when = clock_words(after.clock)
        word = "at" if after.clock.at is not None else "within"
        return f"no answer until {when}" if waits and word == "at" else f"{word} {when}"
    said = f"{'no answer in' if waits else 'after'} {_span(after)}"
    if after.clock is None:
        return said
    return f"{said}, then {'next' if after.clock.at is not None else 'within'} {clock_words(after.clock)}"


def _date(until: Until) -> str:
    """A date of the customer's: `14 d before renewal, 09:00`."""
    date = _moment(until)
    span = duration(abs(until.offset))
    said = f"{span} {'before' if until.offset < 0 else 'after'} {date}" if until.offset else f"on {date}"
    if until.clock is not None:
        said += f", {clock_words(until.clock)}"
    at_once = [why for why, rule in (("past", until.past), ("missing", until.missing)) if rule == "now"]
    return f"{said}, at once if {' or '.join(at_once)}" if at_once else said


def _no_date(no_date: NoDate, state: State | None) -> str:
    arrows = state.arrows if state is not None else ()
    until = arrows[no_date.of].on if no_date.of < len(arrows) else None
    date = until.moment.sentence() if isinstance(until, Until) else "the date"
    return f"{date} is past" if no_date.why == "past" else f"no {date}"


def _moment(until: Until) -> str:
    said = until.moment.sentence()
    return f"the next {said}" if until.yearly else said


def _days(weekdays: tuple[int, ...] | None) -> str:
    """Weekdays, three and more in a row as a span: `Mon–Fri`, `Tue, Thu`."""
    runs: list[list[int]] = []
    for day in sorted(weekdays or ()):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    names = [day[:3] for day in _WEEKDAYS]
    spans = [[f"{names[run[0]]}–{names[run[-1]]}"] if len(run) > 2 else [names[day] for day in run] for run in runs]
    return ", ".join(name for span in spans for name in span)


def _span(after: After) -> str:
    if after.seconds is not None:
        return duration(after.seconds)
    said = after.expression.sentence() if after.expression is not None else "a while"
    low, high = after.at_least, after.at_most
    if low is not None and high is not None:
        return f"{said}, {duration(low)} to {duration(high)}"
    if low is not None:
        return f"{said}, at least {duration(low)}"
    return f"{said}, at most {duration(high)}" if high is not None else said


def _every(entry: Entry) -> str:
    every = entry.every
    if every is None:
        return ""
    own = ", local time" if every.local else ""
    match every.kind:
        case "once":
            return " · once"
        case "cron":
            return f" · cron {every.cron}{own}"
        case "weekly":
            return f" · every {_WEEKDAYS[every.weekday % 7]} at {every.at}{own}"
        case "daily":
            return f" · daily at {every.at}{own}"
