"""What a run is made of besides its rows: pictures and other files that its letters name, and whose hand set them.

A run's rows and templates are kept, so it can be made again; these lie in a folder, where people change them. What they were is kept
with the run, so that a file which would come out with other bytes is refused, and says why (behaviour K5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine.tables import Letter
from engine.templating.templates import Template

__all__ = ["differs", "files_of", "setter"]

_QUOTED = re.compile(r'"([^"\n]+)"')
_FILE = re.compile(r"(?!.*://)[^\0\n]{1,300}\.\w{2,5}")


def setter() -> str:
    """Whose hand set the letters: another version may set the same text otherwise."""
    return f"Typst {version('typst')}"


def files_of(letters: Sequence[Letter], templates: Mapping[str, Template], root: Path) -> dict[str, str]:
    """The files below `root` that letters name, in their templates or in what they are given: path, and sha256."""
    named: set[tuple[str, str]] = set()
    for letter in letters:
        folder = str(letter.data.get("folder", ""))
        named |= {(folder, each) for each in _texts(letter.data)}
        if (template := templates.get(letter.template_hash)) is not None:
            named |= {(folder, each) for each in _QUOTED.findall(template.source[template.frame :])}
    top = root.resolve()
    found: dict[str, str] = {}
    for folder, name in named:
        if _FILE.fullmatch(name):
            path = top / (name.lstrip("/") if name.startswith("/") else folder + name)
            digest = _digest(path, top)
            if digest:
                found[path.resolve().relative_to(top).as_posix()] = digest
    return dict(sorted(found.items()))


def differs(made_of: Mapping[str, Any], root: Path) -> str:
    """What is not as it was when the run was made, in words."""
    top, told = root.resolve(), list[str]()
    for name, was in dict[str, str](made_of.get("files", {})).items():
        now = _digest(top / name, top)
        if now != was:
            told.append(f"{name} {'has changed since' if now else 'is no longer there'}")
    if made_of.get("setter", setter()) != setter():
        told.append(f"it was set by {made_of['setter']}, and this is {setter()}")
    return "; ".join(told) or "something that its templates read has changed since"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():  # pyright: ignore[reportUnknownVariableType]  # JSON
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:  # pyright: ignore[reportUnknownVariableType]  # JSON
            yield from _texts(each)


def _digest(path: Path, top: Path) -> str:
    """Of a file below `top`; empty where there is none."""
    try:
        path = path.resolve()
        return sha256(path.read_bytes()).hexdigest() if path.is_relative_to(top) and path.is_file() else ""
    except (OSError, ValueError):
        return ""
