"""Refusals that no page of the catalogue shows, since their code has another example there: each with its code, place and words."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsl import Api, Journey, compile_journey
from dsl.loading import load
from dsl.problems import Problems

HEAD = """\
from dsl import *


class Order(Payload):
    number = text()


class Care(Journey):
    enters = Api()
    purpose = marketing
    won = Goal()
    done = Final()

"""
MAIL = """\
    @Email("care/mail")
    def mail(self) -> Arrows:
        yield after(days=1) >> self.done

"""
STAGED = """\
    @Stage()
    def offers(self) -> Arrows:
        {line}

    @Email("care/mail", stage=offers)
    def mail(self) -> Arrows:
        yield after(days=1) >> self.done

"""
ANYWHERE = """\
    @Anywhere()
    def exits(self) -> Arrows:
        {line}

"""
SPLIT = """\
    @Split()
    def lot(self) -> Arrows:
        {line}
        yield share(50) >> self.mail

"""
LEARNED = """\
    @Split()
    def lot(self) -> Arrows:
        yield learned >> self.mail
        {line}

"""
CHOICE = """\
    @Choice()
    def which(self) -> Arrows:
        {line}
        yield otherwise >> self.mail

"""


def refused(source: str, tmp_path: Path) -> list[tuple[str, str]]:
    """The codes and messages; each stands in the author's file and has a way out, or none is needed."""
    file = tmp_path / "care.py"
    file.write_text(source)
    with pytest.raises(Problems) as found:
        load(file)
    for error in found.value.errors:
        assert error.file == str(file)
        assert 0 < error.line <= source.count("\n") + 1
        assert error.column > 0
    return [(error.code, error.message) for error in found.value.errors]


ARROWS = {
    "a stage's wait that is measured": (
        STAGED, "yield after(Orders.rhythm(), missing=days(3)) >> self.done", "J130", "a stage's wait is a fixed length of time",
    ),
    "a stage's wait with a clock": (
        STAGED, 'yield after(days=3, at="09:00") >> self.done', "J130", "a stage's wait is a fixed length of time",
    ),
    "a share in a stage": (STAGED, "yield share(50) >> self.done", "J130", "`share(…)` can't stand in @Stage"),
    "a wait from anywhere": (
        MAIL + ANYWHERE, "yield after(days=3) >> self.done", "J130", "`after 3 d` can't stand in @Anywhere",
    ),
    "a measured wait from anywhere": (
        MAIL + ANYWHERE, "yield after(Orders.rhythm(), missing=days(3)) >> self.done", "J130", "`after(…)` can't stand in @Anywhere",
    ),
    "a late answer from anywhere": (
        MAIL + ANYWHERE, "yield Email.clicked.late() >> self.done", "J136", "an answer is late for the box that sent: here is no box",
    ),
    "a box's outcome from anywhere": (
        MAIL + ANYWHERE, "yield Email.not_sent >> self.done", "J130", "`Email.not_sent` is one box's own outcome, it can't fire anywhere",
    ),
    "an event of no family": (
        MAIL + ANYWHERE, "yield event() >> self.done", "J150", "this event has no name: it stands in no family",
    ),
    "an answer in a split": (SPLIT + MAIL, "yield Email.clicked >> self.done", "J130", "`Email.clicked` can't stand in a split box"),
    "an answer in a choice": (CHOICE + MAIL, "yield Email.clicked >> self.done", "J130", "`Email.clicked` can't stand in a choice box"),
    "a share in a box": (
        CHOICE.replace("{line}", "yield when(Customer.country == 'FR') >> self.done") + MAIL.replace("yield", "{line}\n        yield"),
        "yield share(50) >> self.done", "J130", "`share(…)` can't stand in an email box",
    ),
    "a condition in a box": (
        MAIL.replace("yield", "{line}\n        yield"), "yield when(Customer.country == 'FR') >> self.done", "J130",
        "`when(…)` can't stand in an email box",
    ),
    "otherwise in a box": (
        MAIL.replace("yield", "{line}\n        yield"), "yield otherwise >> self.done", "J130", "`otherwise` can't stand in an email box",
    ),
    "a learned share beside a fixed one": (
        LEARNED + MAIL, "yield share(50) >> self.done", "J125",
        "the learned shares of `lot` need at least two arrows, and no fixed share beside them",
    ),
    "learned shares without a goal": (
        LEARNED + MAIL, "yield learned >> self.done", "J125", "`lot` learns from who comes to the goal, but Care has none",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ARROWS)
def test_A1_arrows_in_the_wrong_place_are_refused_in_words(case: str, tmp_path: Path) -> None:
    body, line, code, message = ARROWS[case]
    assert (code, message) in refused(HEAD + body.replace("{line}", line), tmp_path)


SETTINGS = {
    "enters = Shop.signed_up.when(Customer.country == 'FR')": "`enters` takes an event without `.when(…)` and `.up_to(…)`",
    "enters = 3": "`enters` can't be 3",
    "parallel = Order.number": "`parallel` is a field of the entry event's payload",
    "parallel = 'number'": "`parallel` is a field of the entry event's payload",
    "quiet_hours = '21:00'": "`quiet_hours` can't be '21:00'",
    "quiet_hours = 9": "`quiet_hours` can't be 9",
    "zone = 'Europe/Atlantis'": "`zone` can't be 'Europe/Atlantis'",
    "zone = 2": "`zone` can't be 2",
    "while_active = 'queue'": "`while_active` can't be 'queue'",
    "late_answers = False": "`late_answers` can't be False",
    "purpose = 'adverts'": "`purpose` can't be 'adverts'",
    "again = days(3)": "`again` can't be the duration 3 d",
    "goal = Shop.purchased": "`goal` must say how long after entry it counts",
    "goal = 30": "`goal` can't be 30",
    "goal = Email.clicked.within(days=3)": "`goal` takes a business event, without `.when(…)`",
    "holdout = 10": "`holdout` can't be 10",
    "purpose = transactional\n    holdout = percent(10)": "`holdout` can't go with purpose = transactional",
    "enters = Api": "`enters` can't be `Api` without its brackets",
    "again = after": "`again` can't be `after` without its brackets",
    f"zone = {'x' * 500!r}": f"`zone` can't be '{'x' * 79}…",
    "hold_out = percent(10)": "`hold_out` is no setting of a journey",
    "quiet_hour = between('21:00', '08:00')": "`quiet_hour` is no setting of a journey",
    "aim = Shop.purchased.within(days=3)": "`aim` is no setting of a journey",
    "timezone = 'Europe/Paris'": "`timezone` is no setting of a journey",
    "re_entry = always": "`re_entry` is no setting of a journey",
    "whileactive = queue": "`whileactive` is no setting of a journey",
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_A1_settings_that_are_none_are_refused_in_words(setting: str, tmp_path: Path) -> None:
    name = setting.partition(" ")[0]
    kept = "\n".join(line for line in HEAD.splitlines() if not line.strip().startswith(f"{name} ="))
    assert ("J112", SETTINGS[setting]) in refused(f"{kept}\n    {setting}\n\n{MAIL}", tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        ("done = Final()", "done = Final(3)", "J150", "an end takes words for its readers, not 3"),
        ("done = Final()", "done = Goal(doc=['a'])", "J150", "an end takes words for its readers, not ['a']"),
        ("done = Final()", "done = Goal()\n    __doc__ = 3", "J112", "`__doc__` can't be 3"),
        ("after(days=1)", "Email.clicked.link('')", "J150", "link(…) takes a link's name, not an empty text"),
        (
            "yield after(days=1) >> self.done",
            (
                "yield after(days=1) >> self.done\n\n    @Wait()\n    def one(self):\n        yield after(days=1) >> self.two\n\n"
                "    @Wait()\n    def two(self):\n        yield after(days=1) >> self.one"
            ),
            "J120",
            "no way from the first box leads to `one`",
        ),
        ("(Journey)", "(Journey, name=3)", "J107", "`3` can't name a journey: names are in snake_case"),
        (
            "class Care(",
            "class Care(Journey):\n    enters = Api()\n\n\nclass Care(",
            "J144",
            "two journeys are named `care`",
        ),
    ],
)
def test_A1_what_is_no_text_or_no_name_is_told_where_it_stands(
    old: str, new: str, code: str, says: str, tmp_path: Path
) -> None:
    source = f"{HEAD}\n{MAIL}"
    assert source.count(old) == 1
    assert (code, says) in refused(source.replace(old, new), tmp_path)


def test_A1_constants_and_helpers_of_the_authors_own_are_none_of_ours(tmp_path: Path) -> None:
    own = "HOLDOUT = percent(10)\n    _goals = Shop.purchased.within(days=3)\n    towns = ('Paris',)\n    one = 3\n    pause = days(3)"
    assert refused(f"{HEAD}\n    {own}\n\n    def zones(self):\n        return 3\n\n{MAIL}", tmp_path) == [
        ("J120", "nothing leads to `won`")
    ]


WORDS = {
    "a wait twice": ("yield after(days(3), days=2) >> self.done", "J150", "after(…) takes one length of time above zero"),
    "a wait of nothing": ("yield after(hours(0)) >> self.done", "J150", "after(…) takes a length of time above zero"),
    "a wait that is a text": ("yield after('3 days') >> self.done", "J150", "after(…) takes a length of time, not '3 days'"),
    "a measured wait and a fixed": (
        "yield after(Orders.rhythm(), days=3, missing=days(3)) >> self.done", "J150", "after(…) takes one wait: measured, or fixed",
    ),
    "bounds the wrong way round": (
        "yield after(Orders.rhythm(), missing=days(3), at_least=days(9), at_most=days(2)) >> self.done", "J150",
        "at_most=2 d is shorter than at_least=9 d",
    ),
    "bounds of a fixed wait": (
        "yield after(days(3), at_most=days(2)) >> self.done", "J150",
        "missing=, at_least= and at_most= belong to a measured wait, not to a fixed one",
    ),
    "a time and a window": (
        'yield after(days=3, at="09:00", during=between("09:00", "10:00")) >> self.done', "J150",
        "after(…) takes a time (at=, on=, holidays=) or a window (during=between(…)), not both",
    ),
    "weekdays without a time": ("yield after(days=3, on=workdays) >> self.done", "J150", "on= and holidays= go with a time of day"),
    "a date that is none": ("yield until(days(3), past=now, missing=now) >> self.done", "J150", None),
    "a rule that is none": (
        "yield until(Customer.created_at, past=3, missing=now) >> self.done", "J150",
        "past= takes now, skip or a box of the journey, not 3",
    ),
    "a past anniversary": (
        "yield until(Customer.created_at.yearly(), past=now, missing=now) >> self.done", "J150",
        "an anniversary comes round again: past= can't hold for it",
    ),
    "a date moved by a number": ("yield until(Customer.created_at.yearly() + 3, missing=now) >> self.done", "J150", None),
    "a pattern on a fact": ("yield Email.clicked.when(Customer.city.matches('x')) >> self.done", "J150", None),
    "a pattern that is none": ("yield Email.replied.matching('(') >> self.done", "J150", None),
    "a set of another kind": ("yield Email.clicked.when(Customer.city.is_in([3])) >> self.done", "J150", None),
    "a computed fact of the lines": ("yield Email.clicked.when(Orders.sum(Orders.sum(Orders.total)) > 3) >> self.done", "J150", None),
}  # fmt: skip


@pytest.mark.parametrize("case", WORDS)
def test_A1_words_that_make_no_sense_are_refused_where_they_stand(case: str, tmp_path: Path) -> None:
    line, code, message = WORDS[case]
    told = refused(HEAD + MAIL.replace("yield", f"{line}\n        yield"), tmp_path)
    assert [found for found, _ in told] == [code]
    if message is not None:
        assert told == [(code, message)]


def test_A1_a_name_that_the_language_has_is_said_to_be_imported(tmp_path: Path) -> None:
    source = (HEAD + MAIL).replace(
        "from dsl import *", "from dsl import Api, Arrows, Email, Final, Goal, Journey, Payload, text, marketing"
    )
    file = tmp_path / "care.py"
    file.write_text(source)
    with pytest.raises(Problems) as found:
        load(file)
    (error,) = found.value.errors
    assert (error.code, error.help) == ("J102", "write `from dsl import after`")


def test_A1_what_is_no_journey_is_said_to_be_none() -> None:
    with pytest.raises(Problems, match="is no journey: a journey is a class that derives from Journey"):
        compile_journey(int)  # pyright: ignore[reportArgumentType]  # the point of the test


def test_A1_no_state_of_this_name() -> None:
    class Plain(Journey):
        enters = Api()

    with pytest.raises(AttributeError, match="there is no state `cal` in Plain"):
        getattr(Plain(), "cal")  # noqa: B009  # a type checker refuses the plain way
