"""What `parcours check` finds in a folder, for tests: the problems of its journeys, and of their templates if they are sound."""

from __future__ import annotations

import re
from pathlib import Path

from dsl.loading import load
from dsl.problems import Problems
from engine.templating.checking import check_templates, uses_of
from engine.templating.templates import Templates

__all__ = ["files_of", "found_in"]

_FILE = re.compile(r"`([\w./-]+\.\w+)`\n\n```\w+\n(.*?)```\n", re.DOTALL)


def files_of(page: str) -> dict[str, str]:
    """The files that a page shows, each a block under its path."""
    return dict(_FILE.findall(page))


def found_in(folder: Path) -> Problems:
    """Everything that is wrong in a folder of journeys; empty if nothing is."""
    try:
        loaded = load(folder)
    except Problems as problems:
        return problems
    templates = Templates(folder)
    return Problems(problem for each in loaded for problem in check_templates(templates, uses_of(each)))
