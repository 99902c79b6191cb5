"""A command closes the database that it opened, so that nothing is left to the garbage collector (Python 3.13 warns of it)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.command import invoke
from sqlalchemy import Engine, event


@pytest.fixture
def closed() -> Iterator[list[str]]:
    """The databases that were closed."""
    names: list[str] = []

    def note(engine: Engine) -> None:
        names.append(Path(str(engine.url.database)).name)

    event.listen(Engine, "engine_disposed", note)
    yield names
    event.remove(Engine, "engine_disposed", note)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["key", "list"], 0),
        (["feed", "revoke", "nobody"], 1),
        (["mail", "in", "letter.eml", "--to", "nobody@parcours.example"], 67),
        (["mail", "in", "letter.eml"], 0),
    ],
    ids=["it ends", "it fails", "a mail is refused", "a mail is taken"],
)
def test_a_command_closes_its_database_however_it_ends(
    arguments: list[str], code: int, closed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "letter.eml").write_text("From: zoe@example.com\nTo: hello@parcours.example\n\nHello\n")
    monkeypatch.chdir(tmp_path)
    env = {"PARCOURS_DATA": str(tmp_path / "var")}
    assert invoke("key", "list", env=env).exit_code == 0  # makes the database
    closed.clear()
    assert invoke(*arguments, env=env).exit_code == code
    assert closed == ["parcours.db"]
