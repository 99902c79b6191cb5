"""What the documents say of settings, codes, scopes, words and files is what there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from docs.scenario import ROOT, blocks, documents
from pydantic import SecretStr

import dsl
from api.command import app
from dsl import draw
from dsl.loading import load
from engine.call_tasks import OUTCOMES
from engine.keys import SCOPES
from engine.settings import Settings

AUTHOR = ROOT / "docs" / "author.md"
OPERATOR = ROOT / "docs" / "operator.md"


def rows(document: Path) -> list[tuple[str, ...]]:
    """The cells of every table's rows."""
    lines = (line for line in document.read_text("utf-8").splitlines() if line.startswith("|"))
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def settings_table() -> list[tuple[str, ...]]:
    """The table of settings as it must stand in docs/operator.md."""

    def shown(value: object) -> str:
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        text = str(plain).replace("\n", "⏎") if plain is not None else ""
        return f"`{text}`" if text else ""

    return [
        (f"`PARCOURS_{name.upper()}`", shown(field.get_default()), (field.description or "").replace("|", "\\|"))
        for name, field in Settings.model_fields.items()
    ]


def test_every_setting_stands_in_the_operators_table() -> None:
    told = [row for row in rows(OPERATOR) if len(row) == 3 and re.fullmatch(r"`PARCOURS_[A-Z_]+`", row[0])]
    wanted = settings_table()
    table = "\n".join(f"| {' | '.join(row)} |" for row in wanted)
    assert told == wanted, f"write it anew:\n{table}"


def test_every_word_of_the_language_is_in_the_authors_document() -> None:
    text = AUTHOR.read_text("utf-8")
    assert [word for word in dsl.__all__ if not re.search(rf"\b{word}\b", text)] == []


def test_scopes_and_outcomes() -> None:
    told = {row[0].strip("`"): row[1] for row in rows(OPERATOR) if row[0].strip("`") in SCOPES and len(row) == 2}
    assert told == SCOPES
    outcomes = {row[0].strip("`") for row in rows(ROOT / "docs" / "call-center.md")}
    assert OUTCOMES.keys() <= outcomes


def test_win_back_is_drawn_as_it_is() -> None:
    """Stale? `parcours draw journeys/win_back.py -o docs/pictures/win_back.svg`."""
    (found,) = load(ROOT / "journeys" / "win_back.py")
    assert (ROOT / "docs" / "pictures" / "win_back.svg").read_text("utf-8") == draw.svg(found.ir)


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_document_names_is_there(document: Path) -> None:
    text = document.read_text("utf-8")
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    missing = [
        link for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)|src=\"([^\"]+)\"", prose) for link in link if link
    ]
    missing = [link for link in missing if "://" not in link and not (document.parent / link).exists()]
    ours = re.findall(r"`((?:api|benchmarks|dsl|engine|journeys|tests|workers)/[\w/.-]*)`", prose)
    written = {block.path for block in blocks(document)}
    missing += [path for path in ours if path not in written and not (ROOT / path).exists()]
    known = {f"PARCOURS_{name.upper()}" for name in Settings.model_fields}
    missing += [name for name in re.findall(r"\bPARCOURS_[A-Z_]+\b", text) if name not in known]
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    commands |= {group.name for group in app.registered_groups if group.name}
    missing += [
        name for name in re.findall(r"(?:`|^\$ |\()parcours ([a-z]+)", text, re.MULTILINE) if name not in commands
    ]
    anchors = [anchor for anchor in re.findall(r"\]\(#([^)]+)\)", prose) if anchor not in _anchors(text)]
    assert missing + anchors == []


def _anchors(text: str) -> set[str]:
    """The anchors that GitHub gives a document's headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_newest_version_of_the_changelog_is_the_packages() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    newest = re.search(r"^## \[([\d.]+)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == version


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 200
