"""Bases: the abstract journeys of an author's files. They are there to derive from; nobody enters them."""

from __future__ import annotations

import ast
from pathlib import Path

from dsl.loading import journey_files
from dsl.pointing import shown
from dsl.source import tree_of

__all__ = ["bases", "only_bases"]


def bases(path: Path) -> dict[str, str]:
    """The abstract journeys of a file, or of a folder's files: name and file. Raises Problems where there is no file."""
    found: dict[str, str] = {}
    for file in journey_files(path):
        tree = tree_of(str(file))
        for node in ast.walk(tree) if tree is not None else ():
            if isinstance(node, ast.ClassDef) and any(_abstract(each) for each in node.keywords):
                found.setdefault(node.name, shown(str(file)))
    return found


def only_bases(path: Path) -> str:
    """Of a file or folder that holds no other journey: what it holds, in a sentence with the way out."""
    found = bases(path)
    if not found:
        return f"there is no journey in {shown(str(path))}"
    named = ", ".join(f"`{name}` in {file}" for name, file in found.items())
    first = next(iter(found))
    verb, noun = ("is", "a base") if len(found) == 1 else ("are", "bases")
    return f"{named} {verb} abstract: {noun} for others, which nobody enters; derive one from it: class Spring{first}({first})"


def _abstract(keyword: ast.keyword) -> bool:
    return keyword.arg == "abstract" and isinstance(keyword.value, ast.Constant) and keyword.value.value is True
