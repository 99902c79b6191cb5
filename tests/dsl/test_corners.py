"""Corners of the language that no other test turns: each is something that an author may write, or that data may bring."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from kit.charts import win_back

from dsl import (
    Api,
    Arrows,
    Call,
    Email,
    Final,
    Goal,
    Journey,
    Orders,
    Wait,
    after,
    compile_journey,
    days,
    everyone,
    forever,
    marketing,
)
from dsl.diff import diff
from dsl.draw import svg, text
from dsl.draw.diff_picture import diff_svg
from dsl.draw.flaws import flaws
from dsl.draw.geometry import Rect
from dsl.draw.layout import layout
from dsl.draw.plan import graph_of
from dsl.export.scxml import scxml
from dsl.expression import Expression, Facts, Field, Times
from dsl.ir import IR, After, Arrow, Clock, Entry, Every, Note, Reentry, Stage, State, Then
from dsl.ir_json import from_json, to_json
from dsl.loading import load
from dsl.localtime import fitting
from dsl.place import Place
from dsl.planning import no_holiday
from dsl.predicate import Compare, Constant, Predicate
from dsl.problems import JourneyError, Problems
from dsl.source import left_of, tree_of, word_above
from dsl.values import Kind

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def problems_of(source: str, tmp_path: Path) -> tuple[JourneyError, ...]:
    file = tmp_path / "care.py"
    file.write_text(source)
    try:
        load(file)
    except Problems as problems:
        return problems.errors
    return ()


HEAD = "from dsl import *\n\n\nclass {name}(Journey{more}):\n    enters = Api()\n    purpose = marketing\n    done = Final()\n\n"
BOX = "    @Wait()\n    def pause(self) -> Arrows:\n        yield after(days=1) >> self.done\n\n"
CARE = HEAD.format(name="Care", more="") + BOX


# --- what an author may write -----------------------------------------------------------------------------------------


def test_A1_a_setting_of_a_class_that_is_no_journey_is_told_at_the_journey(tmp_path: Path) -> None:
    source = CARE.replace("class Care(Journey)", "class Mixin:\n    holdout = 10\n\n\nclass Care(Mixin, Journey)")
    (error,) = problems_of(source, tmp_path)
    assert (error.code, error.source) == ("J112", "class Care(Mixin, Journey):")


def test_A1_an_heir_can_t_make_something_else_of_a_box(tmp_path: Path) -> None:
    source = HEAD.format(name="Base", more=", abstract=True") + BOX + "\nclass Care(Base):\n    pause = 3\n"
    assert ("J108", 15) in {(error.code, error.line) for error in problems_of(source, tmp_path)}


def test_A1_ends_that_are_named_in_one_line_are_told_there(tmp_path: Path) -> None:
    (error,) = problems_of(CARE.replace("done = Final()", "done, lost = Final(), Final()"), tmp_path)
    assert (error.code, error.line) == ("J120", 7)


def test_A1_a_stage_and_anywhere_without_a_body_say_nothing(tmp_path: Path) -> None:
    source = CARE.replace("    @Wait()", "    around = Stage()\n    exits = Anywhere()\n\n    @Wait()")
    assert [error.code for error in problems_of(source, tmp_path)] == ["J135"]


def test_A1_a_mistyped_name_of_the_language_is_told_with_the_right_one(tmp_path: Path) -> None:
    (error,) = problems_of(
        CARE.replace("from dsl import *", "from dsl import Final").replace("(Journey)", "(Journy)"), tmp_path
    )
    assert (error.code, error.help) == ("J142", "did you mean `Journey`?")


def test_A1_only_channels_can_be_stacked(tmp_path: Path) -> None:
    source = CARE.replace("    @Wait()", "    @Wait()\n    @Email('care/mail')")
    assert "only channels can be stacked" in " ".join(error.message for error in problems_of(source, tmp_path))


def test_A1_helpers_of_every_form_are_read_for_clocks(tmp_path: Path) -> None:
    helpers = (
        "import random\n\nnear = [\n    lambda: 1,\n    lambda: 2,\n]\n\n\ndef kept(*, days_, more=3):\n    return days_ + more\n\n\n"
        "def wait():\n    return later() + kept(days_=1)\n\n\n"
        "def later():\n    return 2\n\n\ndef later():\n    return random.choice([1, 2]) + random.choice([1, 2])\n\n\n"
        "exec(compile('def made():\\n    return 1\\n', __file__, 'exec'))\n\n\n"
    )
    body = "        yield after(days=wait() + near[1]() + made()) >> self.done\n"
    source = CARE.replace("from dsl import *\n", f"from dsl import *\n{helpers}").replace(
        "        yield after(days=1) >> self.done\n", body
    )
    assert {error.code for error in problems_of(source, tmp_path)} == {"J109"}


def test_A1_a_function_s_name_that_is_not_filled_yet_is_no_harm(tmp_path: Path) -> None:
    source = (
        "from dsl import *\n\n\ndef made():\n    def wait():\n        return span\n\n"
        "    class Care(Journey):\n        enters = Api()\n        done = Final()\n\n        @Wait()\n"
        "        def pause(self) -> Arrows:\n            yield after(days=len([wait])) >> self.done\n\n"
        "    compile_journey(Care)\n    span = 3\n    return Care\n\n\nCare = made()\n"
    )
    assert problems_of(source, tmp_path) == ()


def test_a_journey_file_may_load_another(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "quiet.py").write_text(CARE.replace("Care", "Quiet"))
    source = f"from dsl.loading import load\n{CARE}\n\nQUIET = load({str(tmp_path / 'other')!r})\n"
    assert problems_of(source, tmp_path) == ()


def test_an_arrow_may_be_made_outside_of_a_body() -> None:
    class Care(Journey):
        enters = Api()
        done = Final()

        @Wait()
        def pause(self) -> Arrows:
            yield after(days=1) >> self.done

    arrow = after(days=3) >> Care.done
    assert arrow.target is Care.done


def test_places_are_themselves_where_nothing_is_found(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("def (:\n")
    sums = tmp_path / "sums.py"
    sums.write_text("1 + 2\n")
    assert tree_of(str(broken)) is None
    for file in (broken, sums):
        place = Place(str(file), 1, 0, 5)
        assert left_of(place) is place
        assert word_above(place, "email") is place
    code = compile("1\n", "care.py", "exec").replace(co_linetable=b"")
    assert Place.at(code, 0, 7) == Place("care.py", 7)


# --- conditions -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Odd(Predicate):
    """A condition of somebody else's."""

    def operands(self):  # noqa: ANN201
        return iter(())

    def holds(self, resolve: object) -> bool:
        del resolve
        return True


@dataclass(frozen=True, slots=True)
class OddValue(Expression):
    """A value of somebody else's."""

    @property
    def kind(self) -> Kind:
        return "number"

    def operands(self) -> Iterator[Expression]:
        return iter(())

    def resolved(self, resolve: object) -> float:
        del resolve
        return 3


def test_what_the_printer_does_not_know_is_shown_as_it_is() -> None:
    assert Odd().sentence() == "Odd()"
    assert OddValue().sentence() == "OddValue()"
    assert Compare(OddValue(), "eq", Constant("number", 3)).evaluate(Facts(), NOW)


def test_sentences_of_several_conditions_on_the_same_orders() -> None:
    wine = Orders.where(Orders.category == "wine").last(days=90)
    said = ((wine.count() >= 2) & wine.count().is_in([2, 4]) & (wine.sum(Orders.total) > 200)).sentence()
    assert "2 or 4" in said
    assert "> 200" in said
    assert (
        Orders.max(Orders.total) > Orders.avg(Orders.total)
    ).sentence() == "largest amount of a line > mean amount of a line"


def test_what_an_expression_asks_about() -> None:
    assert Times(Field("attribute", "points", "number"), 2).sources() == {"attribute"}
    assert State("mail", "email").channels == ("email",)
    assert State("pause", "wait").channels == ()


def test_a_day_that_a_zone_left_out_has_no_hours() -> None:
    """Samoa went from the 29th to the 31st of December 2011."""
    apia = ZoneInfo("Pacific/Apia")
    evening = datetime(2011, 12, 29, 20, tzinfo=apia)
    found = fitting(Clock(opens="09:00", closes="10:00"), evening, apia, no_holiday)
    assert found.astimezone(apia) == datetime(2011, 12, 31, 9, tzinfo=apia)


# --- the IR and its pictures ------------------------------------------------------------------------------------------


class Rhythm(Journey):
    enters = Api()
    purpose = marketing
    won = Goal()
    over = Final()

    @Email("care/mail")
    def mail(self) -> Arrows:
        yield Email.clicked.when(everyone) >> self.ring
        yield after(Orders.rhythm(), missing=days(3)) >> self.over

    @Call("care/ring")
    def ring(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.not_reached.when(self.ring.visits < 3) >> self.ring
        yield Call.refused.when(~self.ring.visits.is_missing()) >> self.over
        yield Call.refused.ignored
        yield Call.not_reached.ignored
        yield forever


def test_a_measured_wait_and_no_condition_at_all_are_kept_and_exported() -> None:
    ir = compile_journey(Rhythm)
    assert from_json(to_json(ir)) == ir
    assert "1 == 1" in scxml(replace(ir, doc=""))


def test_a_box_that_is_counted_may_be_renamed() -> None:
    before = compile_journey(Rhythm)
    named = json.dumps(to_json(before)).replace("visits.ring", "visits.phone").replace('"ring"', '"phone"')
    renamed = from_json(json.loads(named))
    after_it = replace(renamed, notes={**renamed.notes, "phone": Note(was="ring")})
    found = diff(before, after_it)
    assert [(change.name, change.was, change.arrows) for change in found.changes] == [("phone", "ring", ())]


def test_settings_that_are_said_in_the_same_words_are_told_by_their_fields() -> None:
    ir = win_back()
    once = replace(ir, entry=Entry("audience", ir.entry.audience, Every("once")))
    local = replace(ir, entry=Entry("audience", ir.entry.audience, Every("once", local=True)))
    assert [(d.name, d.before, d.after) for d in diff(once, local).settings] == [("entry every local", None, "yes")]
    blank = replace(ir, states=tuple(replace(s, template="") if s.name == "call" else s for s in ir.states))
    none = replace(ir, states=tuple(replace(s, template=None) if s.name == "call" else s for s in ir.states))
    (change,) = diff(blank, none).changes
    assert [(detail.before, detail.after) for detail in change.details] == [("''", "None")]


def test_a_difference_in_every_term_is_drawn() -> None:
    plain = replace(win_back(), holdout=0.0)
    other = replace(plain, purpose="transactional", again=Reentry("always"))
    document = diff_svg(diff(plain, other), ("a", "b"))
    assert "transactional" in document


def test_odd_states_and_stages_can_be_drawn() -> None:
    start = State("start", "wait", (Arrow(Then(), "start"), Arrow(After(60), "end")), stage="quiet")
    ir = IR(
        "odd",
        "marketing",
        Entry("api"),
        (start, State("island", "wait"), State("end", "final")),
        stages=(Stage("quiet"),),
    )
    assert 'id="stage-quiet"' in svg(ir)
    assert "from anywhere within" not in svg(ir)
    assert any(line.split() == ["◷", "island"] for line in text(ir).splitlines())


def test_a_spoiled_drawing_is_found_to_be_so() -> None:
    ir = win_back()
    ir = replace(
        ir,
        states=tuple(replace(s, stage="near") if s.name == "call" else s for s in ir.states),
        stages=(Stage("near"),),
    )
    graph = graph_of(ir)
    placed = layout(graph)
    assert list(flaws(graph, placed)) == []
    away = {**placed.routes, "arrow-sms-call": replace(placed.routes["arrow-sms-call"], label=Rect(-900, -900, 9, 9))}
    assert "the label of arrow-sms-call is away from its line" in set(flaws(graph, replace(placed, routes=away)))
    line = placed.routes["arrow-sms-call"].line
    middle = placed.boxes["call"].centre
    for spoiled, said in (
        ((*line[:-1], middle, line[-1]), "arrow-sms-call runs within its own box call"),
        ((line[0], middle), "arrow-sms-call runs within its own box call"),
        ((line[0], (line[0][0], line[0][1] + 5)), "arrow-sms-call has no room for its head"),
    ):
        within = {**placed.routes, "arrow-sms-call": replace(placed.routes["arrow-sms-call"], line=spoiled)}
        assert said in set(flaws(graph, replace(placed, routes=within)))
    astray = {**placed.boxes, "call": Rect(-900, -900, 9, 9)}
    assert "call is on the wrong side of stage-near" in set(flaws(graph, replace(placed, boxes=astray)))
