"""Refusals: why a box sent nothing. Each of its channels has a reason of its own, and an arrow hears that of its channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from dsl.chart import Chart
from dsl.expression import Facts
from dsl.ir import Answer

__all__ = ["in_one", "open_to", "reasons_of", "whys"]

_BETWEEN: Final = "|"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)  # a reason doesn't hang on the time


def in_one(reasons: Sequence[str]) -> str:
    """The reasons in one text, for a snapshot or a message."""
    return _BETWEEN.join(reasons)


def reasons_of(text: str) -> tuple[str, ...]:
    """Read what `in_one` wrote."""
    return tuple(text.split(_BETWEEN))


def whys(channels: Sequence[str], reasons: Sequence[str]) -> Mapping[str, str]:
    """The reason of each channel, where `reasons` has one for each, in their order; else its first is everybody's."""
    each = reasons if len(reasons) == len(channels) else (*reasons, "")[:1] * len(channels)
    return dict(zip(channels, each, strict=True))


def open_to(c: Chart, state: int, reasons: Sequence[str]) -> tuple[int, ...]:
    """The arrows of a box for a send that was refused for these reasons."""
    arrows = c.boxes[state].not_sent
    if not arrows:
        return ()
    known = whys(c.ir.states[state].channels, reasons)
    return tuple(arrow for arrow in arrows if _fires(c.arrows[arrow].on, known))


def _fires(on: object, known: Mapping[str, str]) -> bool:
    if not isinstance(on, Answer):  # pragma: no cover  # the chart gives arrows that wait for an answer
        return False
    reason = known.get(on.event.partition(".")[0], "")
    return on.where is None or on.where.evaluate(Facts(payload={"reason": reason}), _EPOCH)
