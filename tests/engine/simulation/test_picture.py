"""The expected flow over the picture: the numbers are those of the result, stand at their arrows, and nothing touches."""

from __future__ import annotations

import random
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from kit.pictures import flaws, read
from kit.random_journeys import Features, random_ir

from dsl.ir import IR
from dsl.loading import load
from engine.simulation.picture import flow_svg
from engine.simulation.responses import ResponseModel
from engine.simulation.results import Result, number
from engine.simulation.simulate import simulate

JOURNEYS = Path(__file__).parents[3] / "journeys"


def played(ir: IR, customers: int = 300) -> Result:
    return simulate(ir, ResponseModel(), customers=customers, runs=3, over=1)


def shipped(name: str) -> IR:
    return next(each.ir for each in load(JOURNEYS) if each.ir.name == name)


def groups(document: str) -> dict[str, ET.Element]:
    root = ET.fromstring(document)  # noqa: S314  # our own document
    return {name: group for group in root.iter() if (name := group.get("id")) is not None}


def numbers(group: ET.Element) -> list[str]:
    return [text.text or "" for text in group.iter() if "number" in text.get("class", "").split()]


def count(group: ET.Element) -> str:
    return next(text.text or "" for text in group.iter() if text.get("class") == "count")


@pytest.mark.parametrize("name", ["win_back", "welcome", "reorder"])
def test_nothing_touches_in_the_expected_flow_of_the_shipped_journeys(name: str) -> None:
    assert list(flaws(read(flow_svg(played(shipped(name)))))) == []


@pytest.mark.parametrize("batch", range(4))
def test_nothing_touches_in_the_expected_flow_of_random_journeys(batch: int) -> None:
    for seed in range(4000 + batch * 8, 4008 + batch * 8):
        ir = random_ir(random.Random(seed), Features(boxes=6))  # noqa: S311  # repeatable on purpose
        assert list(flaws(read(flow_svg(played(ir, 40))))) == [], f"seed {seed}"


def test_the_picture_says_what_the_result_says() -> None:
    result = played(shipped("win_back"))
    told = result.to_json()
    drawn = groups(flow_svg(result))
    taken: dict[tuple[str, str], list[str]] = {}
    for flow in told["arrows"]:
        taken.setdefault((flow["from"], flow["to"]), []).append(number(flow["taken"]["mean"]))
    anywhere = [said for (owner, _), each in taken.items() if not owner for said in each]
    shown = {pair: numbers(drawn[f"arrow-{pair[0]}-{pair[1]}"]) for pair in taken if pair[0]}
    assert shown == {pair: each for pair, each in taken.items() if pair[0]}
    captions = [count(group) for name, group in drawn.items() if name.startswith("count-caption-")]
    assert captions == anywhere
    assert numbers(drawn["arrow-start"]) == ["300"]
    for box in told["boxes"]:
        group = drawn[f"state-{box['box']}"]
        assert numbers(group) == [number(sent["mean"]) for sent in box["sent"].values()]
        if box["box"] != "lapsed":
            assert count(drawn[f"count-{box['box']}"]) == number(box["entered"]["mean"])
    for name, source in (
        ("count-lapsed", "call"),
        ("count-lapsed-from-sms", "sms"),
        ("count-lapsed-from-letter", "letter"),
    ):
        assert [count(drawn[name])] == taken[source, "lapsed"]


def test_titles_tell_the_intervals() -> None:
    result = played(shipped("win_back"))
    drawn = groups(flow_svg(result))
    title = drawn["arrow-discount-feed"][0].text or ""
    assert re.search(r"no answer in 3 d: \d+ \(\d+–\d+\), \d+\.\d% of all", title)
    box = drawn["state-sms"][0].text or ""
    assert re.search(r"entered: \d+ \(\d+–\d+\), \d+\.\d% of all\nsent by sms: \d+ \(\d+–\d+\)\nnot sent: \d+ \(", box)
    late = next(box.name for box in result.boxes if box.late.mean)
    assert "answers that come too late: " in (drawn[f"state-{late}"][0].text or "")
    assert re.search(r"purchased, total ≥ 40 → won: \d+ \(", drawn["caption-4"][0].text or "")


def test_a_line_is_as_thick_as_the_share_of_customers_who_go_there() -> None:
    drawn = groups(flow_svg(played(shipped("win_back"))))

    def thickness(name: str) -> float:
        line = next(path for path in drawn[name] if "line" in path.get("class", "").split())
        return float(line.get("style", "").removeprefix("stroke-width:"))

    assert thickness("arrow-start") == 5
    assert thickness("arrow-discount-call") < thickness("arrow-discount-feed") < thickness("arrow-eligible-offer")


def test_the_flow_is_drawn_in_a_theme_and_of_one_run() -> None:
    result = simulate(shipped("reorder"), ResponseModel(), customers=50, runs=1, over=1)
    drawn = flow_svg(result, theme="dark")
    assert "var(--" not in drawn
    assert "customers at arrows: 1 run;" in "".join(ET.fromstring(drawn).itertext())  # noqa: S314  # our own document
