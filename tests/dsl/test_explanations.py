"""The explanations of the error codes: each code has one, and its examples are what they say they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.checking import files_of, found_in

from dsl.explanations import catalogue, explanation
from dsl.problems import CODES

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "dsl" / "explanations"


def write(folder: Path, page: str) -> Path:
    for name, text in files_of(page).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def parts(code: str) -> tuple[str, str, str]:
    text, _, examples = explanation(code).partition("## Refused\n")
    refused, _, mended = examples.partition("## Mended\n")
    return text, refused, mended


def test_each_code_has_an_explanation_and_no_other() -> None:
    assert sorted(page.stem for page in PAGES.glob("*.md")) == sorted(CODES)


@pytest.mark.parametrize("code", CODES)
def test_an_explanation_says_what_the_code_says_and_why(code: str) -> None:
    text, refused, mended = parts(code)
    head, *paragraphs = text.strip().split("\n\n")
    assert head == f"# {code}: {CODES[code]}"
    assert paragraphs
    assert files_of(refused)
    assert files_of(mended)
    assert files_of(refused) != files_of(mended)


@pytest.mark.parametrize("code", CODES)
def test_A1_the_refused_example_gives_this_code_alone(code: str, tmp_path: Path) -> None:
    assert {error.code for error in found_in(write(tmp_path, parts(code)[1]))} == {code}


@pytest.mark.parametrize("code", CODES)
def test_A1_the_mended_example_is_fine(code: str, tmp_path: Path) -> None:
    found = found_in(write(tmp_path, parts(code)[2]))
    templates = {error.code for error in found} == {
        "J160"
    } and code < "J160"  # an example of the language shows no mails
    assert not found.errors or templates, str(found)


def test_the_catalogue_is_what_the_explanations_say() -> None:
    """Stale? `parcours explain --all > docs/errors.md`."""
    assert (ROOT / "docs" / "errors.md").read_text("utf-8") == catalogue()


def test_an_unknown_code_has_none() -> None:
    with pytest.raises(KeyError):
        explanation("../problems")
