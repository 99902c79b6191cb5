"""The words of the language: what they refuse by themselves, how problems read, and that all of them are exported."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import dsl
from dsl import (
    Api,
    Arrows,
    Customer,
    Email,
    Final,
    Journey,
    LanguageError,
    Orders,
    Sms,
    Wait,
    after,
    compile_journey,
)
from dsl.events import snake
from dsl.loading import load
from dsl.place import Place
from dsl.pointing import problem
from dsl.problems import JourneyError, Problems, meant, render

TYPING = Path(__file__).parent.parent / "typing"


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("share(0)", "per cent above 0"),
        ("share(101)", "per cent above 0"),
        ("share(True)", "per cent above 0"),
        ("percent(100)", "0 to below 100"),
        ('percent("ten")', "0 to below 100"),
        ('daily(at="9:00")', "HH:MM"),
        ('daily(at="24:00")', "HH:MM"),
        ('weekly("moonday", at="09:00")', "day of the week"),
        ("Audience(True)", "takes a condition"),
        ('Audience(Customer.country == "FR", every="daily")', "once, daily"),
        ("when(True)", "takes a condition"),
        ('Email.clicked.when("FR")', "takes a condition"),
        ('Email.clicked.where(Customer.country == "FR")', "payload"),
        ("Email.clicked.where(Orders.count() > 3)", "payload"),
        ("Email.clicked.up_to(0)", "from 1"),
        ("Email.clicked.up_to(True)", "from 1"),
        ("Email.clicked.up_to(2, every=20)", "takes a duration"),
        ("Email.not_sent.any_send()", "own outcome"),
        ("Email.clicked.within()", "one length of time"),
        (
            "Shop.purchased.looking_back(Knob(days(3), min=days(1), max=days(9)))",
            "takes no knob: tuning would not reach it",
        ),
        ("Email.clicked.within(Knob(days(3), min=days(1), max=days(9)))", "takes no knob: tuning would not reach it"),
        ("event(Payload)", "takes a class of facts that derives from Payload"),
        ("event(number())", "takes a class of facts that derives from Payload"),
        ("event(Click).where(Purchase.total > 3)", "`total` is a fact of Purchase, which this event doesn't carry"),
        ("Call.interested.where(Click.link == 'x')", "`link` is a fact of Click, which Call.interested doesn't carry"),
        ("after()", "one length of time"),
        ("after(days=0)", "one length of time"),
        ("after(days(1), days=1)", "one length of time"),
        ("after(3)", "length of time"),
        ("after(days(3), missing=days(1))", "measured wait"),
        ("after(Orders.rhythm(), missing=days(1), days=3)", "takes one wait"),
        ("after(Orders.rhythm(), missing=days(0))", "missing=0 s is no wait: it must be above zero"),
        ("after(Orders.rhythm(), missing=days(1), at_most=days(0))", "is no wait: it must be above zero"),
        ("after(Orders.rhythm(), missing=days(1), at_least=days(3), at_most=days(2))", "shorter"),
        ("Email(len)", "template"),
        ('Email("../secrets")', "template"),
        ('Email("/etc/passwd")', "template"),
        ('Email("a//b")', "template"),
        ('Email("a/b", purpose="fun")', "purpose="),
        ('Call("a/b", queue="")', "queue="),
        ('Call("a/b", skills=3)', "skills="),
        ('Call("a/b", skills=["wine", "!"])', "skills="),
        ('Call("a/b", priority=10)', "priority="),
        ("Wait()(3)", "above a method"),
        ("Stage()(3)", "above a method, not above 3"),
        ("Anywhere()(staticmethod(len))", "above a method, not above a staticmethod"),
        ("Email('a/b')(property(len))", "above a method, not above a property"),
        ("bool(Email.clicked)", "truth value"),
        ("Final() >> Final()", "between a trigger and a box"),
        ("Email.clicked.first >> Final()", "on its left is `first`, which isn't called"),
        ("after >> Final()", "on its left is `after`, which isn't called"),
        ("(lambda: then) >> Final()", "on its left is `<lambda>`, which isn't called"),
        ("Email >> Final()", "on its left is <class"),
        ("Shop.purchased.within(days=3) >> Final()", "on its left is `.within"),
        ("Email.clicked >> None", "leads to a box, not to None"),
        ("Email.clicked.where((Click.link == 'a', Click.link == 'b'))", "takes a condition, not a tuple of them"),
    ],
)
def test_A1_a_wrong_value_is_refused_where_it_is_written(written: str, says: str) -> None:
    with pytest.raises(LanguageError, match=says):
        eval(written, dict(vars(dsl)))  # noqa: S307  # as text, since pyright refuses nearly all of them too


def test_triggers_are_values() -> None:
    narrowed = Email.clicked.link("shop").when(Customer.country == "FR").when(Orders.count() > 1).up_to(2)
    assert Email.clicked.payload is None
    assert Email.clicked.guard is None
    assert narrowed.limit is not None
    assert narrowed.guard is not None
    assert narrowed.guard.sentence() == ((Customer.country == "FR") & (Orders.count() > 1)).sentence()


def test_snake_names() -> None:
    names = {"WinBack": "win_back", "VIPCare": "vip_care", "Care": "care", "Care2Go": "care2_go", "ABTest": "ab_test"}
    assert {name: snake(name) for name in names} == names


def test_states_are_the_same_in_a_class_and_in_its_bodies() -> None:
    seen: list[object] = []

    class Care(Journey):
        enters = Api()
        done = Final()

        @Wait()
        def pause(self) -> Arrows:
            seen.extend((self.pause, self.done))
            yield after(days=1) >> self.done

    compile_journey(Care)
    assert seen == [Care.pause, Care.done]
    assert repr(Care.pause) == "<wait pause>"


def test_everything_public_is_exported_and_sorted() -> None:
    assert list(dsl.__all__) == sorted(dsl.__all__, key=lambda name: (not name[0].isupper(), name))
    for name in dsl.__all__:
        assert getattr(dsl, name) is not None
    words = {n for n in vars(dsl) if not n.startswith("_") and not isinstance(getattr(dsl, n), type(dsl))}
    assert words - {"TYPE_CHECKING", "Any"} == set(dsl.__all__) - {"compile_journey"}, (
        "which comes when it is asked for"
    )
    with pytest.raises(AttributeError, match="no attribute 'Emial'"):
        _ = dsl.Emial  # pyright: ignore[reportAttributeAccessIssue]  # the point of the test


def test_modules_are_small_and_say_what_they_own() -> None:
    for file in Path(dsl.__file__).parent.glob("*.py"):
        text = file.read_text()
        assert ast.get_docstring(ast.parse(text)), file.name


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    (tmp_path / "care.py").write_text(
        "from dsl import *\n\n\nclass Care(Journey):\n    holdout = 3\n    done = Final()\n\n"
        '    @Email("a/b")\n    def one(self) -> Arrows:\n        yield Sms.clicked >> self.dome\n'
        "        Email.clicked >> self.done\n\n    @Split()\n    def two(self) -> Arrows:\n"
        "        yield share(3) >> self.done\n\n    @Choice()\n    def three(self) -> Arrows:\n        pass\n"
    )
    with pytest.raises(Problems) as caught:
        load(tmp_path)
    codes = [error.code for error in caught.value]
    assert codes == ["J110", "J111", "J112", "J127", "J101", "J105", "J125", "J103"]
    assert len(caught.value) == len(codes)
    assert all(error.line and error.column and error.file for error in caught.value)


def test_problems_read_like_rustc() -> None:
    error = JourneyError(
        "J120", "no way", file="a.py", line=3, column=2, end_column=5, source="\tabc", label="here", help="one\ntwo"
    )
    assert render(error).splitlines() == [
        "error[J120]: no way",
        " --> a.py:3:2",
        "  |",
        "3 | \tabc",
        "  | \t^^^ here",
        "  |",
        "  = help: one",
        "          two",
    ]


def test_a_place_without_a_file_is_told_without_a_caret() -> None:
    assert str(problem("J120", "no way", None)) == "error[J120]: no way"
    assert str(problem("J120", "no way", Place("<stdin>", 3))).splitlines()[1] == " --> <stdin>:3:1"


def test_journeys_typed_at_a_prompt_are_checked_too() -> None:
    source = (
        "from dsl import *\nclass Care(Journey):\n    enters = Api()\n    done = Final()\n    @Wait()\n"
        "    def pause(self) -> Arrows:\n        yield after(days=1) >> self.dome\n"
    )
    names: dict[str, type[Journey]] = {}
    exec(compile(source, "<stdin>", "exec"), names)  # noqa: S102  # as a prompt does
    with pytest.raises(Problems, match="did you mean `done`"):
        compile_journey(names["Care"])


def test_did_you_mean() -> None:
    assert meant("cal", ["call", "sms"]) == "did you mean `call`?"
    assert meant("zzz", ["call", "sms"]) == "there are `call`, `sms`"
    assert meant("zzz", []) == ""


def test_the_file_of_the_typing_tests_compiles() -> None:
    loaded = load(TYPING / "right.py")
    assert [one.ir.name for one in loaded] == ["care_and_more", "heir"]
    rest = loaded[0].ir.by_name["pause"].arrows
    assert [arrow.to for arrow in rest] == ["won", "lapsed", "lapsed"]


def test_the_clock_may_be_read_by_what_a_body_does_not_call(tmp_path: Path) -> None:
    (tmp_path / "care.py").write_text(
        "import time\nfrom datetime import datetime, timedelta\nfrom uuid import uuid5, NAMESPACE_DNS\nfrom dsl import *\n\n"
        "LOADED = time.time()\n\n\nclass Care(Journey):\n    enters = Api()\n    done = Final()\n\n    @Wait()\n"
        "    def pause(self) -> Arrows:\n        until = datetime(2027, 1, 1) + timedelta(days=2)\n"
        "        name = str(uuid5(NAMESPACE_DNS, 'x'))\n        yield after(days=until.day) >> self.done\n"
    )
    assert load(tmp_path)[0].ir.start.arrows[0].to == "done"


@pytest.mark.parametrize(
    ("imports", "call"),
    [
        ("import datetime", "datetime.datetime.now()"),
        ("import datetime as d", "d.date.today()"),
        pytest.param(
            "from datetime import datetime as dt",
            "dt.utcnow()",
            marks=pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),  # since 3.12
        ),
        ("from time import time as clock", "clock()"),
        ("import time", "time.monotonic()"),
        ("from random import choice", "choice([1, 2])"),
        ("import random", "random.Random()"),
        ("import uuid", "uuid.uuid4()"),
        ("import secrets", "secrets.token_hex()"),
        ("import os", "os.urandom(3)"),
        ("", "__import__('time').time() if False else random_inside()"),
    ],
)
def test_A1_clock_and_chance_are_found_under_any_name(imports: str, call: str, tmp_path: Path) -> None:
    head = f"{imports}\nfrom dsl import *\n\n\ndef random_inside():\n    from random import random as r\n    return r()\n\n\n"
    (tmp_path / "care.py").write_text(
        f"{head}class Care(Journey):\n    enters = Api()\n    done = Final()\n\n    @Wait()\n"
        f"    def pause(self) -> Arrows:\n        {call}\n        yield after(days=1) >> self.done\n"
    )
    with pytest.raises(Problems) as caught:
        load(tmp_path)
    assert [error.code for error in caught.value] == ["J109"]


def test_sms_and_email_answers_are_told_apart() -> None:
    assert Sms.clicked.answer.event == "sms.clicked"
    assert Email.clicked.answer.scope == "send"
    assert Email.clicked.any_send().answer.scope == "any_send"


@pytest.mark.parametrize(
    ("make", "hint"),
    [
        (lambda: dsl.when(dsl.Orders.category == "wine"), "inside Orders.where"),
        (lambda: dsl.when(dsl.Purchase.total > 5), "the payload is the event's"),
        (lambda: dsl.Audience(dsl.Purchase.total > 5), "the payload is the event's"),
    ],
)
def test_a_condition_is_asked_where_it_can_be_answered(make: Callable[[], object], hint: str) -> None:
    with pytest.raises(dsl.LanguageError, match="can't ask this") as refused:
        make()
    assert re.search(hint, refused.value.help)
