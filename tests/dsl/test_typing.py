"""What pyright says of journeys: nothing of right ones, and the rule that is named of each wrong line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

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
