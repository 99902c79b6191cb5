"""The expected flow over the journey's picture: at each arrow how many take it, at each box how many come and what they get."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from dsl.draw.boxes import rows_of
from dsl.draw.captions import captions_of
from dsl.draw.graph import Caption, Words
from dsl.draw.plan import Figure, Marks, graph_of
from dsl.draw.svg import picture
from dsl.ir import IR
from engine.simulation.results import Box, Estimate, Result, number

__all__ = ["flow_svg"]


def flow_svg(result: Result, *, theme: str = "auto") -> str:
    """The result as an SVG document: lines as thick as the share of customers who go there, intervals in the titles.

    `theme` is as for `svg`.
    """
    ir = result.ir
    taken = [_figure(flow.taken, result.customers) for flow in result.flows]
    marks = Marks(
        rows={box.name: rows for box in result.boxes if (rows := tuple(_rows(ir, box)))},
        figures=dict(zip(_places(ir), taken, strict=True)),
        start=_figure(Estimate(result.customers, result.customers, result.customers), result.customers),
        tips={box.name: "\n".join(_told(box, result.customers)) for box in result.boxes},
        captions=tuple(_captions(result, taken)),
    )
    came = {place: round(flow.taken.mean) for place, flow in enumerate(result.flows)}
    version = f"{ir.hash[:12]} · expected of {number(result.customers)} customers"
    return picture(graph_of(ir, marks), version, counts=result.counts(), taken=came, theme=theme)


def _figure(estimate: Estimate, whole: int) -> Figure:
    share = estimate.mean / whole
    return Figure(number(estimate.mean), f"{estimate}, {share:.1%} of all", share)


def _places(ir: IR) -> Iterator[tuple[str, int]]:
    """Owner and place of each arrow, in the order of their numbers."""
    owners = chain(
        ((s.name, s.arrows) for s in ir.states), [("", ir.anywhere)], ((s.name, s.arrows) for s in ir.stages)
    )
    return ((owner, place) for owner, arrows in owners for place in range(len(arrows)))


def _rows(ir: IR, box: Box) -> Iterator[Words]:
    """What stands in a box that sends: its own rows, and how many messages go out."""
    if not box.sent:
        return
    yield from rows_of(ir.by_name[box.name])
    for channel, sent in box.sent.items():
        yield Words("sent", channel if len(box.sent) > 1 else "", number=number(sent.mean))


def _told(box: Box, whole: int) -> Iterator[str]:
    yield f"entered: {_figure(box.entered, whole).told}"
    for channel, sent in box.sent.items():
        yield f"sent by {channel}: {sent}"
    if box.sent:
        yield f"not sent: {box.not_sent}"
    if box.late.mean:
        yield f"answers that come too late: {box.late}"


def _captions(result: Result, taken: list[Figure]) -> Iterator[Caption]:
    runs = "1 run" if result.runs == 1 else f"the mean of {number(result.runs)} runs"
    said = f"entries at boxes, customers at arrows: {runs}; pointing at one tells its interval"
    yield Caption("numbers", said)
    for caption in captions_of(result.ir):
        told = taken[caption.arrow].told if caption.arrow >= 0 else ""
        yield replace(caption, tip=f"{caption.text}: {told}" if told else "")
