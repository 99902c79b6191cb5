"""`parcours explain`: what it prints, and how it ends."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from api.command import app
from dsl.explanations import catalogue, explanation
from dsl.problems import CODES


def test_without_a_code_it_lists_them_all() -> None:
    run = CliRunner().invoke(app, ["explain"])
    assert run.exit_code == 0
    assert run.stdout.splitlines() == [f"{code}  {title}" for code, title in CODES.items()]


@pytest.mark.parametrize("code", ["J105", "j105"])
def test_a_code_is_explained(code: str) -> None:
    run = CliRunner().invoke(app, ["explain", code])
    assert run.exit_code == 0
    assert run.stdout == explanation("J105")


def test_all_of_them_are_the_document() -> None:
    run = CliRunner().invoke(app, ["explain", "--all"])
    assert run.exit_code == 0
    assert run.stdout == catalogue()


@pytest.mark.parametrize(
    ("code", "says"), [("J10", "did you mean"), ("wine", "lists them all"), ("../J105", "did you mean `J105`")]
)
def test_an_unknown_code_is_wrong_usage(code: str, says: str) -> None:
    run = CliRunner().invoke(app, ["explain", code], env={"COLUMNS": "200"})
    assert run.exit_code == 2
    assert says in " ".join(run.stderr.replace("│", " ").split())
