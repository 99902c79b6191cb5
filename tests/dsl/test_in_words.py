"""A refusal names what was given in the author's words, and has a way out of the usual slips: no insides of ours are shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dsl import (
    Api,
    Audience,
    Customer,
    Email,
    Goal,
    Knob,
    Orders,
    Payload,
    Shop,
    Stage,
    Wait,
    after,
    between,
    daily,
    days,
    event,
    everyone,
    percent,
    reject,
    text,
    then,
)
from dsl.below import below
from dsl.in_words import in_words
from dsl.loading import load
from dsl.problems import JourneyError, Problems

if TYPE_CHECKING:
    from dsl import Arrows


@Wait()
def rest(_self: object) -> Arrows:
    yield after(days=3) >> rest


@Stage()
def offers(_self: object) -> Arrows:
    yield after(days=3) >> rest


VALUES = {
    "`daily` without its brackets": daily,
    "`Email` without its brackets": Email,
    "the class `Payload`": Payload,
    "the class `Path`": Path,
    "a lambda": lambda: 3,
    "`Audience(…)`": Audience(everyone),
    "`daily(…)`": daily(at="09:00"),
    "`between(…)`": between("09:00", "10:00"),
    "`percent(…)`": percent(3),
    "`.within(…)`": Shop.purchased.within(days=3),
    "`Orders.where(…)`": Orders.where(Orders.total > 3),
    "`Orders`": Orders,
    "`reject`": reject,
    "`Api(…)`": Api(),
    "`Email.clicked`": Email.clicked,
    "`after 3 d`": after(days=3),
    "an event without a name": event(),
    "an arrow": then >> rest,
    "the box `rest`": rest,
    "the stage `offers`": offers,
    "an end without a name": Goal(),
    "the condition (country is FR)": Customer.country == "FR",
    "<Text country>": Customer.country,
    "<Text not named yet>": text(),
    "<knob without a name: 3>": Knob(3, min=1, max=4),
    "the duration 3 d": days(3),
    "'FR'": "FR",
    "None": None,
    f"'{79 * 'x'}…": 100 * "x",
}


@pytest.mark.parametrize("words", VALUES)
def test_A1_a_value_is_named_in_the_authors_words(words: str) -> None:
    assert in_words(VALUES[words]) == words


HEAD = """\
from dsl import *


class Care(Journey):
    enters = Api()
    purpose = marketing
    won = Goal()
    done = Final()

"""
BODY = """\
    @Email("care/mail")
    def mail(self) -> Arrows:
        {line}
        yield after(days=3) >> self.done

    def late(self) -> Arrows:
        yield Email.clicked >> self.won
"""
STAGED = """\
    @Email("care/mail", stage=offers)
    def mail(self) -> Arrows:
        yield after(days=3) >> self.done

    @Stage()
    def offers(self) -> Arrows:
        yield Email.clicked >> self.won
"""
SLIPS = {
    "a stage below its box": (HEAD + STAGED, "a name is known below its own line only: move `offers` (line 15) above this one"),
    "a helper below the class": (
        f"{HEAD}    pause = short()\n\n\ndef short(): ...\n",
        "a name is known below its own line only: move `short` (line 13) above this one",
    ),
    "a constant below the class": (
        f"{HEAD}    pause = PAUSE\n\n\nPAUSE: Duration = days(3)\n",
        "a name is known below its own line only: move `PAUSE` (line 13) above this one",
    ),
    "a box by its bare name": (HEAD + BODY.format(line="yield Email.clicked >> won"), "in a body it is `self.won`"),
    "a name that nobody has": (HEAD + BODY.format(line="yield Email.clicked >> zzzzz"), ""),
    "a name that is deleted": (f"{HEAD}    wxyzq = 3\n    del wxyzq\n    over = wxyzq\n", ""),
    "a name of code that is run": (f'{HEAD}    exec("zzzzz")\n', ""),
    "parallel as a word": (
        f"{HEAD}    while_active = parallel(Purchase.order_id)\n", "it is a setting of its own: `parallel = Purchase.order_id`"),
    "a stage in a stage": (
        f"{HEAD}    @Stage(stage=3)\n    def offers(self): ...\n",
        'a stage stands in no other: a box says in which one it is, `@Email("…", stage=offers)`',
    ),
    "an event that is late": (
        HEAD + BODY.format(line="yield Shop.purchased.late() >> self.won"),
        "`.late()` is for the answer to a send; an event answers none, and counts whenever it happens",
    ),
    "an event of any send": (
        HEAD + BODY.format(line="yield Shop.purchased.any_send() >> self.won"),
        "`.any_send()` is for the answer to a send; an event answers none, and counts whenever it happens",
    ),
    "an answer with a key": (
        HEAD + BODY.format(line="yield Email.clicked.by(Purchase.order_id) >> self.won"),
        "`.by(…)` is for a business event; an answer knows which enrolment it is for",
    ),
    "a path out of the folder": (
        HEAD + BODY.format(line="yield Email.clicked >> self.won").replace("care/mail", "../../etc/passwd"),
        'for example @Email("win_back/discount"): letters, digits, _, - and . between its /, and no part begins with a dot',
    ),
    "every without brackets": (HEAD.replace("Api()", "Audience(everyone, every=daily)"), 'for example daily(at="09:00")'),
    "a fact without brackets": ("from dsl import *\n\nclass Member(Customer):\n    tier = text\n", "write `tier = text()`"),
    "a fact that is a class": (
        "from dsl import *\nfrom dsl.fact_kinds import Flag\n\nclass Upgrade(Payload):\n    paid = Flag\n", "write `paid = flag()`",
    ),
    "an event without brackets": ("from dsl import *\n\nclass Loyalty(Events):\n    upgraded = event\n", "write `upgraded = event()`"),
}  # fmt: skip


def only(source: str, folder: Path) -> JourneyError:
    """The first of what is wrong with a file."""
    (folder / "care.py").write_text(source)
    with pytest.raises(Problems) as found:
        load(folder / "care.py")
    return found.value.errors[0]


@pytest.mark.parametrize("slip", SLIPS)
def test_A1_a_usual_slip_has_its_way_out(slip: str, tmp_path: Path) -> None:
    source, way_out = SLIPS[slip]

    assert only(source, tmp_path).help == way_out


def test_A1_an_own_method_or_function_of_a_facts_name_is_no_slip(tmp_path: Path) -> None:
    own = "def text():\n    return 3\n\n\nclass Member(Customer):\n    tier = flag()\n    text = text\n\n\n"
    source = HEAD.replace("class Care", f"{own}class Care").replace("    won = Goal()\n", "")
    body = BODY.format(line="yield Email.clicked >> self.done").partition("    def late")[0]
    (tmp_path / "care.py").write_text(source + body)

    assert [each.cls.__name__ for each in load(tmp_path / "care.py")] == ["Care"]


WAYS_IN = {
    "Email.clicked": (
        "`enters` can't be `Email.clicked`",
        "nothing is sent before she enters, so no answer comes; it is an event (Shop.signed_up), an Audience(…), or Api()",
    ),
    'Customer.country == "FR"': (
        "`enters` can't be the condition (country is FR)",
        "those for whom it holds are an audience: `enters = Audience(…, every=once)`",
    ),
    "days(3)": ("`enters` can't be the duration 3 d", "it is an Audience(…), an event (Shop.signed_up), or Api()"),
}


@pytest.mark.parametrize("way_in", WAYS_IN)
def test_A1_what_is_no_way_in_is_said_in_words(way_in: str, tmp_path: Path) -> None:
    source = HEAD.replace("enters = Api()", f"enters = {way_in}") + BODY.format(line="yield Email.clicked >> self.won")

    found = only(source, tmp_path)

    assert (found.code, found.message, found.help) == ("J112", *WAYS_IN[way_in])


def test_A1_a_name_that_no_file_of_an_author_asked_for_gets_no_advice() -> None:
    assert below(NameError("name 'won' is not defined"), "won") == ""


def test_a_class_of_another_kind_within_a_customer_is_nobodys_business() -> None:
    class Odd(type):
        __hash__ = None  # type: ignore[assignment]  # as a library's may be

        def __eq__(cls, other: object) -> bool:
            return True

    class Member(Customer):
        tier = text()
        odd = Odd("odd", (), {})

    assert Member.tier.kind == "text"
