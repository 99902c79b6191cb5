"""Everything that a journey can say, in words of its pictures: nothing is left unsaid, and nothing touches."""

from __future__ import annotations

import re
from dataclasses import replace

from kit.pictures import flaws, read

from dsl import (
    Anywhere,
    Arrows,
    Audience,
    Call,
    Customer,
    Email,
    Feed,
    Final,
    Goal,
    Journey,
    Knob,
    Letter,
    Orders,
    Purchase,
    Shop,
    Sms,
    Split,
    Stage,
    Wait,
    after,
    at,
    between,
    compile_journey,
    cron,
    days,
    everyone,
    hours,
    ignore,
    learned,
    marketing,
    now,
    once,
    percent,
    queue,
    restart,
    skip,
    transactional,
    until,
    weekly,
    workdays,
)
from dsl.diff import diff
from dsl.draw import mermaid, svg, text
from dsl.draw.boxes import rows_of
from dsl.draw.diff_picture import diff_svg
from dsl.draw.text import glyphed
from dsl.ir import IR, Action, Clock, Entry, Every


class Everything(Journey):
    """All of it."""

    enters = Audience(everyone, every=cron("0 9 * * 1", local=True))
    again = after(days=90)
    while_active = queue
    purpose = marketing
    goal = Shop.purchased.within(days=30)
    holdout = percent(5)
    quiet_hours = between("21:00", "08:00")
    zone = "Europe/Paris"
    late_answers = ignore

    patience = Knob(days(3), min=days(1), max=days(9), label="How long to wait")
    tries = Knob(2, min=1, max=4)

    won = Goal()
    over = Final()

    @Stage()
    def near(self) -> Arrows:
        yield Shop.purchased.where(Purchase.total > 50) >> self.won
        yield after(self.patience) >> self.over

    @Split()
    def lot(self) -> Arrows:
        yield learned >> self.offer
        yield learned >> self.ring

    @Email("all/offer", stage=near, hours=between("08:00", "20:00"), offers=1)
    @Feed("all/item")
    def offer(self) -> Arrows:
        yield Email.clicked.link("shop").any_send() >> self.won
        yield Feed.opened.by_human().first() >> self.ring
        yield Email.clicked.late() >> self.ring
        yield Shop.signed_up.looking_back(days=2).moves("newest") >> self.won
        yield after(days=2, at="09:00", on=workdays, holidays=False) >> self.ring

    @Call("all/ring", queue="first", stage=near, purpose=transactional, skills=["Deutsch", "wine"], priority=2)
    def ring(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.not_reached.up_to(self.tries, every=hours(20)) >> self.ring
        yield Call.refused.ignored
        yield Call.not_reached.ignored
        yield after(Orders.rhythm(), missing=days(3), at_most=days(9)) >> self.text

    @Sms("all/text", offers=3)
    def text(self) -> Arrows:
        yield Sms.clicked.when((self.ring.visits >= 2) & (Customer.country == "FR")) >> self.won
        yield until(Customer.created_at - days(14), at="09:00", past=now, missing=self.pause) >> self.paper
        yield after(days=300) >> self.paper

    @Letter("all/paper")
    def paper(self) -> Arrows:
        yield Letter.answered >> self.won
        yield until(Customer.created_at.yearly(), missing=skip) >> self.pause
        yield after(days=400, during=between("09:00", "18:00")) >> self.pause

    @Wait()
    def pause(self) -> Arrows:
        yield at("18:30", on=["friday", "tuesday"]) >> self.over

    @Anywhere()
    def exits(self) -> Arrows:
        yield Shop.purchased.up_to(3) >> self.ring


def everything() -> IR:
    return compile_journey(Everything)


def said(document: str) -> str:
    """All that can be read in a picture."""
    return " ".join(" ".join(re.findall(r">([^<>]+)<", document)).split())


def test_everything_is_said_and_nothing_touches() -> None:
    document = svg(everything(), counts={state.name: 1234 for state in everything().states})
    assert list(flaws(read(document))) == []
    words = said(document)
    for each in (
        "everyone", "cron 0 9 * * 1, local time", "purchased within 30 d", "again: after 90 d, while active: queue",
        "hold-out 5 %", "quiet 21:00–08:00", "time zone Europe/Paris", "late answers ignored",
        "How long to wait: 3 d (1 d to 9 d)", "tries: 2 (1 to 4)", "best offer", "3 best offers", "08:00–20:00",
        "learned share", "(heard first)", "late", "(up to 2 d before)", "moves the newest", "next 09:00 Mon–Fri, no", "holidays",
        "days between orders, at most", "if visits of ring ≥ 2", "14 d before created, 09:00, at", "once if past", "no created",
        "on the next created", "then within 09:00–18:00", "at 18:30 Tue, Fri", "purchased, total &gt; 50 → won",
        "queue first, priority 2", "skills Deutsch, wine", "transactional",
    ):  # fmt: skip
        assert each in words, each


def test_a_box_s_tip_says_what_is_sent_and_when() -> None:
    document = svg(everything())
    for each in (
        "queue: first",
        "skills: Deutsch, wine",
        "priority: 2",
        "purpose: transactional",
        "sends within: 08:00–20:00",
        "best offers: 1",
        "stage: near",
        "and feed: all/item",
    ):
        assert each in document, each


def test_the_text_says_all_that_stands_in_the_picture_s_boxes() -> None:
    drawn = text(everything())
    rows = [re.split(r"  +", line.strip()) for line in drawn.splitlines()]
    cells = {cell for row in rows for cell in row}
    for state in everything().states:
        for row in rows_of(state):
            assert glyphed(row) in cells
    assert {"◷ 08:00–20:00", "✉ all/offer", "≋ all/item", "best offer", "3 best offers", "§ transactional"} <= cells
    assert {"queue first, priority 2", "skills Deutsch, wine", "⚙ after 3 d"} <= cells
    assert "⚙ not reached (up to 2×, every 20 h)" in cells
    assert {"§ purpose of its own", "⚙ tunable", "▭ from anywhere within"} <= cells
    assert "§" not in text(compile_journey(Again))
    assert "⚙" not in text(compile_journey(Again))


def test_a_box_with_more_to_say_than_arrows_has_rows_for_all_of_it() -> None:
    ir = everything()
    ring = replace(ir.by_name["ring"], arrows=ir.by_name["ring"].arrows[:1])
    whole = text(replace(ir, states=tuple(ring if state.name == "ring" else state for state in ir.states), knobs=()))
    assert re.search(r"\n +skills Deutsch, wine\n +§ transactional\n", whole)


def test_mermaid_marks_a_box_s_own_purpose_and_what_may_be_tuned() -> None:
    drawn = mermaid(everything())
    assert "<small>§ transactional</small>" in drawn
    assert "<small>queue first, priority 2</small>" in drawn
    assert "⚙ not reached" in drawn
    assert "⚙ after 3 d" in drawn


def test_a_second_call_has_a_queue_of_its_own() -> None:
    ir = everything()
    more = replace(ir.by_name["text"], also=(Action("call", "all/too", "third", ("wine",), 1),))
    drawn = text(replace(ir, states=tuple(more if state.name == "text" else state for state in ir.states)))
    assert re.search(r"☎ all/too .*\n +queue third, priority 1 .*\n +skills wine", drawn)


def test_the_entrances_and_the_terms_have_words_of_their_own() -> None:
    ir = everything()
    audience = Entry("audience", ir.entry.audience)
    entries = {
        "everyone": audience,
        "· once": replace(audience, every=Every("once")),
        "every Tuesday at 08:30": replace(audience, every=Every("weekly", "08:30", 1)),
        "daily at 07:00, local time": replace(audience, every=Every("daily", "07:00", local=True)),
    }
    for words, entry in entries.items():
        assert words in text(replace(ir, entry=entry)), words
    assert "while active: restart" in text(compile_journey(Again))
    assert "in parallel by order id" in text(compile_journey(Parallel))
    assert weekly("tuesday", at="08:30").weekday == 1


class Again(Journey):
    enters = Audience(everyone, every=once)
    while_active = restart
    over = Final()

    @Wait()
    def pause(self) -> Arrows:
        yield after(days=1) >> self.over


class Parallel(Journey):
    enters = Shop.purchased
    parallel = Purchase.order_id
    over = Final()

    @Wait()
    def pause(self) -> Arrows:
        yield Shop.purchased.by(Purchase.order_id) >> self.over
        yield Shop.signed_up.moves("error") >> self.over
        yield after(days=1) >> self.over


def test_text_and_mermaid_say_it_too() -> None:
    for drawn in (text(everything()), mermaid(everything())):
        assert "learned share" in drawn
        assert "no answer until" not in drawn
        assert "at 18:30 Tue, Fri" in drawn
    assert "by order id" in text(compile_journey(Parallel))
    assert "moves none of several" in text(compile_journey(Parallel))


def test_what_can_differ_is_drawn_as_a_difference() -> None:
    before, ir = everything(), everything()
    offer = replace(ir.by_name["offer"], hours=Clock(opens="09:00", closes="19:00"), offers=2, also=())
    ring = replace(ir.by_name["ring"], queue="second", stage=None)
    states = tuple({"offer": offer, "ring": ring}.get(state.name, state) for state in ir.states)
    changed = replace(ir, states=states, stages=(replace(ir.stages[0], name="close"),), zone=None, late="record")
    changed = replace(
        changed, states=tuple(replace(s, stage="close") if s.stage == "near" else s for s in changed.states)
    )
    document = diff_svg(diff(before, changed), ("before", "after"))
    assert list(flaws(read(document))) == []
    words = said(document)
    assert "− queue first, priority 2 + queue second, priority 2 skills Deutsch, wine" in words
    assert "best offer" in words
    assert "2 best offers" in words
    back = diff_svg(diff(changed, before), ("after", "before"))
    assert "− queue second, priority 2 + queue first, priority 2" in said(back)
