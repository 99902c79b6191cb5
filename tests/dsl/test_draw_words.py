"""The words of the pictures, how they are measured, and the pictures made of words alone: Mermaid and text."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from PIL import ImageFont

from dsl import Customer, Orders, days
from dsl.draw import mermaid, text
from dsl.draw.typeface import clean, fit, width, wrap
from dsl.draw.widths import CHARACTERS, REGULAR, SEMIBOLD
from dsl.draw.words import again_words, arrow_words, duration, entry_words, goal_words
from dsl.ir import (
    IR,
    After,
    Answer,
    Arrow,
    Entry,
    Every,
    Limit,
    Otherwise,
    Reentry,
    Share,
    State,
    Then,
    When,
)
from dsl.ir_json import from_json

PICTURES = Path(__file__).parents[1] / "golden" / "pictures"
DAY = 86_400
NAUGHTY = '</title><script>alert(1)</script> & "quoted" `code` #35; |pipe| end \x00 \u202e🍷 [x]{y}(z)'


def win_back() -> IR:
    return from_json(json.loads((PICTURES / "win_back.json").read_text()))


def call(*arrows: Arrow) -> State:
    return State("call", "call", arrows, "win_back/warm")


CLICKED = Arrow(Answer("email.clicked", "send"), "won")
NOT_REACHED = Answer("call.not_reached", "send")


@pytest.mark.parametrize(
    ("arrow", "state", "words"),
    [
        (CLICKED, State("hello", "email", (CLICKED,)), "clicked"),
        (Arrow(Answer("email.clicked", "any_send"), "won"), call(), "email clicked (any send)"),
        (Arrow(Answer("shop.purchased", "customer"), "won"), None, "purchased"),
        (Arrow(Answer("consent.withdrawn", "customer"), "won"), None, "consent withdrawn"),
        (Arrow(NOT_REACHED, "call", limit=Limit(3, 72_000)), call(), "not reached (up to 3×, every 20 h)"),
        (Arrow(NOT_REACHED, "call", limit=Limit(1)), call(), "not reached (once)"),
        (Arrow(NOT_REACHED, "call", limit=Limit(2)), call(), "not reached (up to 2×)"),
        (Arrow(After(3 * DAY), "won"), State("hello", "email", (CLICKED,)), "no answer in 3 d"),
        (Arrow(After(3 * DAY), "won"), State("hello", "email", ()), "after 3 d"),
        (
            Arrow(After(3 * DAY), "won"),
            State("hello", "email", (Arrow(Answer("email.not_sent", "send"), "won"),)),
            "after 3 d",
        ),
        (
            Arrow(After(3 * DAY), "won"),
            State("hello", "email", (Arrow(Answer("email.sent", "send"), "won"),)),
            "after 3 d",
        ),
        (Arrow(Answer("letter.sent", "send"), "won"), State("hello", "letter", ()), "sent"),
        (Arrow(After(5_400), "won"), State("rest", "wait", ()), "after 1 h 30 min"),
        (Arrow(When(), "won", Customer.country == "FR"), State("known", "choice", ()), "country is FR"),
        (Arrow(Otherwise(), "won"), State("known", "choice", ()), "otherwise"),
        (Arrow(Share(50), "won"), State("offer", "split", ()), "50 %"),
        (Arrow(Share(12.5), "won"), State("offer", "split", ()), "12.5 %"),
        (Arrow(Then(), "won"), State("item", "feed", ()), ""),
        (Arrow(Then(), "won", limit=Limit(2)), State("item", "feed", ()), "(up to 2×)"),
        (
            Arrow(Answer("email.clicked", "send"), "won", Customer.country == "FR"),
            State("hello", "email", ()),
            "clicked, if country is FR",
        ),
    ],
)
def test_an_arrow_says_what_it_waits_for(arrow: Arrow, state: State | None, words: str) -> None:
    assert arrow_words(arrow, state) == words


def test_a_measured_wait_says_what_is_measured_and_its_bounds() -> None:
    rhythm = Orders.where(Orders.category == "coffee").rhythm().expression
    rest = State("rest", "wait", ())

    def said(after: After) -> str:
        return arrow_words(Arrow(after, "won"), rest).removeprefix(f"after {rhythm.sentence()}")

    assert said(After(expression=rhythm, missing=DAY)) == ""
    assert said(After(expression=rhythm, at_least=DAY, at_most=9 * DAY, missing=DAY)) == ", 1 d to 9 d"
    assert said(After(expression=rhythm, at_least=DAY, missing=DAY)) == ", at least 1 d"
    assert said(After(expression=rhythm, at_most=DAY, missing=DAY)) == ", at most 1 d"


def test_the_captions_say_who_enters_and_when_and_what_for() -> None:
    french = Customer.country == "FR"
    assert entry_words(Entry("audience", french, Every("daily", "09:00"))) == "country is FR · daily at 09:00"
    assert (
        entry_words(Entry("audience", french, Every("weekly", "07:30", 4))) == "country is FR · every Friday at 07:30"
    )
    assert entry_words(Entry("audience", french, Every("once"))) == "country is FR · once"
    assert entry_words(Entry("event", event=Answer("shop.signed_up", "customer"))) == "signed up"
    assert entry_words(Entry("api")) == "by API call"
    assert goal_words(win_back()) == "purchased within 30 d"
    assert goal_words(replace(win_back(), goal=None)) == ""
    assert again_words(Reentry("after", 180 * DAY)) == "after 180 d"
    assert again_words(Reentry("always", parallel="order_id")) == "always, in parallel by order id"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59, "59 s"), (90, "1 min 30 s"), (72_000, "20 h"), (129_600, "1 d 12 h"), (days(14).seconds, "14 d")],
)
def test_a_duration_is_said_in_its_two_largest_units(seconds: int, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(("face", "table"), [("Regular", REGULAR), ("Semibold", SEMIBOLD)])
def test_the_widths_are_those_of_the_typeface(face: str, table: dict[str, int]) -> None:
    font = ImageFont.truetype(
        str(files("font_source_sans_pro") / "files" / f"SourceSansPro-{face}.ttf"),
        1000,
        layout_engine=ImageFont.Layout.BASIC,
    )
    read = {c: round(font.getlength(c)) for c in CHARACTERS}
    assert table == read, " ".join(map(str, read.values()))


def test_text_is_measured_shortened_and_wrapped() -> None:
    assert width("clicked", 1000) == sum(REGULAR[c] for c in "clicked")
    assert width("clicked", 10, bold=True) > width("clicked", 10)
    assert width("酒", 10) == 10
    assert width("e\u0301", 10) == width("e", 10)
    assert fit("short", 12, 100) == "short"
    shortened = fit("win_back/a_template_with_a_long_name", 12, 100)
    assert shortened.endswith("…")
    assert width(shortened, 12) <= 100
    text = "MMMiiiWWW酒lll"
    for room in range(200):
        as_long = [text[:end] for end in range(len(text)) if width(text[:end] + "…", 12) <= room]
        assert fit(text, 12, room) == (text if width(text, 12) <= room else (as_long or [""])[-1] + "…")
    assert fit("or " * 100_000, 12, 100).startswith("or or or"), "and that takes no time"
    lines = wrap("purchased with a total above 250 within the last 90 d or so", 12, 110, lines=3)
    assert len(lines) == 3
    assert all(width(line, 12) <= 110 for line in lines)
    assert not any(line.startswith(("d ", "d")) for line in lines[1:]), "a number stays with its unit"
    assert wrap("one two", 12, 500, lines=1) == ("one two",)
    assert wrap("", 12, 100, lines=2) == ()


@pytest.mark.parametrize(
    ("said", "room", "lines"),
    [
        ("not reached (up to 3×, every 20 h)", 140, ("not reached", "(up to 3×, every 20 h)")),
        ("email clicked, link is shop (any send)", 176, ("email clicked, link is shop", "(any send)")),
        (
            "clicked, if visits of ring ≥ 2 and country is FR",
            176,
            ("clicked, if visits of ring ≥ 2", "and country is FR"),
        ),
        ("14 d before created, 09:00, at once if past", 176, ("14 d before created, 09:00,", "at once if past")),
        ("after days between coffee orders, 5 d to 45 d", 200, ("after days between coffee orders,", "5 d to 45 d")),
        ("no answer in 12 h 30 min", 100, ("no answer", "in 12 h 30 min")),
        ("a (bracket that never ends", 80, ("a (bracket that", "never ends")),
        ("one two three", 500, ("one two three",)),
        ("aa bb", 2, ("…", "…")),
    ],
)
def test_no_line_of_words_is_left_with_a_scrap(said: str, room: float, lines: tuple[str, ...]) -> None:
    assert wrap(said, 12.5, room, lines=3, balanced=True) == lines


def test_what_xml_forbids_is_left_out() -> None:
    assert clean("a\x00b\tc\n\ud800\ufffe d\u202e") == "a b c d"


# --- Mermaid ---------------------------------------------------------------------------------------------------------


def test_the_win_back_mermaid_and_text_are_as_they_were() -> None:
    for name, drawn in (("win_back.mmd", mermaid(win_back())), ("win_back.txt", text(win_back()))):
        if os.environ.get("GOLDEN") == "write":
            (PICTURES / name).write_text(drawn)
        assert drawn == (PICTURES / name).read_text()


def test_mermaid_merges_arrows_and_dots_time() -> None:
    drawn = mermaid(win_back())

    assert drawn.startswith("flowchart TD\n")
    assert 's_call -->|"not reached<br/>no answer in 7 d"| s_sms' in drawn
    assert 's_discount -.->|"no answer in 3 d"| s_feed' in drawn
    assert "s_feed --> s_sms" in drawn
    assert drawn.count("s_call --") == 4
    assert "from anywhere: purchased → won" in drawn


def test_mermaid_takes_any_text() -> None:
    ir = win_back()
    states = tuple(replace(state, template=NAUGHTY if state.template else None) for state in ir.states)
    drawn = mermaid(replace(ir, states=states, title=NAUGHTY, doc=NAUGHTY))

    assert "<script" not in drawn
    assert "\u202e" not in drawn
    for line in drawn.splitlines():
        assert line.count('"') in {0, 2}, line
        said = re.sub(r"<br/>|</?small>|</?b>|#(?:\d+|quot|lt|gt|amp);", "", line.partition('"')[2].rpartition('"')[0])
        assert not set(said) & set('<>"`#&'), line


def test_mermaid_keeps_its_own_words_apart_from_names() -> None:
    ir = IR(
        "odd",
        "marketing",
        Entry("api"),
        (
            State("end", "wait", (Arrow(After(60), "graph"),)),
            State("graph", "wait", (Arrow(After(60), "été"),)),
            State("été", "final"),
        ),
    )
    drawn = mermaid(ir)

    assert 's_end -.->|"after 1 min"| s_graph' in drawn
    assert "s__e9_t_e9_" in drawn


# --- text ------------------------------------------------------------------------------------------------------------


def test_text_has_a_row_for_each_arrow_and_aligned_columns() -> None:
    drawn = text(win_back()).splitlines()

    rows = [line for line in drawn if "──▶" in line or "┄┄▶" in line][1:]
    call = next(index for index, row in enumerate(rows) if row.startswith("☎ call"))
    ir = win_back()
    assert len(rows) == sum(len(state.arrows) for state in ir.states) + len(ir.anywhere)
    assert len({max(row.find("──▶"), row.find("┄┄▶")) for row in rows}) == 1
    assert re.fullmatch(r"☎ call +win_back/warm +interested +──▶  ★ won", rows[call])
    assert re.fullmatch(r" +queue retention +refused +──▶  ◉ refused", rows[call + 1])
    assert any(re.fullmatch(r"from anywhere +consent withdrawn +──▶  ◉ unsubscribed", row) for row in rows)
    assert all(line == line.rstrip() for line in drawn)


def test_text_takes_any_text() -> None:
    ir = win_back()
    states = tuple(replace(state, template=f"酒 {NAUGHTY}" if state.template else None) for state in ir.states)
    drawn = text(replace(ir, states=states, doc=NAUGHTY))

    assert "\x00" not in drawn
    assert "\x1b" not in text(replace(ir, doc="\x1b[31mred"))
