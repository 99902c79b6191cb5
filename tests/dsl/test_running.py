"""An author's code that has no end, or would end the program: a problem with its place, and nothing of it is left behind."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from dsl import bodies, loading, running
from dsl.loading import load
from dsl.problems import JourneyError, Problems

HEAD = """\
import os
from dsl import *


class Care(Journey):
    enters = Api()
    purpose = transactional
    done = Final()

"""
BOX = """\
    @Wait()
    def hello(self) -> Arrows:
        {line}
        yield after(days=1) >> self.done

"""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no end is told of at once."""
    monkeypatch.setattr(bodies, "_SECONDS", 0.05)
    monkeypatch.setattr(loading, "_SECONDS", 0.05)
    monkeypatch.setattr(running, "_PATIENCE", 0.05)


def found(source: str, tmp_path: Path, name: str = "care.py") -> tuple[JourneyError, ...]:
    (tmp_path / name).write_text(source)
    with pytest.raises(Problems) as caught:
        load(tmp_path)
    return caught.value.errors


def lined(*lines: str) -> str:
    return ("\n" + " " * 8).join(lines)


@pytest.mark.parametrize(
    ("source", "line", "codes"),
    [
        (HEAD + BOX.format(line=lined("while True:", "    pass")), 12, ["J102"]),
        (
            HEAD + BOX.format(line="self.helper()") + "    def helper(self):\n        while 1 > 0:\n            pass\n",
            16,
            ["J102"],
        ),
        (
            HEAD
            + BOX.format(
                line=lined(
                    "while True:", "    try:", "        while True: x = 0", "    except Exception:", "        pass"
                )
            ),
            14,
            ["J102"],
        ),
        (
            HEAD
            + BOX.format(
                line=lined(
                    "try:",
                    "    x = 0",
                    "    while True: x += 1",
                    "except BaseException:",
                    "    pass",
                    "while 2 > 1: pass",
                )
            ),
            17,
            ["J102"],
        ),
        (HEAD + BOX.format(line="yield from iter(int, 1)"), 12, ["J102", "J104"]),
        (HEAD + "    def __init__(self):\n        while True: pass\n\n" + BOX.format(line="pass"), 11, ["J102"]),
        (HEAD + BOX.format(line="pass") + "\nwhile True:\n    pass\n", 16, ["J142"]),
    ],
)
def test_A1_what_has_no_end_is_refused_where_it_is(source: str, line: int, codes: list[str], tmp_path: Path) -> None:
    errors = found(source, tmp_path)
    assert sorted({error.code for error in errors}) == codes
    error = next(error for error in errors if error.code == codes[0])
    assert (error.message, error.line) in {("this goes on without an end", each) for each in (line, line + 1)}
    assert error.help.startswith("a body gives its arrows once, and ends")


def test_A1_each_body_without_an_end_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    spins = lined("while True:", "    pass")
    bodies_of = [
        BOX.format(line=each).replace("hello", name)
        for name, each in (("one", spins), ("two", spins), ("three", "1 / 0"))
    ]
    errors = found(HEAD + "".join(bodies_of), tmp_path)
    assert [error.message for error in errors] == ["this goes on without an end"] * 2 + [
        "ZeroDivisionError: division by zero"
    ]


def test_a_file_without_an_end_keeps_no_other_from_being_read(tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text("while True:\n    pass\n")
    errors = found(HEAD + BOX.format(line="1 / 0"), tmp_path)
    assert [(Path(error.file).name, error.code) for error in errors] == [("care.py", "J102"), ("endless.py", "J142")]


def test_nothing_is_left_of_the_watch(tmp_path: Path) -> None:
    real, threads = os._exit, threading.active_count()
    found(HEAD + BOX.format(line="while True: pass"), tmp_path)
    assert os._exit is real
    assert threading.active_count() == threads


@pytest.mark.parametrize("line", ["os._exit(0)", "raise SystemExit", "raise SystemExit(3)"])
def test_A1_the_end_of_the_program_is_a_problem_of_its_line(line: str, tmp_path: Path) -> None:
    (error,) = found(HEAD + BOX.format(line=line), tmp_path)
    assert (error.code, error.line) == ("J102", 12)
    assert error.message == "SystemExit: this would end the program, not only the check"
    (error,) = found(f"{HEAD}{BOX.format(line='pass')}\n{line}\n", tmp_path)
    assert (error.code, error.line) == ("J142", 16)


def test_another_thread_may_end_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    watch = running.Running(60)
    with watch:
        other = threading.Thread(target=lambda: os._exit(7))
        other.start()
        other.join()
        with watch, pytest.raises(SystemExit):
            os._exit(8)
    watch.close()
    assert ended == [7]
