"""Every refusal of `parcours check` (compiler, loader, templates): one bad journey each, its text kept in golden/errors.

`GOLDEN=write pytest tests/dsl/test_checks.py` writes the texts anew; read the difference before you commit it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from kit.checking import files_of, found_in

from dsl.loading import load
from dsl.problems import CODES, JourneyError, Problems

GOLDENS = Path(__file__).parent.parent / "golden" / "errors"
CASES = sorted(GOLDENS.glob("*.md"))
_TEXT = re.compile(r"```text\n((?:(?!```).)*)```\n\Z", re.DOTALL)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_A1_each_refusal_has_its_text(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = case.read_text()
    folder = tmp_path / "journeys"
    folder.mkdir()
    for name, source in files_of(page).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(source)
    monkeypatch.chdir(tmp_path)

    problems = found_in(Path("journeys"))

    text = f"{problems}\n"
    if os.environ.get("GOLDEN") == "write":
        case.write_text(_TEXT.sub(lambda _: f"```text\n{text}```\n", page))
        page = case.read_text()
    found = _TEXT.search(page)
    assert found is not None
    assert text == found[1]
    assert case.stem[:4] in {error.code for error in problems}
    assert "dsl/" not in text, "our own files are no place for an author's error"


def test_A1_each_code_has_a_golden() -> None:
    assert {case.stem[:4] for case in CASES} == set(CODES)


def problems_of(path: Path) -> tuple[JourneyError, ...]:
    try:
        load(path)
    except Problems as problems:
        return problems.errors
    return ()


HEAD = (
    "from dsl import *\n\n\nclass Care(Journey):\n    enters = Api()\n    purpose = marketing\n    done = Final()\n\n"
)


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ("        while True:\n            yield Email.clicked >> self.done\n", ["J102"]),
        ("        yield from self.helpr()\n", ["J101"]),
        ("        if self.calm:\n            yield after(days=1) >> self.done\n", ["J101"]),
        ("        return [after(days=1) >> self.done]\n", ["J104"]),
        ("        yield after(days=1) >> self.done, then\n", ["J104", "J105"]),
        ("        return iter([after(days=1) >> self.done])\n", []),
        ("        return self.helper()\n\n    def helper(self):\n        yield after(days=1) >> self.done\n", []),
        (
            "        yield after(days=1) >> self.helper\n\n    def helper(self):\n        yield then >> self.done\n",
            ["J106"],
        ),
        ("        yield (after(days=1)\n            >> self.done)\n", []),
        ("        yield then >> self.done\n        yield forever\n", ["J124"]),
        ("        yield Email.not_sent >> self.hello\n        yield then >> self.done\n", ["J123"]),
        ("        yield Email.sent >> self.hello\n        yield after(days=1) >> self.done\n", ["J123"]),
        ("        yield Email.sent.up_to(2) >> self.hello\n        yield after(days=1) >> self.done\n", []),
        ("        yield Email.not_sent.up_to(2) >> self.hello\n        yield then >> self.done\n", []),
        ("        yield forever\n", ["J121"]),
        ("        Call.refused.ignored\n        yield after(days=1) >> self.done\n", ["J105"]),
        (
            "        yield Email.replied.keyword('YES').keyword('NO') >> self.done\n        yield after(days=1) >> self.done\n",
            ["J124"],
        ),
        (
            "        yield Email.replied.keyword('YES').matching('NO') >> self.done\n        yield after(days=1) >> self.done\n",
            [],
        ),
        (
            "        yield Email.not_sent.because('failed').because('template') >> self.done\n        yield after(days=1) >> self.done\n",
            ["J124"],
        ),
        (
            (
                "        yield Email.clicked.when((Orders.count() > 3) & (Orders.count() < 2)) >> self.done\n"
                "        yield after(days=1) >> self.done\n"
            ),
            ["J124"],
        ),
        ("        yield Email.delivered >> self.hello\n        yield after(days=1) >> self.done\n", ["J123"]),
        (
            "        yield Email.bounced.when(self.hello.visits < 3) >> self.hello\n        yield after(days=1) >> self.done\n",
            [],
        ),
        (
            "        yield Email.sent.when(self.hello.visits <= 10**9) >> self.hello\n        yield after(days=1) >> self.done\n",
            ["J123"],
        ),
        ("        yield Email.sent.up_to(10**9) >> self.hello\n        yield after(days=1) >> self.done\n", ["J150"]),
        (
            "        yield after(days=1) >> self.done\n\n    @Anywhere()\n    def around(self):\n        yield Email.sent >> self.hello\n",
            ["J123"],
        ),
        (
            (
                "        yield after(days=1) >> self.done\n\n    @Anywhere()\n    def around(self):\n"
                "        yield Email.sent.any_send() >> self.hello\n"
            ),
            ["J123"],
        ),
        (
            (
                "        yield after(days=1) >> self.done\n\n    @Anywhere()\n    def around(self):\n"
                "        yield Email.sent.up_to(2) >> self.hello\n"
            ),
            [],
        ),
        ("        yield Email.clicked >> self.done\n        yield then >> self.done\n", ["J124"]),
        ("        yield Email.clicked.late() >> self.done\n        yield then >> self.done\n", []),
        ("        yield Email.clicked.any_send() >> self.done\n        yield then >> self.done\n", []),
        ("        yield after(days=10**6) >> self.done\n", ["J150"]),
        ("        yield after(days=float('inf')) >> self.done\n", ["J150"]),
        (
            "        yield Email.delivered.matching('x') >> self.done\n        yield after(days=1) >> self.done\n",
            ["J102"],
        ),
        ("        yield Sms.not_sent >> self.done\n        yield then >> self.done\n", ["J127"]),
        ("        yield Sms.clicked.any_send() >> self.done\n        yield after(days=1) >> self.done\n", ["J127"]),
        ("        yield Email.clicked.any_send() >> self.done\n        yield after(days=1) >> self.done\n", []),
        ("        yield after(days=1) >> self.done >> self.done\n", ["J150"]),
        ("        yield event() >> self.done\n        yield then >> self.done\n", ["J150"]),
        ("        yield Email.clicked >> self.hello.arrows\n        yield after(days=1) >> self.done\n", ["J106"]),
        ("        yield None\n", ["J104"]),
        ("        yield from after(days=1) >> self.done\n", ["J102"]),
        ("        yield after(days=1) >> (lambda: self.done)\n", ["J106"]),
        ("        yield from Care.hello.arrows(self)\n", ["J102"]),
        ("        yield self.nowhere\n", ["J104"]),
        ("        yield then >> self.done\n        len(3)\n", ["J102"]),
        ("        yield then >> self.done\n        (lambda: 0)(hour=3)\n", ["J102"]),
        ("        yield then >> self.done\n        Unheard(hour=3)\n\n\nclass Unheard:\n    pass\n", ["J102"]),
        ("        yield then >> self.done\n        unheard(hour=3)\n\n\ndef unheard():\n    pass\n", ["J102"]),
        (
            (
                "        yield then >> self.done\n\n    @Anywhere()\n    def exits(self) -> Arrows:\n"
                "        yield Shop.purchased >> self.done\n        yield forever\n"
            ),
            ["J104"],
        ),
        ("        pass\n\n    hello = 3\n", ["J108"]),
        ("        yield after(days=1) >> self.done\n\n    def hello(self):\n        pass\n", ["J108"]),
        ("        yield after(days=1) >> self.done\n\n    def __init__(self, x):\n        pass\n", ["J102"]),
    ],
)
def test_A1_odd_bodies(body: str, codes: list[str], tmp_path: Path) -> None:
    file = tmp_path / "care.py"
    file.write_text(f'{HEAD}    @Email("care/hello")\n    def hello(self) -> Arrows:\n{body}')
    assert sorted(error.code for error in problems_of(file)) == codes


MEASURED = "        yield after(Orders.rhythm(), {rule}) >> self.done\n        yield after(days={days}) >> self.done\n"


@pytest.mark.parametrize(
    ("rule", "days", "codes"),
    [
        ("missing=days(30)", 10, []),
        ("missing=days(30), at_least=days(7)", 7, []),
        ("missing=days(30), at_least=days(7)", 6, ["J124"]),
        ("missing=days(5), at_most=days(7)", 7, []),
        ("missing=days(12), at_most=days(7)", 10, []),
        ("missing=days(5), at_most=days(7)", 10, ["J124"]),
        ("missing=days(1), at_least=days(7)", 3, []),
    ],
)
def test_A1_a_time_out_beside_a_measured_wait(rule: str, days: int, codes: list[str], tmp_path: Path) -> None:
    file = tmp_path / "care.py"
    body = MEASURED.format(rule=rule, days=days)
    file.write_text(f'{HEAD}    @Email("care/hello")\n    def hello(self) -> Arrows:\n{body}')
    assert [error.code for error in problems_of(file)] == codes


@pytest.mark.parametrize("line", ["yield then >> self.done", "return then >> self.done"])
def test_A1_a_body_is_no_coroutine(line: str, tmp_path: Path) -> None:
    file = tmp_path / "care.py"
    file.write_text(f'{HEAD}    @Email("care/hello")\n    async def hello(self) -> Arrows:\n        {line}\n')
    (error,) = problems_of(file)
    assert (error.code, error.message) == ("J104", "this is no arrow, but what an `async def` gives")
    assert error.help == "write `def` in place of `async def`"


@pytest.mark.parametrize(
    ("source", "message", "help"),
    [
        (
            "    @Wait\n    def rest(self) -> Arrows:\n        yield after(days=1) >> self.done\n",
            "TypeError: Box.__init__() takes 1 positional argument but 2 were given",
            "a decorator has its brackets, as in `@Wait()`",
        ),
        (
            "    @Email\n    def mail(self) -> Arrows:\n        yield after(days=1) >> self.done\n",
            "@Email(…) takes the reference of a template, not a method",
            'for example @Email("win_back/discount"), in parentheses above the method',
        ),
        (
            "    over = Final\n\n    @Wait()\n    def rest(self) -> Arrows:\n        yield after(days=1) >> self.over\n",
            "this arrow leads to no box, but to `Final`",
            "a box is made with brackets: `Final()`",
        ),
    ],
)
def test_A1_forgotten_brackets_are_told_of(source: str, message: str, help: str, tmp_path: Path) -> None:  # noqa: A002  # the word of the problem
    file = tmp_path / "care.py"
    file.write_text(HEAD + source)
    found = next(error for error in problems_of(file) if error.message == message)
    assert found.help == help


def test_a_mistake_of_a_base_is_told_once(tmp_path: Path) -> None:
    source = (
        HEAD + '    @Email("care/hello")\n    def hello(self) -> Arrows:\n        yield after(days=1) >> self.dome\n'
    )
    (tmp_path / "care.py").write_text(source + "\n\nclass More(Care):\n    pass\n\n\nclass Most(More):\n    pass\n")
    assert [error.code for error in problems_of(tmp_path)] == ["J101"]


def test_a_fact_that_is_not_there_may_be_one_to_declare(tmp_path: Path) -> None:
    file = tmp_path / "care.py"
    for fact, said in (
        ("birthday", "declare what else"),
        ("first_nam", "did you mean `first_name`? Or declare what else"),
    ):
        body = f"        yield Email.clicked.when(Customer.{fact} == 'x') >> self.done\n"
        file.write_text(f'{HEAD}    @Email("care/hello")\n    def hello(self) -> Arrows:\n{body}')
        (error, *_) = problems_of(file)
        assert error.code == "J102"
        assert error.help.startswith(f"{said} you know of her: `class Member(Customer): {fact} = text()`")
