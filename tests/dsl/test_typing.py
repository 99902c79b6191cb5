"""What pyright says of journeys: nothing of right ones, and the rule that is named of each wrong line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from dsl.loading import load
from dsl.problems import Problems

FOLDER = Path(__file__).parent.parent / "typing"
ROOT = FOLDER.parent.parent


@cache
def told() -> dict[str, dict[int, set[str]]]:
    """The rules that pyright names, by file and line. What follows from an unknown type is left out."""
    pyright = shutil.which("pyright", path=Path(sys.executable).parent) or shutil.which("pyright")
    if pyright is None:
        pytest.skip("pyright is not installed")
    command = [pyright, "--project", str(FOLDER), "--outputjson"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)  # our own tool
    report = json.loads(run.stdout)
    assert report["summary"]["filesAnalyzed"] >= 2
    found: dict[str, dict[int, set[str]]] = {}
    for one in report["generalDiagnostics"]:
        rule: str = one.get("rule", "error")
        if not rule.startswith("reportUnknown"):
            lines = found.setdefault(Path(one["file"]).name, {})
            lines.setdefault(one["range"]["start"]["line"] + 1, set()).add(rule)
    return found


def expected(file: Path) -> dict[int, set[str]]:
    lines = file.read_text().splitlines()
    marked = {number: line.partition("# expect-error: ")[2] for number, line in enumerate(lines, 1)}
    return {number: {rule.strip() for rule in rules.split(",")} for number, rules in marked.items() if rules}


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.py")), ids=lambda file: file.stem)
def test_A1_pyright_says_what_is_expected(file: Path) -> None:
    assert told().get(file.name, {}) == expected(file)


def test_A1_the_wrong_file_is_wrong_in_many_ways() -> None:
    assert len(expected(FOLDER / "wrong.py")) > 30


MISTAKES = {
    "a wrong target": ("yield Email.clicked >> self.cal", "J101"),
    "a wrong answer": ("yield Email.clickd >> self.won", "J102"),
    "an answer of another channel": ("yield Call.interested >> self.won", "J127"),
    "a wrong keyword": ("yield after(day=3) >> self.won", "J102"),
    "no arrow": ("yield self.won", "J104"),
    "a forgotten yield": ("Email.clicked >> self.won", "J105"),
}
"""What an author may get wrong in a body, and the code by which the compiler refuses it, pyright or not."""


@pytest.mark.parametrize("mistake", MISTAKES)
def test_A1_the_compiler_refuses_what_an_author_without_a_type_checker_gets_wrong(mistake: str, tmp_path: Path) -> None:
    line, code = MISTAKES[mistake]
    file = tmp_path / "care.py"
    body = "    @Email('care/mail')\n    def mail(self) -> Arrows:\n        yield after(days=3) >> self.won\n"
    head = (
        "from dsl import *\n\n\nclass Care(Journey):\n    enters = Api()\n    purpose = marketing\n    won = Goal()\n\n"
    )
    file.write_text(f"{head}{body}        {line}\n")
    with pytest.raises(Problems) as found:
        load(file)
    assert [(error.code, error.line) for error in found.value.errors] == [(code, 12)]
    if code != "J127":  # channels share their answers' type: what is whose is the compiler's to say
        assert line in (FOLDER / "wrong.py").read_text().replace("self.lapsed", "self.won"), "pyright refuses it too"
