"""A rename by a language server finishes the job: no box, end or answer is named by a string."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.language_server import LanguageServer, pyright

from dsl.ir_json import from_json, to_json
from dsl.loading import load

ROOT = Path(__file__).parents[2]
REPAIR = """
from dsl import *


class Rider(Customer):
    tier = text()


class Rating(Payload):
    stars = number()


class Workshop(Events):
    rated = event(Rating)


class Repair(Journey):
    enters = Api()
    purpose = marketing
    pause = Knob(days(3), min=days(1), max=days(5), label="How long we wait")
    happy = Goal()
    gone = Final()

    @Choice()
    def known(self) -> Arrows:
        yield when(Rider.tier == "gold") >> self.ask
        yield otherwise >> self.gone

    @Stage()
    def asking(self) -> Arrows:
        yield Shop.purchased >> self.happy

    @Email("repair/ask", stage=asking)
    def ask(self) -> Arrows:
        yield Workshop.rated.where(Rating.stars >= 4) >> self.happy
        yield after(self.pause) >> self.gone
"""
REPAIRED = """
from dsl import *
from dsl.testing import customer, walk
from journeys.repair import Rating, Repair, Rider, Workshop


def test_who_is_happy_is_told() -> None:
    w = walk(Repair, customer={Rider.tier: "gold"})
    assert w.copy().wait(Repair.pause.value).at is Repair.gone
    assert Repair.asking is Repair.ask.stage
    assert w.tell(Workshop.rated, {Rating.stars: 3}).change({Rider.tier: "silver"}).at is Repair.ask
    assert w.tell(Workshop.rated, {Rating.stars: 4}).at is Repair.happy
    assert walk(Repair, customer=customer({Rider.tier: "silver"})).at is Repair.gone
"""
FILES = (ROOT / "journeys" / "win_back.py", ROOT / "tests" / "journeys" / "test_win_back.py")


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LanguageServer, Path, Path]]:
    """An editor with a journey and its tests open."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "journeys").mkdir()
    journey, test = folder / "journeys" / "win_back.py", folder / "test_win_back.py"
    shutil.copy(FILES[0], journey)
    shutil.copy(FILES[1], test)
    settings = {"typeCheckingMode": "strict", "pythonVersion": "3.11", "extraPaths": [str(ROOT)]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    with pyright(folder) as server:
        for file in (journey, test):
            server.open(file)
        yield server, journey, test


def strings(source: str) -> set[str]:
    """The strings of a program that are no docstrings."""
    tree = ast.parse(source)
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and isinstance(node.body[0], ast.Expr)
    }
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docs)
    return {node.value for node in constants if isinstance(node.value, str)}


def names(source: str) -> set[str]:
    """The names that a program uses after a dot, or gives to a method or to a variable."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(attr=name) | ast.FunctionDef(name=name) | ast.Name(id=name):
                found.add(name)
            case _:
                pass
    return found


@pytest.mark.parametrize(
    ("at", "old", "new"),
    [
        ("    def call", "call", "ring"),
        ("    won", "won", "brought_back"),
        ("yield share(50) >> self.story", "story", "tale"),
    ],
    ids=["a box", "an end", "from where it is used"],
)
def test_A1_a_rename_by_the_language_server_finishes_the_job(
    editor: tuple[LanguageServer, Path, Path], at: str, old: str, new: str, tmp_path: Path
) -> None:
    server, journey, test = editor
    changed = server.rename(journey, at, new)
    assert changed.keys() == {journey, test}, "the journey, and its tests"
    (tmp_path / "journeys").mkdir()
    file = tmp_path / "journeys" / "win_back.py"
    file.write_text(changed[journey])
    (tmp_path / "test_win_back.py").write_text(changed[test])
    (before,), (after,) = load(journey), load(file)

    assert old in before.ir.by_name
    assert new in after.ir.by_name
    assert old not in after.ir.by_name
    back = json.loads(json.dumps(to_json(after.ir)).replace(f'"{new}"', f'"{old}"'))
    assert from_json(back).hash == before.ir.hash, "the same journey but for the name"
    assert after.ir.hash != before.ir.hash
    for source in changed.values():
        assert old not in names(source)
        assert old not in strings(source), "nothing is named by a string"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--import-mode=importlib", "-p", "no:cacheprovider", "-k", "not reviewed and not is_for"],
        cwd=tmp_path, env={"PATH": "", "PYTHONPATH": f"{tmp_path}:{ROOT}"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout


@pytest.fixture(scope="module")
def repair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LanguageServer, Path, Path]]:
    """An editor with a journey of an own payload, an own fact, a knob and a stage, and its tests."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "journeys").mkdir()
    journey, test = folder / "journeys" / "repair.py", folder / "test_repair.py"
    journey.write_text(REPAIR)
    test.write_text(REPAIRED)
    settings = {"typeCheckingMode": "strict", "pythonVersion": "3.11", "extraPaths": [str(ROOT)]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    with pyright(folder) as server:
        for file in (journey, test):
            server.open(file)
        yield server, journey, test


@pytest.mark.parametrize(
    ("at", "new"),
    [("stars", "points"), ("tier", "rank"), ("pause", "breath"), ("def asking", "question"), ("rated", "judged")],
    ids=["a payload's field", "a customer's fact", "a knob", "a stage", "an event"],
)
def test_A1_so_does_that_of_a_field_a_fact_a_knob_a_stage_and_an_event(
    repair: tuple[LanguageServer, Path, Path], at: str, new: str, tmp_path: Path
) -> None:
    server, journey, test = repair
    changed, old = server.rename(journey, f"    {at}", new), at.rsplit(maxsplit=1)[-1]
    assert changed.keys() == {journey, test}, "the journey, and its tests"
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "repair.py").write_text(changed[journey])
    (tmp_path / "test_repair.py").write_text(changed[test])
    for source in changed.values():
        assert new in names(source)
        assert old not in names(source)
        assert old not in strings(source), "nothing is named by a string"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--import-mode=importlib", "-p", "no:cacheprovider"],
        cwd=tmp_path, env={"PATH": "", "PYTHONPATH": f"{tmp_path}:{ROOT}"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout
