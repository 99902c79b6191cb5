"""A simulation's result: books that balance, intervals that hold, the same from the same seed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dsl import (
    Api,
    Arrows,
    Call,
    Email,
    Feed,
    Final,
    Goal,
    Journey,
    Letter,
    Shop,
    after,
    forever,
    marketing,
    then,
)
from dsl.compile import compile_journey
from dsl.ir import ENDS
from dsl.loading import load
from engine.simulation.responses import DAY, DEFAULTS, ChannelModel, Delay, Rate, ResponseModel
from engine.simulation.results import Result
from engine.simulation.simulate import simulate

WIN_BACK = next(each.ir for each in load(Path(__file__).parents[3] / "journeys" / "win_back.py"))


class One(Journey):
    """A mail, and whoever clicks is called."""

    enters = Api()
    purpose = marketing
    won = Goal()
    lapsed = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.clicked >> self.call
        yield after(days=2) >> self.lapsed

    @Call("t/call", queue="warm")
    def call(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.refused >> self.lapsed
        yield Call.not_reached >> self.lapsed
        yield after(days=7) >> self.letter

    @Letter("t/letter")
    def letter(self) -> Arrows:
        yield then >> self.lapsed


ONE = compile_journey(One)


def model(clicks: float, reach: float = 1.0, **more: object) -> ResponseModel:
    quick = Delay(3600, 7200)
    email = ChannelModel(reach, 0.25, {"clicked": Rate(clicks, quick)})
    call = ChannelModel(1.0, 3.0, {"interested": Rate(0.5, quick), "refused": Rate(0.25, quick)})
    rates = {**DEFAULTS, "email": email, "call": call}
    return ResponseModel(channels=rates, boxes={"call": {"call.not_reached": Rate(0.0, quick)}}, **more)  # type: ignore[arg-type]  # for brevity


def entered(result: Result, box: str) -> float:
    return next(each.entered.mean for each in result.boxes if each.name == box)


def test_the_books_balance() -> None:
    result = simulate(WIN_BACK, ResponseModel(), customers=2_000, runs=3)
    ends = sum(box.entered.mean for box in result.boxes if box.kind in ENDS)
    assert ends + sum(box.under_way.mean for box in result.boxes) == pytest.approx(2_000)
    into = {state.name: 0.0 for state in WIN_BACK.states}
    for flow in result.flows:
        into[flow.arrow.to] += flow.taken.mean
    into[WIN_BACK.start.name] += 2_000
    for box in result.boxes:  # but for who buys while she rests between two calls: she never comes to the second
        on_the_way = 3 if box.name == "call" else 0
        assert into[box.name] - on_the_way <= box.entered.mean + 1e-9 <= into[box.name] + 1e-6
    assert sum(result.distribution.values()) == pytest.approx(1)
    mean = sum(number * share for number, share in result.distribution.items())
    assert result.contacts.mean == pytest.approx(mean, rel=0.01)
    sent = sum(each.sent.mean for each in result.channels)
    assert mean * (2_000 - result.held_out.mean) == pytest.approx(sent, rel=0.01)
    for load_ in result.loads:
        assert sum(day.mean for day in load_.days) == pytest.approx(load_.total.mean)


def test_the_same_seed_gives_the_same_and_another_does_not() -> None:
    one, two, other = (
        simulate(WIN_BACK, ResponseModel(), customers=300, runs=2, seed=seed).to_json() for seed in "112"
    )
    assert one == two
    assert one != other


def test_what_goes_in_comes_out() -> None:
    """A closed form: of 10,000 customers 80 % get the mail, 30 % of these click within the two days, half of these are won."""
    result = simulate(ONE, model(0.3, reach=0.8), customers=10_000, runs=10)
    assert entered(result, "call") == pytest.approx(2_400, rel=0.03)
    assert entered(result, "won") == pytest.approx(1_200, rel=0.05)
    assert entered(result, "letter") == pytest.approx(600, rel=0.08)
    mail, call = (next(box for box in result.boxes if box.name == name) for name in ("mail", "call"))
    assert mail.not_sent.mean == pytest.approx(2_000, rel=0.03)
    assert mail.sent["email"].mean + mail.not_sent.mean == pytest.approx(10_000)
    # Who doesn't click waits two days, who does about one and a half hours.
    assert mail.days == pytest.approx(0.76 * 2 + 0.24 * 0.07, rel=0.02)
    assert call.days == pytest.approx(0.25 * 7 + 0.75 * 0.05, rel=0.1)
    assert result.cost.mean == pytest.approx(8_000 * 0.25 + 2_400 * 3 + 600 * 0.92 * 0.95, rel=0.03)


def test_nobody_answers_where_nobody_is_reached() -> None:
    result = simulate(ONE, model(1.0, reach=0.0), customers=500, runs=2)
    assert (entered(result, "lapsed"), entered(result, "call"), result.cost.mean) == (500, 0, 0)


def test_an_answer_after_the_time_out_is_counted_as_late_and_moves_nobody() -> None:
    late = Rate(1.0, Delay(40 * DAY, 41 * DAY))
    rates = ResponseModel(channels={**DEFAULTS, "email": ChannelModel(1.0, 0.0, {"clicked": late})})
    result = simulate(ONE, rates, customers=400, runs=2)
    assert entered(result, "call") == 0
    assert next(box.late.mean for box in result.boxes if box.name == "mail") == 400


def test_held_out_customers_walk_along_and_get_nothing() -> None:
    result = simulate(WIN_BACK, ResponseModel(guards={"country FR or GB": 1.0}), customers=4_000, runs=3)
    assert result.held_out.mean == pytest.approx(400, rel=0.15)
    mails = sum(box.sent["email"].mean + box.not_sent.mean for box in result.boxes if box.kind == "email")
    assert mails == pytest.approx(4_000 - result.held_out.mean)
    assert sum(box.entered.mean for box in result.boxes if box.kind == "email") == pytest.approx(4_000)


def test_an_interval_holds_nineteen_in_twenty() -> None:
    """One campaign more, a hundred times: it lies within the interval about 95 times."""
    told = simulate(ONE, model(0.3), customers=400, runs=30, seed="told")
    ones = [simulate(ONE, model(0.3), customers=400, runs=1, seed=f"{n}") for n in range(100)]
    for box, flow in ((box.name, box.entered) for box in told.boxes if box.name in {"call", "won", "lapsed"}):
        within = sum(flow.low <= entered(one, box) <= flow.high for one in ones)
        assert 88 <= within <= 100, f"{box}: {within} of 100 lie between {flow.low:.0f} and {flow.high:.0f}"
    assert all(flow.taken.low <= flow.taken.mean <= flow.taken.high for flow in told.flows)


def test_calls_meet_the_centres_capacity() -> None:
    few = simulate(ONE, model(1.0, capacity={"warm": 10}), customers=300, runs=5, over=10)
    (load_, letters) = few.loads
    assert (load_.queue, load_.capacity, letters.channel) == ("warm", 10, "letter")
    assert load_.total.mean == 300
    assert load_.over is not None
    assert load_.left is not None
    assert 9 <= load_.over.mean <= 11
    assert 150 < load_.left.mean < 250  # 300 calls in some ten days, 10 made on each
    enough = simulate(ONE, model(1.0, capacity={"warm": 100}), customers=300, runs=5, over=10).loads[0]
    assert enough.over is not None
    assert enough.left is not None
    assert (enough.over.mean, enough.left.mean) == (0, 0)
    assert simulate(ONE, model(1.0), customers=300, runs=2).loads[0].over is None


def test_days_over_which_they_enter_spread_the_work() -> None:
    once, month = (simulate(ONE, model(1.0), customers=900, runs=2, over=over).loads[0].peak for over in (1, 30))
    assert once.mean > 800
    assert month.mean < 80


def test_a_box_that_waits_for_ever_keeps_its_customers() -> None:
    class Waits(Journey):
        enters = Api()
        purpose = marketing
        won = Goal()

        @Feed("t/feed")
        def feed(self) -> Arrows:
            yield Shop.purchased >> self.won
            yield forever

    result = simulate(compile_journey(Waits), ResponseModel(events={"shop.purchased": 0.0}), customers=50, runs=2)
    assert result.boxes[0].under_way.mean == 50
    assert result.boxes[0].name == "feed"


def test_rates_while_she_is_in_a_box_are_the_boxes_own() -> None:
    rates = ResponseModel(
        events={"shop.purchased, total ≥ 40": 0.0},
        box_events={"letter": {"shop.purchased, total ≥ 40": 30.0}},
        guards={"country FR or GB": 1.0},
    )
    result = simulate(WIN_BACK, rates, customers=2_000, runs=2)
    bought = next(flow.taken.mean for flow in result.flows if flow.arrow.to == "won" and not flow.owner)
    letters = entered(result, "letter")
    assert bought == pytest.approx(letters * 0.9, rel=0.05)  # nearly all who aren't held out buy within two weeks


def test_json_names_every_box_and_arrow() -> None:
    told = json.loads(json.dumps(simulate(WIN_BACK, ResponseModel(), customers=100, runs=2).to_json()))
    assert [box["box"] for box in told["boxes"]] == [state.name for state in WIN_BACK.states]
    assert len(told["arrows"]) == len(WIN_BACK.arrows)
    assert told["arrows"][-1]["from"] == ""
    assert told["arrows"][4] == {
        "from": "discount",
        "to": "call",
        "when": "clicked",
        "taken": told["arrows"][4]["taken"],
    }


@pytest.mark.parametrize(("customers", "runs", "over"), [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_nobody_and_no_runs_are_refused(customers: int, runs: int, over: int) -> None:
    with pytest.raises(ValueError, match="from 1 on"):
        simulate(ONE, ResponseModel(), customers=customers, runs=runs, over=over)


def test_a_simulation_needs_no_database_and_no_server() -> None:
    heavy = (
        "import sys, engine.simulation.simulate, engine.simulation.model_file;"
        "print([m for m in ('sqlalchemy', 'temporalio', 'fastapi', 'graphlay') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)  # our own modules
    assert run.stdout == "[]\n"
