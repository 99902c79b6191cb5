"""Sends: whether a journey waits to hear that a box's message went out. Where it doesn't, nothing is told."""

from __future__ import annotations

from dsl.ir import CHANNELS, IR, Answer, State

__all__ = ["AT_ONCE", "SENT", "sent_awaited"]

SENT = frozenset(f"{channel}.sent" for channel in CHANNELS)
"""The answers that say so, by their events' names."""
AT_ONCE = SENT - {"letter.sent"}
"""Those that come as soon as the box has sent; a letter goes out later, with its print run."""


def sent_awaited(ir: IR, state: State) -> frozenset[str]:
    """The channels of a box of which something comes of it that its message went out.

    The box waits for it, its stage does, or an arrow for any send of the journey.
    """
    stage = next((stage.arrows for stage in ir.stages if stage.name == state.stage), ())
    wide = (arrow for arrow in ir.arrows if isinstance(arrow.on, Answer) and arrow.on.scope == "any_send")
    heard = {arrow.on.event for arrow in (*state.arrows, *stage, *wide) if isinstance(arrow.on, Answer)}
    return frozenset(channel for channel in state.channels if f"{channel}.sent" in heard)
