"""The reasons that an author may ask for are those that the engine gives, and those that its document names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from dsl.triggers import Reason

ROOT = Path(__file__).parents[2]
UNHEARD = {"ended"}
"""Whoever has left the journey takes no arrow of it any more."""


def test_every_reason_is_given_by_the_engine_and_stands_in_the_document() -> None:
    sources = (file.read_text() for folder in ("engine", "workers") for file in (ROOT / folder).rglob("*.py"))
    given = {reason for text in sources for reason in re.findall(r'\bNo\(\s*"not_sent",\s*"([a-z ]+)"', text)}
    assert given - UNHEARD | {"failed"} == set(get_args(Reason)), "`failed`: the provider said no, which no rule does"
    table = (ROOT / "docs/concepts/sending.md").read_text().partition("| reason | |")[2].partition("\n\n")[0]
    named = [re.findall(r"`([a-z ]+)`", row.split("|")[1]) for row in table.splitlines()[2:]]
    assert {reason for names in named for reason in names} == set(get_args(Reason))
