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
from dsl.outcomes import OUTCOMES
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


def test_every_word_of_the_language_is_in_the_authors_index_and_on_the_page_that_it_names() -> None:
    text = AUTHOR.read_text("utf-8")
    assert [word for word in dsl.__all__ if not re.search(rf"\b{word}\b", text)] == []
    told = [(word, page) for row in rows(AUTHOR) if len(row) == 2 for word, page in _words(*row)]
    assert len(told) > 60
    pages = {page: (AUTHOR.parent / page).read_text("utf-8") for _, page in told}
    assert [(word, page) for word, page in told if not re.search(rf"\b{word}\b", pages[page])] == []


def _words(words: str, page: str) -> list[tuple[str, str]]:
    """A row of the index of words: each word with the page that it is on."""
    link = re.fullmatch(r"\[[^]]+\]\((concepts/[^)]+)\)", page)
    return [(word, link[1]) for word in re.findall(r"`(\w+)`", words)] if link is not None else []


def test_every_page_of_a_concept_is_in_the_authors_index() -> None:
    linked = {row[0].partition("](")[2].rstrip(")") for row in rows(AUTHOR)}
    assert {f"concepts/{page.name}" for page in (ROOT / "docs" / "concepts").glob("*.md")} <= linked


def test_scopes_and_outcomes() -> None:
    told = {row[0].strip("`"): row[1] for row in rows(OPERATOR) if row[0].strip("`") in SCOPES and len(row) == 2}
    assert told == SCOPES
    outcomes = {row[0].strip("`") for row in rows(ROOT / "docs" / "call-center.md")}
    assert OUTCOMES.keys() <= outcomes


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
    for page, anchor in re.findall(r"\]\(([^)#:]*\.md)?#([^)]+)\)", prose):
        there = document.parent / page if page else document
        if there.exists() and anchor not in _anchors(there.read_text("utf-8")):
            missing.append(f"{page}#{anchor}")
    assert missing == []


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
