"""What could never act is refused: a day that never comes, fewer visits than there are, an entry that looks back, two rules in one."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsl import cron
from dsl.loading import load
from dsl.problems import LanguageError, Problems

CARE = """\
from dsl import *


class Care(Journey):
    enters = {enters}
    parallel = Purchase.order_id
    purpose = marketing
    won = Goal()
    done = Final()

    @Stage()
    def near(self) -> Arrows:
        yield Email.opened{stage} >> self.won

    @Email("care/first", stage=near)
    def hello(self) -> Arrows:
        yield after(days=3) >> self.more

    @Email("care/again", stage=near)
    def more(self) -> Arrows:
        yield Email.clicked{box} >> self.won
        yield after(days=3) >> self.done

    @Anywhere()
    def exits(self) -> Arrows:
        yield Consent.withdrawn.moves("all"){anywhere} >> self.done
"""


def problems(folder: Path, **parts: str) -> list[tuple[str, str, str]]:
    given = {"enters": "Shop.purchased", "stage": "", "box": "", "anywhere": "", **parts}
    (folder / "care.py").write_text(CARE.format(**given))
    try:
        load(folder / "care.py")
    except Problems as found:
        return [(error.code, error.message, error.help) for error in found.errors]
    return []


@pytest.mark.parametrize("count", ["< 1", "<= 0", "== 0", "< 0.5", "== 0.5"])
@pytest.mark.parametrize(
    ("where", "of"), [("box", "more"), ("box", "hello"), ("stage", "hello"), ("anywhere", "hello")]
)
def test_A1_fewer_visits_than_there_are_is_refused(where: str, of: str, count: str, tmp_path: Path) -> None:
    assert problems(tmp_path, **{where: f".when(self.{of}.visits {count})"}) == [
        (
            "J124",
            f"this arrow is never taken: who is here has been in `{of}` once at least",
            f"this time counts: `self.{of}.visits == 1` holds the first time",
        )
    ]


@pytest.mark.parametrize(
    ("where", "asked"),
    [
        ("box", "self.more.visits < 2"),
        ("box", "self.more.visits == 1"),
        ("box", "self.more.visits <= 1"),
        ("box", "self.more.visits >= 0"),
        ("stage", "self.more.visits < 1"),  # who is in the first box
        ("anywhere", "self.more.visits == 0"),
        ("box", '(self.hello.visits > 1) & (Customer.country == "FR")'),
    ],
)
def test_A1_a_count_that_may_be_is_fine(where: str, asked: str, tmp_path: Path) -> None:
    assert problems(tmp_path, **{where: f".when({asked})"}) == []


@pytest.mark.parametrize("word", ["looking_back(days=3)", "first()"])
def test_A1_an_entry_hears_nothing_of_before(word: str, tmp_path: Path) -> None:
    said = "looking_back(…)" if "look" in word else word
    assert problems(tmp_path, enters=f"Shop.purchased.{word}") == [
        (
            "J112",
            f"`enters` takes an event without `.{said}`",
            f"delete `.{said}`: it says which events a box hears, and she is in none yet",
        )
    ]


@pytest.mark.parametrize("rules", ['by(Purchase.order_id).moves("all")', 'moves("all").by(Purchase.order_id)'])
def test_A1_a_key_and_a_rule_for_none_are_refused(rules: str, tmp_path: Path) -> None:
    ((code, message, _),) = problems(tmp_path, enters=f"Shop.purchased.{rules}")
    assert (code, message) == ("J150", "`.by(…)` names one enrolment, `.moves(…)` is for where nobody knows which")


@pytest.mark.parametrize("line", ["0 9 30 2 *", "0 9 31 4,6,9,11 *", "0 9 30-31 2 */2"])
def test_A1_a_day_that_never_comes_is_refused(line: str) -> None:
    with pytest.raises(LanguageError, match="never comes: no such month has such a day"):
        cron(line)


@pytest.mark.parametrize("line", ["0 9 29 2 *", "0 9 31 4,5 *", "0 9 30 2 1"])
def test_A1_a_day_that_comes_is_fine(line: str) -> None:
    assert cron(line).cron == line
