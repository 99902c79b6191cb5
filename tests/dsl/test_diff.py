"""The difference between two journeys: as data, as text, and as one picture of both.

`GOLDEN=write pytest tests/dsl/test_diff.py` writes the golden text and picture anew; look at them before you commit them.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.charts import DAY, random_journey, win_back
from kit.edits import edited
from kit.pictures import flaws, read

from dsl import Customer
from dsl.diff import Diff, diff
from dsl.draw.diff_picture import diff_svg
from dsl.draw.diff_text import diff_text
from dsl.ir import IR, Action, After, Answer, Arrow, Clock, Knob, Limit, Note, Reentry, Stage, State

GOLDEN = Path(__file__).parents[1] / "golden" / "diff"


def changed(ir: IR, name: str, **fields: object) -> IR:
    """The journey with fields of one box changed."""
    return replace(ir, states=tuple(replace(state, **fields) if state.name == name else state for state in ir.states))


def arrows(ir: IR, name: str) -> tuple[Arrow, ...]:
    return ir.by_name[name].arrows


def lines(before: IR, after: IR) -> list[str]:
    """What the text says of the boxes, arrows and settings."""
    return [line.strip() for line in diff_text(diff(before, after)).splitlines()[2:] if line.strip()]


def later() -> IR:
    """The win-back journey, half a year later: every kind of change."""
    ir = win_back()
    letter = replace(
        ir.by_name["letter"],
        arrows=(
            Arrow(Answer("letter.answered", "send"), "call"),
            Arrow(Answer("letter.returned", "send"), "lapsed"),
            Arrow(After(21 * DAY), "nudge"),
        ),
    )
    nudge = State(
        "nudge",
        "email",
        (Arrow(Answer("email.clicked", "send"), "call"), Arrow(After(5 * DAY), "lapsed")),
        "win_back/nudge",
    )
    states = [
        replace(
            state,
            name="text" if state.name == "sms" else state.name,
            arrows=tuple(replace(a, to="text") if a.to in {"sms", "feed"} else a for a in state.arrows),
        )
        for state in ir.states
        if state.name not in {"feed", "letter"}
    ]
    states[2] = replace(states[2], template="win_back/discount_2")
    states[4] = replace(states[4], arrows=(*states[4].arrows[:-1], Arrow(After(10 * DAY), "text")))
    states[6:6] = [letter, nudge]
    return replace(
        ir,
        states=tuple(states),
        holdout=5.0,
        quiet=Clock(opens="21:00", closes="08:00"),
        anywhere=(Arrow(Answer("shop.purchased", "customer"), "won", Customer.country == "FR"), *ir.anywhere[1:]),
        notes={**ir.notes, "text": Note(was="sms"), "call": Note("Phone at once.")},
    )


def counted(found: Diff) -> Counter[str]:
    signs = [each.sign for each in found.changes]
    return Counter(signs + [arrow.sign for each in found.changes for arrow in each.arrows])


# --- as data ---------------------------------------------------------------------------------------------------------


def test_a_journey_does_the_same_as_itself() -> None:
    found = diff(win_back(), win_back())

    assert found.same
    assert found.changes == ()
    assert lines(win_back(), win_back()) == ["both do the same"]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 60), st.integers(0, 10**6), st.integers(0, 4))
def test_two_journeys_differ_exactly_where_their_hashes_do(journey: int, seed: int, times: int) -> None:
    before = random_journey(journey)
    after = edited(before, seed, times)

    assert diff(before, after).same == (before.hash == after.hash)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 60), st.integers(0, 10**6))
def test_what_was_added_one_way_was_removed_the_other(journey: int, seed: int) -> None:
    before = random_journey(journey)
    after = edited(before, seed, 3)

    there, back = counted(diff(before, after)), counted(diff(after, before))
    assert (there["added"], there["removed"]) == (back["removed"], back["added"])


def test_words_for_readers_are_no_difference() -> None:
    ir = win_back()
    told = replace(ir, title="Other", doc="New.", notes={"call": Note("Anew.", "elsewhere.py", 9)})
    knob = Knob("pause", "duration", 3.0 * DAY, 1.0 * DAY, 10.0 * DAY, "Wait")

    assert diff(ir, told).same
    assert [detail.name for detail in diff(ir, told).readers] == ["title", "description", "description of call"]
    assert lines(ir, replace(ir, knobs=(knob,)))[-1] == "+ knob pause  Wait: 3 d (1 d to 10 d)"


def test_a_box_that_says_what_it_was_is_renamed_wherever_it_is_named() -> None:
    before = win_back()
    after = later()
    renamed = diff(before, after).change("box", "text")

    assert renamed is not None
    assert (renamed.sign, renamed.was, renamed.details, renamed.arrows) == ("changed", "sms", (), ())
    back = diff(after, before).change("box", "sms")
    assert back is not None
    assert back.was == "text"
    unsaid = diff(before, replace(after, notes={}))
    assert [unsaid.change("box", name) is not None for name in ("sms", "text")] == [True, True]


# --- as text ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (replace(win_back(), holdout=5.0), "~ hold-out  10 % → 5 %"),
        (replace(win_back(), holdout=0.0), "- hold-out  10 %"),
        (replace(win_back(), quiet=Clock(opens="21:00", closes="08:00")), "+ quiet hours  21:00–08:00"),
        (replace(win_back(), again=Reentry("never")), "~ again  after 180 d → never"),
        (replace(win_back(), goal=None), "- goal  purchased within 30 d"),
        (replace(win_back(), late="ignore"), "~ late answers  record → ignore"),
        (changed(win_back(), "story", template="win_back/tale"), "~ template  win_back/story → win_back/tale"),
        (changed(win_back(), "call", queue="gold"), "~ queue  retention → gold"),
        (changed(win_back(), "story", purpose="transactional"), "+ purpose  transactional"),
        (changed(win_back(), "story", offers=3), "+ offers  3"),
        (changed(win_back(), "story", also=(Action("sms", "win_back/tale"),)), "+ also  sms win_back/tale"),
        (
            changed(win_back(), "story", hours=Clock(opens="09:00", closes="18:00", weekdays=(0, 1, 2, 3, 4))),
            "+ hours  09:00–18:00 Mon–Fri",
        ),
        (
            changed(win_back(), "feed", arrows=(*arrows(win_back(), "feed"), Arrow(After(60), "won"))),
            "+ after 1 min ┄┄▶ ★ won",
        ),
        (changed(win_back(), "letter", arrows=arrows(win_back(), "letter")[1:]), "- answered ──▶ ☎ call"),
        (
            changed(win_back(), "letter", arrows=(arrows(win_back(), "letter")[0], Arrow(After(9 * DAY), "lapsed"))),
            "~ no answer in 14 d ┄┄▶ ◉ lapsed  ⇒  no answer in 9 d",
        ),
        (
            changed(win_back(), "letter", arrows=(arrows(win_back(), "letter")[0], Arrow(After(14 * DAY), "won"))),
            "~ no answer in 14 d ┄┄▶ ◉ lapsed  ⇒  ★ won",
        ),
        (
            changed(win_back(), "letter", arrows=arrows(win_back(), "letter")[::-1]),
            "~ no answer in 14 d ┄┄▶ ◉ lapsed  ⇒  place 2. → 1.",
        ),
        (
            changed(
                win_back(),
                "letter",
                arrows=(replace(arrows(win_back(), "letter")[0], limit=Limit(1)), arrows(win_back(), "letter")[1]),
            ),
            "~ answered ──▶ ☎ call  ⇒  answered (once)",
        ),
        (replace(win_back(), anywhere=win_back().anywhere[:1]), "- consent withdrawn ──▶ ◉ unsubscribed"),
        (replace(win_back(), stages=(Stage("contact"),)), "+ ▭ contact (stage)"),
        (changed(win_back(), "story", stage="contact"), "+ stage  contact"),
    ],
)
def test_each_change_has_its_line(after: IR, said: str) -> None:
    assert said in lines(win_back(), after)


def test_a_condition_that_reads_the_same_says_what_differs() -> None:
    ir = win_back()
    guards = [Customer.city == "x", Customer.city == "x "]
    before, after = (changed(ir, "feed", arrows=(replace(arrows(ir, "feed")[0], guard=guard),)) for guard in guards)

    assert not diff(before, after).same
    (line,) = [line for line in lines(before, after) if line.startswith("~ ")][1:]
    assert "x" in line


def test_boxes_in_another_order_are_told_though_no_customer_meets_a_difference() -> None:
    ir = win_back()
    states = list(ir.states)
    states[3], states[5] = states[5], states[3]

    assert any(
        re.fullmatch(r"~ place of \w+ +after \w+ → after \w+", line)
        for line in lines(ir, replace(ir, states=tuple(states)))
    )
    start = replace(ir, states=(ir.states[1], ir.states[0], *ir.states[2:]))
    assert "~ start  eligible → offer" in lines(ir, start)


def test_who_keeps_the_box_before_it_stands_where_it_stood() -> None:
    ir = win_back()
    start, one, two, three, four, *rest = ir.states
    told = [line for line in lines(ir, replace(ir, states=(start, three, four, one, two, *rest))) if "place of" in line]
    assert len(told) == 1


def test_what_stands_elsewhere_because_arrows_changed_is_not_told_beside_them() -> None:
    ir = win_back()
    states = list(ir.states)
    states[3], states[5] = states[5], replace(states[3], template="win_back/other")
    told = lines(ir, replace(ir, states=tuple(states)))
    assert not any("place of" in line for line in told)
    assert any("win_back/other" in line for line in told)


def test_the_whole_difference_is_as_it_was() -> None:
    drawn = {
        "win_back.txt": diff_text(diff(win_back(), later()), ("win_back.py@v1", "win_back.py")),
        "win_back.svg": diff_svg(diff(win_back(), later()), ("win_back.py@v1", "win_back.py")),
    }
    for name, now in drawn.items():
        if os.environ.get("GOLDEN") == "write":
            GOLDEN.mkdir(exist_ok=True)
            (GOLDEN / name).write_text(now)
        assert now == (GOLDEN / name).read_text()


# --- as a picture ----------------------------------------------------------------------------------------------------


def styles(document: str) -> dict[str, set[str]]:
    root = ET.fromstring(document)  # noqa: S314  # our own document
    return {e.get("id", ""): set(e.get("class", "").split()) for e in root.iter() if e.get("id")}


def test_what_differs_is_marked_by_colour_and_by_sign() -> None:
    document = diff_svg(diff(win_back(), later()))
    marked = styles(document)

    assert "added" in marked["state-nudge"]
    assert "removed" in marked["state-feed"]
    assert {"changed"} <= marked["state-discount"] & marked["state-text"]
    assert not {"added", "removed", "changed"} & marked["state-story"]
    assert "added" in marked["arrow-nudge-call"]
    assert "removed" in marked["arrow-feed-text"]
    assert "changed" in marked["arrow-letter-lapsed"], "one of its arrows is gone, another came"
    for box, sign in (("nudge", "+"), ("feed", "−"), ("discount", "~")):
        assert re.search(rf'<g id="mark-{box}".*?>{re.escape(sign)}</text></g>', document)
    said = "".join(ET.fromstring(document).itertext())  # noqa: S314  # our own document
    for words in ("−no answer in 14 d", "+no answer in 21 d", "−win_back/discount", "+win_back/discount_2", "was sms"):
        assert words in said.replace("\n", "").replace(" \n", "")


def test_nothing_is_marked_where_nothing_differs() -> None:
    marked = styles(diff_svg(diff(win_back(), win_back())))

    assert not any({"added", "removed", "changed"} & style for style in marked.values())


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_picture_has_both_themes(theme: str) -> None:
    document = diff_svg(diff(win_back(), later()), theme=theme)

    assert "var(--" not in document
    assert "prefers-color-scheme" not in document
    assert ("#12331f" in document) == (theme == "dark")


@pytest.mark.parametrize("block", range(4))
def test_nothing_touches_in_the_pictures_of_random_differences(block: int) -> None:
    for seed in range(block * 10, block * 10 + 10):
        before = random_journey(seed)
        drawn = diff_svg(diff(before, edited(before, seed, 4)))
        assert list(flaws(read(drawn))) == [], f"random_journey({seed})"


def test_a_new_start_has_an_arrow_of_its_own_and_the_old_one_is_gone() -> None:
    ir = win_back()
    marked = styles(diff_svg(diff(ir, replace(ir, states=(ir.states[1], ir.states[0], *ir.states[2:])))))

    assert "added" in marked["arrow-start"]
    assert "removed" in marked["arrow-start-eligible"]
