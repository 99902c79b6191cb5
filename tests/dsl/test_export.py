"""Journeys as SCXML and as XState machines: what stands where. That others walk them as we do is for tests/outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.random_journeys import irs

from dsl import Customer
from dsl.export import scxml, xstate
from dsl.export.counting import Both, Condition, Term, conditions
from dsl.expression import Constant, Facts, Field, Times
from dsl.ir import ENDS, IR, After, Answer, Arrow, Entry, Note, Stage, State, Then
from dsl.loading import load
from dsl.predicate import And, Compare, IsIn, IsMissing, Not, Or, Predicate

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
JOURNEYS = Path(__file__).parent.parent.parent / "journeys"
PARAMS = {"arrow", "if", "own", "left", "answer", "limit", "visits", "below"}
XMLNS = "{http://www.w3.org/2005/07/scxml}"


@pytest.fixture(scope="module")
def win_back() -> IR:
    return next(loaded.ir for loaded in load(JOURNEYS / "win_back.py"))


def parsed(ir: IR) -> ET.Element:
    return ET.fromstring(scxml(ir))  # noqa: S314  # our own


def state(root: ET.Element, name: str) -> ET.Element:
    found = root.find(f".//*[@id='{name}']")
    assert found is not None, name
    return found


def moves(element: ET.Element) -> list[dict[str, str]]:
    return [each.attrib for each in element.findall(f"{XMLNS}transition")]


# --- SCXML ------------------------------------------------------------------------------------------------------------


def test_everything_stands_under_live_which_has_anywhere_s_arrows(win_back: IR) -> None:
    root = parsed(win_back)
    ends = [each.name for each in win_back.states if each.kind in ENDS]
    boxes = [each.name for each in win_back.states if each.kind not in ENDS]
    assert root.attrib == {"version": "1.0", "datamodel": "ecmascript", "name": "win_back", "initial": "live"}
    assert [each.get("id") for each in root.findall(f"{XMLNS}state")] == ["live"]
    assert [each.get("id") for each in root.findall(f"{XMLNS}final")] == ends
    live = state(root, "live")
    inside = [each.get("id") for each in live.findall(f"{XMLNS}state")]
    assert [name for name in inside if name in boxes] == boxes
    assert set(inside) - set(boxes) == {"live-entrance", "rest-12"}
    assert moves(live)[:2] == [
        {"event": "shop.purchased", "cond": "_event.data.answer_8", "target": "won"},
        {"event": "consent.withdrawn", "target": "unsubscribed"},
    ]


def test_a_send_has_its_outcomes_and_a_wait_its_delay(win_back: IR) -> None:
    discount = state(parsed(win_back), "discount")
    assert moves(discount) == [{"event": "email.clicked", "cond": "_event.data.visit == step", "target": "call"}]
    assert moves(state(discount, "discount-sending")) == [
        {"event": "parcours.sent", "target": "discount-waiting"},
        {"event": "parcours.not_sent", "target": "discount-waiting"},
        {"event": "parcours.put_off", "target": "discount-put-off"},
    ]
    waiting = state(discount, "discount-waiting")
    sent, cancelled = waiting.find(f".//{XMLNS}send"), waiting.find(f".//{XMLNS}cancel")
    assert sent is not None
    assert cancelled is not None
    assert (sent.get("delay"), sent.get("id")) == ("259200s", cancelled.get("sendid"))
    assert moves(waiting) == [{"event": "parcours.after.5", "target": "feed"}]


def test_a_retry_rests_and_is_counted(win_back: IR) -> None:
    root = parsed(win_back)
    tries = [
        each for each in state(root, "call").findall(f"{XMLNS}transition") if each.get("event") == "call.not_reached"
    ]
    assert [(each.get("cond"), each.get("target")) for each in tries] == [
        ("_event.data.visit == step && taken_12 < 3", "rest-12"),
        ("_event.data.visit == step", "sms"),
    ]
    assert tries[0].find(f"{XMLNS}assign[@location='taken_12']") is not None
    rest = state(root, "rest-12")
    assert [each.get("delay") for each in rest.iter(f"{XMLNS}send")] == ["72000s"]
    assert moves(rest) == [{"event": "parcours.rest.12", "target": "call"}]


def test_choices_and_splits_ask_what_they_are_told(win_back: IR) -> None:
    root = parsed(win_back)
    assert moves(state(root, "eligible")) == [{"cond": "guard_0", "target": "offer"}, {"target": "not_eligible"}]
    assert moves(state(root, "offer")) == [{"cond": "draw_offer < 0.5", "target": "discount"}, {"target": "story"}]
    told = [each["event"] for each in moves(state(root, "live"))]
    assert {"parcours.guard.0", "parcours.draw.offer"} <= set(told)
    assert "<!-- country FR or GB -->\n    <data" in scxml(win_back)


def test_a_stage_is_a_state_which_its_own_arrows_do_not_leave() -> None:
    around = (Arrow(Answer("shop.signed_up", "customer"), "first"), Arrow(After(30 * 86_400), "done"))
    ir = IR(
        "staged",
        "marketing",
        Entry("api"),
        (
            State("first", "wait", (Arrow(After(86_400), "second"),), stage="contact"),
            State("second", "wait", (Arrow(After(86_400), "done"),), stage="contact"),
            State("done", "final"),
        ),
        anywhere=(Arrow(Answer("shop.purchased", "customer"), "second"),),
        stages=(Stage("contact", around),),
    )
    contact = state(parsed(ir), "contact")
    assert [each.get("delay") for each in contact.findall(f"{XMLNS}onentry/{XMLNS}send")] == ["2592000s"]
    assert moves(contact) == [
        {"event": "shop.signed_up", "target": "first", "type": "internal"},
        {"event": "parcours.after.4", "target": "done"},
        {"event": "shop.purchased", "target": "second", "type": "internal"},
    ]
    machine: Any = json.loads(xstate(ir))["states"]["live"]["states"]["contact"]
    assert "reenter" not in machine["on"]["shop.signed_up"][0]
    assert machine["after"]["2592000000"] == [{"description": "after 30 d", "target": "#done", "reenter": True}]


def test_any_text_and_any_name_make_a_sound_document() -> None:
    odd = "a -- b ---> \x00 <b> ]]> & \ud800"
    ir = IR(
        "odd",
        "marketing",
        Entry("api"),
        (
            State("live", "wait", (Arrow(Then(), "model", Customer.city == "--\n<!-- x"),)),
            State("model", "wait", (Arrow(After(60), "rest"),)),
            State("rest", "final"),
        ),
        doc=odd,
        notes={"live": Note(odd)},
    )
    root = parsed(ir)
    assert root.get("initial") == "live-"
    assert [each.get("id") for each in root.findall(f"{XMLNS}state")] == ["live-"]
    assert json.loads(xstate(ir))["initial"] == "live-"
    assert ET.fromstring(scxml(ir).encode()).get("name") == "odd"  # noqa: S314  # our own


# --- random journeys --------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(irs())
def test_every_target_is_there_and_no_name_twice(ir: IR) -> None:
    root = parsed(ir)
    names = [each.get("id", "") for each in root.iter() if each.tag in (f"{XMLNS}state", f"{XMLNS}final")]
    assert len(set(names)) == len(names)
    assert {each.get("target") for each in root.iter(f"{XMLNS}transition")} - {None} <= set(names)
    data = {each.get("id") for each in root.iter(f"{XMLNS}data")}
    assert {each.get("location") for each in root.iter(f"{XMLNS}assign")} <= data
    machine: Any = json.loads(xstate(ir))
    nodes = list(_nodes(machine))
    ids = [node["id"] for node in nodes]
    assert len(set(ids)) == len(ids)
    assert set(names) == set(ids) - {machine["id"]}
    assert {move["target"] for node in nodes for move in _moves(node) if "target" in move} <= {
        f"#{name}" for name in ids
    }


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("states", {}).values():
        yield from _nodes(inner)


def _moves(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from node.get("always", [])
    for field in ("on", "after"):
        for some in node.get(field, {}).values():
            yield from some


@settings(max_examples=50, deadline=None)
@given(irs())
def test_what_the_host_must_provide_is_what_is_documented(ir: IR) -> None:
    nodes = list(_nodes(json.loads(xstate(ir))))
    found = [move for node in nodes for move in _moves(node)]
    asked = [move["guard"] for move in found if "guard" in move]
    done = [each for move in found for each in move.get("actions", ())]
    done += [each for node in nodes for field in ("entry", "exit") for each in node.get(field, ())]
    assert {guard["type"] for guard in asked} <= {"open"}
    assert {name for guard in asked for name in guard["params"]} <= PARAMS
    assert {action["type"] for action in done} <= {"step", "take", "leave", "answer", "plan", "unplan"}


# --- counts -----------------------------------------------------------------------------------------------------------

COUNTS = st.sampled_from([Field("journey", "visits.a", "number"), Field("journey", "visits.b", "number")])
NUMBERS = st.integers(0, 4).map(lambda number: Constant("number", number))
TERMS = st.one_of(COUNTS, COUNTS, NUMBERS, st.builds(Times, COUNTS, st.sampled_from([2, 0.5])))
LEAVES: st.SearchStrategy[Predicate] = st.one_of(
    st.builds(Compare, TERMS, st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"]), TERMS),
    st.builds(IsIn, COUNTS, st.lists(NUMBERS, min_size=1, max_size=3).map(tuple)),
    st.builds(IsMissing, COUNTS),
)
GUARDS = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.lists(parts, max_size=3).map(lambda some: And(tuple(some))),
        st.lists(parts, max_size=3).map(lambda some: Or(tuple(some))),
        parts.map(Not),
    ),
    max_leaves=6,
)


def _holds(condition: Condition, visits: dict[str, int]) -> bool:
    if isinstance(condition, Both):
        found = [_holds(part, visits) for part in condition.parts]
        return all(found) if condition.join == "all" else any(found)
    left, right = _value(condition.left, visits), _value(condition.right, visits)
    told = {"eq": left == right, "ne": left != right, "lt": left < right, "le": left <= right, "gt": left > right}
    return {**told, "ge": left >= right}[condition.op]


def _value(term: Term, visits: dict[str, int]) -> float:
    return term.factor * (visits[term.box] if term.box is not None else 1)


@given(GUARDS, st.integers(0, 4), st.integers(0, 4))
def test_a_condition_on_visits_means_the_same_without_negations(guard: Predicate, a: int, b: int) -> None:
    known = Facts(journey={"visits.a": a, "visits.b": b})
    assert _holds(conditions(guard), {"a": a, "b": b}) == guard.evaluate(known, NOW)


def test_other_conditions_are_told_not_counted() -> None:
    with pytest.raises(ValueError, match="no count of visits: country"):
        conditions(Customer.country == "FR")
    with pytest.raises(ValueError, match="no condition on visits"):
        conditions(Customer.city.contains("x"))
