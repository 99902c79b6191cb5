"""What Python itself says of a misused word has a way out beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsl.loading import load
from dsl.problems import Problems

CARE = """\
from dsl import *


class Member(Customer):
    vip = flag()
    town = text()


class Care(Journey):
    enters = Api()
    purpose = marketing
    won = Goal()
    done = Final()

    def more(self) -> Arrows:
        yield Email.opened >> self.won

    @Email("care/mail")
    def mail(self) -> Arrows:
        {line}
        yield after(days=3) >> self.done

    @Choice()
    def which(self) -> Arrows:
        {choice}
        yield otherwise >> self.done
"""
LINES = {
    'yield Email.clicked.when(Member.town == "x" & Member.vip) >> self.won': "each side has its brackets",
    "yield Email.clicked | Email.opened >> self.won": "each answer has an arrow of its own",
    "yield (Email.clicked | Email.opened) >> self.won": "each answer has an arrow of its own",
    "yield (when(Member.vip.is_true()) & when(Member.vip.is_true())) >> self.won": "one `when` asks all",
    "yield from self.more": "a method is called",
    "yield Email.clicked.when(Orders.count > 3) >> self.won": "what counts is called",
    "yield Email.clicked > self.won": "an arrow goes from the answer to the box",
    "yield self.won << Email.clicked": "an arrow goes from the answer to the box",
    "yield Email.clicked.when(~Member.vip) >> self.won": "a flag is asked: `.is_false()`",
    "yield Email.clicked.when(Member.vip) >> self.won": "a flag is asked: `.is_true()` or `.is_false()`",
    "yield Email.clicked.when(Member.vip == True) >> self.won": "a flag is asked: `.is_true()` or `.is_false()`",
    "yield when(Member.vip.is_true()).up_to(3) >> self.won": "what leads on at once is bounded by a count",
}


def hints(source: str, tmp_path: Path) -> list[str]:
    file = tmp_path / "care.py"
    file.write_text(source)
    with pytest.raises(Problems) as found:
        load(file)
    return [error.help for error in found.value.errors]


@pytest.mark.parametrize("line", LINES)
def test_A1_a_misused_word_has_a_way_out(line: str, tmp_path: Path) -> None:
    source = CARE.format(line=line, choice="yield when(Member.vip.is_true()) >> self.won")
    assert any(hint.startswith(LINES[line]) for hint in hints(source, tmp_path))


@pytest.mark.parametrize("line", ["max(3 > 'x', 1)", "{'a'} | ['b']", "'x' << 3", "None & 3"])
def test_A1_what_has_nothing_to_do_with_the_language_gets_no_advice_on_it(line: str, tmp_path: Path) -> None:
    source = CARE.format(line=line, choice="yield when(Member.vip.is_true()) >> self.won")
    assert "" in hints(source, tmp_path)


@pytest.mark.parametrize("word", ["Anywhere", "Stage"])
def test_A1_a_decorator_without_its_brackets(word: str, tmp_path: Path) -> None:
    source = f"from dsl import *\n\n\nclass Care(Journey):\n    @{word}\n    def mail(self): ...\n"
    assert f"a decorator has its brackets: `@{word}()`" in hints(source, tmp_path)


def test_A1_the_way_out_of_a_loop_of_choices_is_one_that_there_is(tmp_path: Path) -> None:
    source = CARE.format(
        line="yield Email.clicked >> self.which", choice="yield when(Member.vip.is_true()) >> self.which"
    )
    (hint,) = [hint for hint in hints(source, tmp_path) if "bound an arrow" in hint]
    assert hint.endswith("`when(self.which.visits < 3)`")
    bounded = "yield when(Member.vip.is_true() & (self.which.visits < 3)) >> self.which"
    (tmp_path / "care.py").write_text(source.replace("yield when(Member.vip.is_true()) >> self.which", bounded))
    with pytest.raises(Problems) as found:
        load(tmp_path / "care.py")
    assert [error.code for error in found.value.errors] == ["J120"], "nobody wins"
