"""Sameness: what decides how a customer may go on, so that of two walks which come to the same, one is followed."""

from __future__ import annotations

from dsl.testing.probing import Walker

__all__ = ["key_of", "staged"]


def key_of(walker: Walker) -> object:
    """What decides how she may go on; two walks with the same one needn't both be followed."""
    member = walker.member
    own = [(member.since + seconds * 1000, arrow) for seconds, arrow in walker.charted.boxes[member.state].afters]
    waits = [
        arrow for over, arrow in sorted([*own, *((over, arrow) for arrow, over in member.waits)]) if over > member.fired
    ]
    most = walker.most
    stage = (walker.member.staged - int(walker.now.timestamp() * 1000)) // 60_000 if staged(walker) else 0
    return (
        member.state,
        member.phase,
        member.goto,
        member.tries > 0,
        member.counts,
        tuple((box, min(count, most)) for box, count in member.visits),
        frozenset(state for _, state in member.left),
        tuple(waits),
        stage,
        member.stage_fired >= 0,
        frozenset(message.channel for message in walker.messages),
        any(message.visit == member.seq for message in walker.messages),
    )


def staged(walker: Walker) -> bool:
    """Whether a wait of her stage runs."""
    member, chart = walker.member, walker.charted
    stage = chart.boxes[member.state].stage
    return stage >= 0 and any(
        member.staged + seconds * 1000 > member.stage_fired for seconds, _ in chart.stages[stage].afters
    )
