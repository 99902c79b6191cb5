"""Stages in pictures: frames around their boxes, what they say, and the same in text, Mermaid and differences.

`GOLDEN=write pytest tests/dsl/test_draw_stages.py` writes the golden pictures anew; look at them before you commit them.
"""

from __future__ import annotations

import os
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from kit.pictures import Picture, flaws, read
from kit.random_journeys import Features, random_ir

from dsl import (
    Anywhere,
    Api,
    Arrows,
    Call,
    Choice,
    Consent,
    Customer,
    Email,
    Final,
    Goal,
    Journey,
    Letter,
    Shop,
    Sms,
    Stage,
    Wait,
    after,
    compile_journey,
    days,
    marketing,
    otherwise,
    when,
)
from dsl.diff import diff
from dsl.draw import mermaid, svg, text
from dsl.draw.diff_picture import diff_svg
from dsl.draw.diff_text import diff_text
from dsl.draw.layout import layout
from dsl.draw.plan import graph_of
from dsl.export.scxml import scxml
from dsl.ir import IR, After, Arrow, State

PICTURES = Path(__file__).parents[1] / "golden" / "pictures"


class Moving(Journey):
    """She has moved house: offer the new shop, then look after her."""

    enters = Api()
    purpose = marketing

    settled = Goal()
    silent = Final()
    unsubscribed = Final()

    @Stage()
    def offers(self) -> Arrows:
        """Until she comes, for a month at most."""
        yield Shop.purchased >> self.welcome
        yield after(days=30) >> self.silent

    @Stage()
    def care(self) -> Arrows:
        yield Email.bounced >> self.paper

    @Choice()
    def near(self) -> Arrows:
        yield when(Customer.postcode.starts_with("69")) >> self.map
        yield otherwise >> self.silent

    @Email("moving/map", stage=offers)
    def map(self) -> Arrows:
        yield Email.clicked >> self.ring
        yield after(days=10) >> self.text

    @Sms("moving/text", stage=offers)
    def text(self) -> Arrows:
        yield Sms.clicked.up_to(2) >> self.map
        yield after(days=14) >> self.ring

    @Call("moving/ring", stage=offers)
    def ring(self) -> Arrows:
        yield Call.interested >> self.welcome
        yield Call.refused >> self.silent
        yield Call.not_reached.ignored

    @Email("moving/welcome", stage=care)
    def welcome(self) -> Arrows:
        yield Email.clicked >> self.pause
        yield after(days=60) >> self.silent

    @Wait(stage=care)
    def pause(self) -> Arrows:
        yield Shop.purchased >> self.settled
        yield after(days=90) >> self.map

    @Letter("moving/paper")
    def paper(self) -> Arrows:
        yield Letter.answered >> self.settled
        yield after(days=30) >> self.silent

    @Anywhere()
    def exits(self) -> Arrows:
        yield Consent.withdrawn >> self.unsubscribed


def moving() -> IR:
    """The journey, without the lines of this file."""
    ir = compile_journey(Moving)
    return replace(ir, notes={name: replace(note, file="", line=0) for name, note in ir.notes.items()})


def wrong(ir: IR, picture: Picture) -> list[str]:
    """What touches what it should not, and boxes on the wrong side of a frame."""
    homes = {f"state-{state.name}": f"stage-{state.stage}" for state in ir.states}
    astray = [
        f"{box} is on the wrong side of {frame}"
        for box in picture.boxes
        for frame in picture.frames
        if picture.within(box, frame) != (homes.get(box) == frame)
    ]
    return [*flaws(picture), *astray]


@pytest.mark.parametrize("suffix", ["svg", "mmd", "txt"])
def test_the_pictures_of_a_journey_with_stages_are_as_they_were(suffix: str) -> None:
    drawn = {"svg": svg, "mmd": mermaid, "txt": text}[suffix](moving())
    file = PICTURES / f"moving.{suffix}"
    if os.environ.get("GOLDEN") == "write":
        file.write_text(drawn)
    assert drawn == file.read_text()


def test_frames_hold_their_boxes_and_nothing_else_and_nothing_touches() -> None:
    picture = read(svg(moving(), counts={state.name: 12_345 for state in moving().states}))
    assert picture.frames.keys() == {"stage-offers", "stage-care"}
    assert wrong(moving(), picture) == []


@pytest.mark.parametrize("batch", range(8))
def test_nothing_touches_in_the_pictures_of_random_journeys_with_stages(batch: int) -> None:
    framed = 0
    for seed in range(3000 + batch * 13, 3013 + batch * 13):
        ir = random_ir(random.Random(seed), Features(boxes=7))  # noqa: S311  # repeatable on purpose
        picture = read(svg(ir, counts={state.name: 7 for state in ir.states}))
        framed += len(picture.frames)
        assert wrong(ir, picture) == [], f"seed {seed}"
    assert framed > 2


def test_what_only_a_stage_s_arrow_leads_to_is_drawn_with_a_box_that_says_so() -> None:
    document = svg(moving())
    assert 'id="care-stage-paper"' in document
    assert ">from care<" in document


def test_a_frame_says_what_is_fired_from_within_and_its_tip_what_it_is() -> None:
    picture = svg(compile_journey(Moving))
    assert ">purchased → welcome<" in picture
    assert "offers (stage)\nUntil she comes, for a month at most.\ntest_draw_stages.py:" in picture


def test_a_frame_says_how_many_ended_by_its_arrows() -> None:
    ir = moving()
    to_silent = len(ir.arrows) - 2  # the stages' arrows come last: two of offers, one of care
    assert ir.arrows[to_silent] is ir.stages[0].arrows[1]
    taken = {number: 3 for number, arrow in enumerate(ir.arrows) if arrow.to == "silent"} | {to_silent: 12_345}
    drawn = svg(ir, counts={"silent": 12_360}, taken=taken)
    assert wrong(ir, read(drawn)) == []
    assert re.search(r">after 30 d → silent<.*\n.*words number.*>12,345<", drawn)
    assert "12,345" not in svg(ir, counts={"silent": 12_360})
    assert "12,345" not in svg(ir, counts={}, taken=taken)
    only = replace(ir, states=(*ir.states, State("gone", "final")))
    only = replace(
        only, stages=(replace(ir.stages[0], arrows=(*ir.stages[0].arrows, Arrow(After(60), "gone"))), ir.stages[1])
    )
    assert re.search(r">after 1 min → gone<.*\n.*words number.*>7<", svg(only, counts={"gone": 7}))


def test_text_has_a_row_for_each_arrow_of_a_stage_and_names_its_boxes() -> None:
    rows = [" ".join(line.split()) for line in text(moving()).splitlines()]
    assert "▭ offers map, ring, text purchased ──▶ ✉ welcome" in rows
    assert "after 30 d ┄┄▶ ◉ silent" in rows
    assert "▭ care welcome, pause email bounced (any send) ──▶ ✎ paper" in rows
    assert any(row.endswith("▭ from anywhere within ┄┄▶ time-out") for row in rows)


def test_mermaid_has_a_subgraph_for_each_stage() -> None:
    lines = mermaid(moving()).splitlines()
    start = lines.index(
        '    subgraph s_stage_2d_offers ["offers<br/><small>from anywhere within:</small>'
        '<br/><small>purchased → welcome</small><br/><small>after 30 d → silent</small>"]'
    )
    within = lines[start + 1 : lines.index("    end", start)]
    assert [line.partition("(")[0].strip() for line in within] == ["s_map", "s_ring", "s_text"]
    assert sum(line.strip() == "end" for line in lines) == 2


def test_a_stage_without_a_docstring_is_exported_without_a_comment() -> None:
    assert "Until she comes" in scxml(moving())
    assert "<!--  -->" not in scxml(moving())


def changed() -> IR:
    """Another stage, a longer one, and a box that has moved into it."""
    ir = moving()
    offers = replace(ir.stages[0], arrows=(*ir.stages[0].arrows[:1], Arrow(After(days(40).seconds), "silent")))
    states = tuple(replace(state, stage="offers") if state.name == "paper" else state for state in ir.states)
    return replace(ir, stages=(offers, ir.stages[1]), states=states)


def test_a_difference_of_stages_is_drawn_and_said() -> None:
    found = diff(moving(), changed())
    document = diff_svg(found, ("before", "after"))
    picture = read(document)
    assert list(flaws(picture)) == []
    assert "after 30 d → silent" in document
    assert "after 40 d → silent" in document
    said = diff_text(found)
    assert "▭ offers (stage)" in said
    assert "40 d" in said
    assert picture.within("state-paper", "stage-offers")


def test_the_same_picture_comes_out_of_another_process_s_layout() -> None:
    graph = graph_of(moving())
    layout.cache_clear()
    first = layout(graph)
    layout.cache_clear()
    assert layout(graph) == first


def test_the_test_s_eye_sees_what_is_wrong_at_frames() -> None:
    """Seeded mistakes: a test of what finds nothing in the pictures above."""
    picture = read(svg(moving()))
    frame, head = picture.frames["stage-offers"], picture.heads["stage-offers"]
    seen = {
        "state-map is on the side": replace(
            picture, boxes={**picture.boxes, "state-map": replace(frame, bottom=frame.top + 9)}
        ),
        "runs along a side": replace(picture, lines={"a": [(frame.left + 1, frame.top, frame.left + 1, frame.bottom)]}),
        "the label of a is on the side": replace(
            picture, labels={"a": replace(frame, right=frame.left + 3)}, lines={"a": []}
        ),
        "says meets state-map": replace(picture, boxes={**picture.boxes, "state-map": head}),
        "runs through what stage-offers says": replace(
            picture, lines={"a": [(head.left, head.top, head.right, head.top)]}
        ),
        "says stands outside": replace(
            picture, heads={**picture.heads, "stage-offers": replace(head, left=frame.left - 9)}
        ),
        "meets stage-care": replace(picture, frames={"stage-offers": frame, "stage-care": frame}),
    }
    for said, spoiled in seen.items():
        labels = {name: area for name, area in spoiled.labels.items() if name in spoiled.lines}
        sound = replace(spoiled, labels=labels, ends=dict.fromkeys(spoiled.lines, ("", "")))
        assert any(said in flaw for flaw in flaws(sound)), said
