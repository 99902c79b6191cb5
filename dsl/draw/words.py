"""The words of a picture: what stands beside an arrow, in a caption and in a box."""

from __future__ import annotations

from dsl.ir import CHANNELS, ENDS, IR, After, Answer, Arrow, Entry, Otherwise, Reentry, Share, State, Then, When

__all__ = [
    "again_words",
    "arrow_words",
    "duration",
    "end_reason",
    "entry_words",
    "goal_words",
    "spaced",
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
    if answer.scope == "any_send":
        said += " (any send)"
    return said


def trigger_words(arrow: Arrow, state: State | None) -> str:
    """What fires the arrow, without its guard and its limit; empty for the plain next step."""
    match arrow.on:
        case Answer() as answer:
            return answer_words(answer, state.kind if state is not None else "")
        case After() as after:
            return f"{'no answer in' if _listens(state) else 'after'} {_span(after)}"
        case Share(percent=share):
            return percent(share)
        case Otherwise():
            return "otherwise"
        case When() | Then():
            return ""


def arrow_words(arrow: Arrow, state: State | None) -> str:
    """The arrow's label: trigger, guard and limit, for example "not reached (up to 3×, every 20 h)"."""
    said = trigger_words(arrow, state)
    if arrow.guard is not None:
        guard = arrow.guard.sentence()
        said = f"{said}, if {guard}" if said else guard
    if arrow.limit is not None:
        every = f", every {duration(arrow.limit.every)}" if arrow.limit.every else ""
        times = "once" if arrow.limit.times == 1 and not every else f"up to {arrow.limit.times}×{every}"
        said = f"{said} ({times})".lstrip()
    return said


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
    return f"{said}, in parallel by {spaced(again.parallel)}" if again.parallel is not None else said


def end_reason(state: State) -> str:
    """What kind of end a state is, or an empty text."""
    return state.kind if state.kind in ENDS else ""


def _listens(state: State | None) -> bool:
    """Does the box wait for an answer of people? `not_sent` is its own outcome, so it doesn't count."""
    if state is None:
        return False
    answers = [arrow.on for arrow in state.arrows if isinstance(arrow.on, Answer)]
    return state.kind in CHANNELS and any(not answer.event.endswith(".not_sent") for answer in answers)


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
    if every.kind == "once":
        return " · once"
    day = f"every {_WEEKDAYS[every.weekday % 7]}" if every.kind == "weekly" else "daily"
    return f" · {day} at {every.at}"
