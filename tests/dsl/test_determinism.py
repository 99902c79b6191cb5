"""J109: what differs from one load to the next is found in a journey, by whatever name it is called; what doesn't is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsl.loading import load
from dsl.problems import Problems

JOURNEY = """\
{head}
from dsl import *


class Care({bases}):
    enters = Api()
    purpose = marketing
    done = Final()
    {setting}

    @Email("care/hello")
    def hello(self{parameter}) -> Arrows:
        {body}
        yield after(days=3) >> self.done
{tail}
"""


def journey(body: str = "pass", head: str = "", **parts: str) -> str:
    usual = {"bases": "Journey", "setting": "pass", "parameter": "", "tail": ""}
    return JOURNEY.format(body=body, head=head, **{**usual, **parts})


def found(folder: Path, source: str, **siblings: str) -> list[str]:
    """What the carets stand under, of each J109."""
    for name, text in siblings.items():
        (folder / f"{name}.py").write_text(text)
    file = folder / "care.py"
    file.write_text(source)
    try:
        load(file)
    except Problems as problems:
        unsteady = [error for error in problems if error.code == "J109"]
        return [error.source[error.column - 1 : error.end_column - 1] for error in unsteady]
    return []


@pytest.mark.parametrize(
    ("head", "body", "said"),
    [
        ("import random", "random.random()", "random.random()"),
        ("import random as dice", "dice.choice([1, 2])", "dice.choice([1, 2])"),
        ("from random import choice", "choice([1, 2])", "choice([1, 2])"),
        ("from random import choice as pick", "pick([1, 2])", "pick([1, 2])"),
        ("from random import *", "shuffle([1, 2])", "shuffle([1, 2])"),
        ("", "import random; random.random()", "random.random()"),
        ("", "from random import random as r; r()", "r()"),
        ("", "import random as r; r.randint(1, 2)", "r.randint(1, 2)"),
        ("import random\nrng = random.Random()", "rng.random()", "rng.random()"),
        ("import random\nlots = random.SystemRandom()", "lots.randrange(3)", "lots.randrange(3)"),
        ("import random", "max([1, 2], key=random.random)", "random.random"),
        ("import random\nfrom functools import partial\npick = partial(random.choice, [1])", "pick()", "pick()"),
        ("import random\npick = random.choice", "pick([1])", "pick([1])"),
        ("import secrets", "secrets.token_hex()", "secrets.token_hex()"),
        ("from secrets import randbelow", "randbelow(3)", "randbelow(3)"),
        ("import uuid", "uuid.uuid4()", "uuid.uuid4()"),
        ("from uuid import uuid1", "uuid1()", "uuid1()"),
        ("import os", "os.urandom(3)", "os.urandom(3)"),
        ("import os", "os.environ['X'] if 0 else 1", "os.environ"),
        ("import os", "os.environ.get('X')", "os.environ.get('X')"),
        ("from os import environ", "'X' in environ", "environ"),
        ("from os import getenv as env", "env('X')", "env('X')"),
        ("import os", "os.getpid()", "os.getpid()"),
        ("import time", "time.time()", "time.time()"),
        ("from time import monotonic as tick", "tick()", "tick()"),
        ("from time import time", "time()", "time()"),
        ("from datetime import datetime", "datetime.now()", "datetime.now()"),
        ("import datetime as dt", "dt.datetime.utcnow()", "dt.datetime.utcnow()"),
        ("from datetime import date", "date.today().weekday()", "date.today()"),
        ("from datetime import datetime\nnow_ = datetime.now", "now_()", "now_()"),
        ("", "from datetime import date; date.today()", "date.today()"),
        ("from datetime import date\nTODAY = date.today()", "TODAY.weekday()", "date.today()"),
        ("from datetime import datetime\nNOW = datetime.now()", "after(days=NOW.date().day)", "datetime.now()"),
        ("", "hash('x')", "hash('x')"),
        ("", "id(self)", "id(self)"),
        ("", "for _ in {'a', 'b'}: pass", "{'a', 'b'}"),
        ("", "for _ in set(['a', 'b']): pass", "set(['a', 'b'])"),
        ("", "[x for x in frozenset('ab')]", "frozenset('ab')"),
        ("", "list({x for x in 'ab'})", "list({x for x in 'ab'})"),
        ("NAMES = {'a', 'b'}", "for name in NAMES: pass", "NAMES"),
        ("", "yield from {after(days=2) >> self.done}", "{after(days=2) >> self.done}"),
    ],
)  # fmt: skip
def test_A1_it_is_found_under_any_name(head: str, body: str, said: str, tmp_path: Path) -> None:
    assert found(tmp_path, journey(body, head)) == [said]


@pytest.mark.parametrize(
    "call",
    ["np.random.rand()", "np.random.default_rng()", "np.random.default_rng().integers(3)", "rng.integers(3)", "rand()"],
)
def test_A1_chance_of_a_package_is_found(call: str, tmp_path: Path) -> None:
    pytest.importorskip("numpy", reason="numpy is not installed: no package with dice of its own")
    head = "import numpy as np\nfrom numpy.random import rand\nrng = np.random.default_rng(7)"
    assert found(tmp_path, journey(call, head))[:1] == [call.removesuffix(".integers(3)") if "()." in call else call]


HELPER = "import random\n\n\ndef lucky():\n    return random.random() < 2\n"


def lots(head: str) -> str:
    """The same function inside of a class."""
    return HELPER.replace("def lucky():\n    return", f"class Lots:\n    {head}\n        return")


@pytest.mark.parametrize(
    "source",
    [
        journey("lucky()", HELPER),
        journey("map(lucky, [])", HELPER),
        journey("luckier()", f"{HELPER}\n\ndef luckier():\n    return not lucky()\n"),
        journey("either()", f"{HELPER}\n\neither = lambda: lucky()\n"),
        journey("cached()", f"{HELPER}\n\nimport functools\ncached = functools.lru_cache(lucky)\n"),
        journey("lucky()", HELPER.replace("def", "from functools import lru_cache\n@lru_cache\ndef")),
        journey("Lots.lucky()", lots("@staticmethod\n    def lucky():")),
        journey("Lots.lucky()", lots("@classmethod\n    def lucky(cls):")),
        journey("lots.lucky()", f"{lots('def lucky(self):')}lots = Lots()"),
        journey("self.lucky()", lots("def lucky(self):"), bases="Lots, Journey"),
        journey("self.helper()", HELPER, tail="\n    def helper(self):\n        return lucky()\n"),
        journey("pass", HELPER, setting="holdout = percent(9 if lucky() else 1)"),
        journey("pass", HELPER, parameter=", x=lucky()"),
        journey("pass", HELPER, parameter=", *, x=lucky(), y=3"),
        journey("N and 0", f"{HELPER}\nN = lucky()\n"),
        journey("M and 0", f"{HELPER}\nN: list[bool] = [lucky()]\nM = N[0]\n"),
        journey("(lambda: lucky())()", HELPER),
        journey("[lucky() for _ in '12']", HELPER),
        journey("f'{lucky()}'", HELPER),
        journey("inner = lambda: lucky(); inner()", HELPER),
    ],
)
def test_A1_it_is_found_through_the_authors_own_functions_and_values(source: str, tmp_path: Path) -> None:
    assert found(tmp_path, source) == ["random.random()"]


def test_A1_it_is_found_in_a_sibling(tmp_path: Path) -> None:
    sibling = "from datetime import date\n\nTODAY = date.today()\n\n\ndef late():\n    return date.today() < TODAY\n"
    assert found(tmp_path, journey("TODAY and 0", "from _days import TODAY"), _days=sibling) == ["date.today()"]
    assert found(tmp_path, journey("T and 0", "from ._days import TODAY as T"), _days=sibling) == ["date.today()"]
    assert len(found(tmp_path, journey("late()", "from _days import late"), _days=sibling)) == 2


def test_A1_it_is_found_in_what_a_function_lends_to_a_journey_that_it_makes(tmp_path: Path) -> None:
    body = "".join(f"    {line}\n" for line in journey("dice()").splitlines()[2:])
    assert found(
        tmp_path,
        f"import random\nfrom dsl import *\n\n\ndef make(dice):\n{body}\n    return Care\n\n\nCare = make(random.random)\n",
    ) == ["dice()"]


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("from datetime import date", "date(2026, 1, 1)"),
        ("from datetime import timedelta", "timedelta(days=3).total_seconds()"),
        ("import uuid", "uuid.uuid5(uuid.NAMESPACE_DNS, 'x')"),
        ("import time", "time.strptime('2026', '%Y')"),
        ("import os", "os.path.join('a', 'b')"),
        ("import random", "random = 3"),
        ("from random import choice", "choice = [1]; choice.count(1)"),
        ("from random import random", "[random for random in '12']"),
        ("from time import time", "(lambda time: time)(3)"),
        ("import random\n\n\ndef unused():\n    return random.random()", "pass"),
        ("from datetime import date\nBEGUN = date.today()", "pass"),
        ("", "sorted({'a', 'b'})"),
        ("", "for _ in sorted({'a', 'b'}): pass"),
        ("", "for _ in {3, 1, 2}: pass"),
        ("", "for _ in {'a': 1, 'b': 2}: pass"),
        ("NUMBERS = frozenset({1, 2})", "list(NUMBERS)"),
        ("", "'a' in {'a', 'b'}"),
        ("class Own:\n    def now(self):\n        return 3\n\n\nown = Own()", "own.now()"),
        ("def today():\n    return 3", "today()"),
        ("def again(n):\n    return n and again(n - 1)", "again(3)"),
        ("N = 3\nM = N", "M and 0"),
        ("import math", "math.floor(2.5)"),
        ("", "unknown = [each.strip() for each in ('a',)]; unknown[0].upper().lower()"),
    ],
)
def test_what_is_the_same_each_time_is_fine(head: str, body: str, tmp_path: Path) -> None:
    assert found(tmp_path, journey(body, head)) == []
