"""The response model: written, read back, and what is wrong with one is said with its place and the way out."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from dsl import (
    Anywhere,
    Api,
    Arrows,
    Call,
    Choice,
    Customer,
    Email,
    Final,
    Goal,
    Journey,
    Orders,
    Shop,
    Sms,
    Wait,
    after,
    days,
    marketing,
    otherwise,
    when,
)
from dsl.compile import compile_journey
from dsl.loading import load
from engine.simulation.kinds import Kind, heard_in
from engine.simulation.model_file import ModelError, parse, read
from engine.simulation.model_text import document, template
from engine.simulation.responses import DAY, DEFAULTS, Delay, Rate, ResponseModel

SHIPPED = [each.ir for each in load(Path(__file__).parents[3] / "journeys")]


class Several(Journey):
    """Two kinds of clicks, two channels in a box, two queues, a measured wait."""

    enters = Api()
    purpose = marketing
    won = Goal()
    lapsed = Final()

    @Choice()
    def first(self) -> Arrows:
        yield when(Customer.country == "FR") >> self.both
        yield otherwise >> self.second

    @Email("t/both")
    @Sms("t/both")
    def both(self) -> Arrows:
        yield Email.clicked.link("shop") >> self.won
        yield Email.clicked >> self.second
        yield Sms.replied >> self.third
        yield after(days=3) >> self.pause

    @Call("t/second", queue="one")
    def second(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.refused >> self.lapsed
        yield Call.not_reached >> self.lapsed
        yield after(days=3) >> self.lapsed

    @Call("t/third", queue="two")
    def third(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.refused >> self.lapsed
        yield Call.not_reached >> self.lapsed
        yield after(days=3) >> self.lapsed

    @Wait()
    def pause(self) -> Arrows:
        yield after(Orders.rhythm(), missing=days(10)) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Shop.purchased >> self.won


SEVERAL = compile_journey(Several)


@pytest.mark.parametrize("ir", [*SHIPPED, SEVERAL], ids=lambda ir: ir.name)
def test_a_template_says_every_rate_and_reads_back_as_it_was(ir: object) -> None:
    text = template(ResponseModel(), ir)  # type: ignore[arg-type]  # the ids take any object
    back = parse(tomllib.loads(text), ir, "model.toml")  # type: ignore[arg-type]  # as above
    assert document(back, ir) == document(ResponseModel(), ir)  # type: ignore[arg-type]  # as above


def test_a_model_that_says_everything_reads_back_from_toml_and_json(tmp_path: Path) -> None:
    link = next(kind for kind in heard_in(SEVERAL, SEVERAL.by_name["both"]) if kind.where is not None)
    model = ResponseModel(
        channels={**DEFAULTS},
        boxes={"both": {link.name: Rate(0.2, Delay(3600, 7200), 40), "sms.replied": Rate(0.1, Delay(60, 120))}},
        reach={"second": 0.5},
        events={"shop.purchased": 0.75},
        box_events={"pause": {"shop.purchased": 1.5}},
        guards={"country is FR": 0.9},
        waits={"pause": Delay(5 * DAY, 9 * DAY)},
        capacity={"one": 12.0},
    )
    for name, text in (("m.toml", template(model, SEVERAL)), ("m.json", json.dumps(document(model, SEVERAL)))):
        (tmp_path / name).write_text(text)
        back = read(tmp_path / name, SEVERAL)
        assert document(back, SEVERAL) == document(model, SEVERAL)
        assert (back.boxes, back.reach, back.box_events) == (
            {**model.boxes, "second": {}, "pause": {}},
            model.reach,
            {"both": {}, "second": {}, **model.box_events},
        )
        assert (back.capacity, back.waits) == (model.capacity, model.waits)


def test_what_a_box_does_not_say_its_channel_says() -> None:
    click = Kind("email.clicked")
    own = ResponseModel(boxes={"both": {"email.clicked": Rate(0.5, Delay(1, 2))}})
    assert own.rate("both", click).share == 0.5
    assert own.rate("other", click) == DEFAULTS["email"].answers["clicked"]
    assert own.rate("other", Kind("email.unheard_of")).share > 0


def test_a_delay_is_log_normal_by_its_median_and_ninth_decile() -> None:
    delay = Delay(3600 * 8, 3600 * 48)
    table = sorted(delay.table())
    assert delay.at(0.5) == pytest.approx(3600 * 8)
    assert delay.at(0.9) == pytest.approx(3600 * 48)
    assert table[len(table) // 2] / 1000 == pytest.approx(3600 * 8, rel=0.05)
    assert sum(each > 3600 * 48 * 1000 for each in table) / len(table) == pytest.approx(0.1, abs=0.01)


def test_what_a_rate_does_not_say_is_the_channels() -> None:
    text = """
        [channels.email]
        clicked = { rate = 0.2 }
        [channels.sms]
        replied = { median = "2 h" }
        [boxes.both]
        "email.clicked" = { p90 = "4 d" }
        "email.clicked, link is shop" = { rate = 0.5, seen = 7 }
        "sms.replied" = {}
    """
    model = parse(tomllib.loads(text), SEVERAL, "model.toml")
    usual, reply = DEFAULTS["email"].answers["clicked"].delay, DEFAULTS["sms"].answers["replied"]
    assert model.channels["email"].answers["clicked"] == Rate(0.2, usual)
    slower = Rate(reply.share, Delay(7_200, 7_200 * reply.delay.p90 / reply.delay.median))
    assert model.channels["sms"].answers["replied"] == slower
    assert model.boxes["both"] == {
        "email.clicked": Rate(0.2, Delay(usual.median, 4 * DAY)),
        "email.clicked, link is shop": Rate(0.5, usual, 7),
        "sms.replied": slower,
    }


WRONG = {
    'journey = "win_back"': "is the model of 'win_back', not of 'several'",
    "[channel.email]\nreach = 1": "there is no table 'channel' in this journey; did you mean 'channels'?",
    "[channels.letter]\nreach = 1": "[channels] there is no channel 'letter' in this journey; known: 'email', 'sms', 'call'",
    "[channels.email]\nreach = 1.2": "[channels.email] reach is 1.2; give a share from 0 to 1",
    "[channels.email]\ncost = -1": "[channels.email] cost is -1; give a number from 0 on",
    "[channels.email]\nclikced = { rate = 0.1 }": "[channels.email] there is no answer 'clikced' in this journey; did you mean 'clicked'?",
    "[channels.email]\nclicked = 0.1": "[channels.email] clicked is 0.1; this must be a table",
    '[channels.email]\nclicked = { rate = "a", median = "1 h", p90 = "2 h" }': "[channels.email.clicked] rate is 'a'; give a share",
    '[channels.email]\nclicked = { rate = 0.1, median = "soon", p90 = "2 h" }': "[channels.email.clicked] median is 'soon'; give a span",
    '[channels.email]\nclicked = { rate = 0.1, p90 = "2 h" }': "p90 is '2 h'; it can't come before the median, 8 h, which is the channel's",
    '[channels.email]\nclicked = { median = "0 h" }': "[channels.email.clicked] median is '0 h'; give a span above 0",
    '[channels.email]\nclicked = { rate = 0.1, median = "3 h", p90 = "2 h" }': "p90 is '2 h'; it can't come before the median, 3 h",
    '[channels.email]\nclicked = { rate = 0.1, median = "1 h", p90 = "2 h", men = 1 }': "there is no field 'men' in this journey; did you",
    '[channels.email]\nclicked = { rate = 0.1, median = "1 h", p90 = "2 h", seen = -1 }': "[channels.email.clicked] seen is -1",
    "[boxes.won]\nreach = 1": "[boxes] there is no box 'won' in this journey",
    "[boxes.pause]\nreach = 1": "[boxes.pause] there is no answer 'reach' in this journey",
    "[boxes.both]\nclicked = { rate = 0.1 }": "[boxes.both] there is no answer 'clicked' in this journey; did you mean 'email.clicked'?",
    "[boxes.pause]\n'shop.purchased' = true": "[boxes.pause] shop.purchased is True; give a number from 0 on",
    "[events]\n'shop.returned' = 1": "[events] there is no event 'shop.returned' in this journey; did you mean 'shop.purchased'?",
    "[guards]\n'country is FR' = 2": "[guards] country is FR is 2; give a share from 0 to 1",
    "[guards]\n'country is GB' = 1": "[guards] there is no condition 'country is GB' in this journey; did you mean 'country is FR'?",
    "[waits]\nbreak = { median = '1 d', p90 = '2 d' }": "[waits] there is no measured wait 'break' in this journey",
    "[waits]\npause = { median = '0 d', p90 = '2 d' }": "[waits.pause] median is '0 d'; give a span above 0",
    "[waits]\npause = { p90 = '2 d' }": "[waits.pause] median is None; give a span",
    "[channels.email.unsent]\n'adress missing' = 1": "[channels.email.unsent] there is no reason 'adress missing' in this journey",
    "[channels.email.unsent]\nfailed = 0.5": "[channels.email.unsent] the shares come to 0.5; of all messages that reach nobody each has",
    "[channels.email.unsent]\nfailed = 2": "[channels.email.unsent] failed is 2; give a share from 0 to 1",
    "[capacity]\nthree = 1": "[capacity] there is no queue 'three' in this journey; known: 'one', 'two'",
    "[channels.call]\nrefused = { rate = 0.9, median = '1 h', p90 = '2 h' }": (
        "[boxes.second] the outcomes of a call come to 1.5, more than 1 (interested 0.15, "
    ),
    "boxes = 3": "boxes is 3; this must be a table",
    "nonsense": "is no TOML: ",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_with_a_model_is_said_with_its_place(text: str, tmp_path: Path) -> None:
    file = tmp_path / "model.toml"
    file.write_text(text)
    with pytest.raises(ModelError) as error:
        read(file, SEVERAL)
    assert error.value.code == "response_model"
    assert error.value.message.startswith(str(file))
    assert WRONG[text] in error.value.message


def test_json_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text("{")
    with pytest.raises(ModelError, match="is no JSON"):
        read(tmp_path / "m.json", SEVERAL)
    (tmp_path / "m.json").write_text("[]")
    with pytest.raises(ModelError, match="the model is \\[\\]; this must be a table"):
        read(tmp_path / "m.json", SEVERAL)
