"""The documents, done as a reader would: every block of README and docs runs, and gives what it says."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx
import pytest
from docs.scenario import ROOT, Scenario, blocks, documents
from kit.engine import Engine

from dsl.loading import load

SKIPPED = {
    "make demo": "minutes long; tests/api/demo plays a small one",
    "make test": "it would run itself",
    ". .venv/bin/activate": "the tests have their own path",
    "parcours up": "it stays up; tests/api runs the stack",
    "parcours api": "it stays up; the API's tests run the app",
    "parcours receiver": "it stays up; tests/api/test_mail_command.py runs it",
    "parcours worker": "it stays up; these tests run a worker in their own process",
    "export PARCOURS_DATABASE": "needs a PostgreSQL at a fixed address; the engine's tests run on one",
    "export TEMPORAL_ADDRESS": "needs a cluster",
    "curl -sN": "the stream stays open; tests/api listens to it",
    "KEY=$KEY python dialer.py": "it asks at the terminal; tests/workers lets the file work a queue",
    "export PARCOURS_SECRET": "goes with the two above",
}
"""Commands that are not run, by how they begin, each with the reason."""

ENGINE = {"README.md", "docs/tutorial.md", "docs/marketer.md", "docs/call-center.md", "docs/events.md"}
"""Documents that ask a running API."""

RECORDED = {"docs/simulate.md", "docs/letters.md"}
"""Documents that look at what is recorded."""


def _name(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", [d for d in documents() if _name(d) not in ENGINE | RECORDED], ids=_name)
async def test_every_block_runs(document: Path, tmp_path: Path) -> None:
    await Scenario(tmp_path, SKIPPED).play(document)


@pytest.mark.usefixtures("task")
async def test_readme(folder: Path, http: httpx.AsyncClient) -> None:
    await Scenario(folder, SKIPPED, http).play(ROOT / "README.md")
    assert [found.ir.name for found in load(folder / "journeys" / "thanks.py")] == [
        "thanks"
    ]  # the journey that it shows


async def test_tutorial(folder: Path, http: httpx.AsyncClient) -> None:
    shutil.rmtree(folder / "journeys")  # it begins with nothing
    await Scenario(folder, SKIPPED, http).play(ROOT / "docs" / "tutorial.md")


async def test_marketer(folder: Path, http: httpx.AsyncClient) -> None:
    await Scenario(folder, SKIPPED, http).play(ROOT / "docs" / "marketer.md")


@pytest.mark.usefixtures("three_tasks")
async def test_call_center(folder: Path, http: httpx.AsyncClient, engine: Engine) -> None:
    await Scenario(folder, SKIPPED, http).play(ROOT / "docs" / "call-center.md")
    await engine.until(lambda: engine.at("4711") == "won")  # the outcome has moved her


@pytest.mark.usefixtures("task")
async def test_events(folder: Path, http: httpx.AsyncClient) -> None:
    await Scenario(folder, SKIPPED, http).play(ROOT / "docs" / "events.md")


@pytest.mark.usefixtures("books")
async def test_simulate(folder: Path) -> None:
    await Scenario(folder, SKIPPED).play(ROOT / "docs" / "simulate.md")


async def test_letters(folder: Path, posted: httpx.AsyncClient) -> None:
    await Scenario(folder, SKIPPED, posted).play(ROOT / "docs" / "letters.md")


def test_nothing_is_skipped_that_no_document_says() -> None:
    said = {
        line.removeprefix("$ ")
        for document in documents()
        for block in blocks(document)
        for line in block.text.splitlines()
        if block.kind == "console" and line.startswith("$ ")
    }
    assert {beginning for beginning in SKIPPED if not any(line.startswith(beginning) for line in said)} == set()
