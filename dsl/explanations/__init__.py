"""The long text of each error code: what it means, why it is refused, an example, and the mended one. One file for each.

`parcours explain J105` prints it; `docs/errors.md` is all of them.
"""

from __future__ import annotations

import re
from importlib.resources import files

from dsl.problems import CODES

__all__ = ["catalogue", "explanation"]

_HEAD = """\
# Error codes

<!-- Made by `parcours explain --all > docs/errors.md` from dsl/explanations; a test compares the two. -->

Every problem that `parcours check` finds has a code, which stays. `parcours explain J105` prints what stands here.
"""


def explanation(code: str) -> str:
    """The text of one code, in Markdown. Raises KeyError for a code that there is none of."""
    if code not in CODES:
        raise KeyError(code)
    return (files(__name__) / f"{code}.md").read_text("utf-8")


def catalogue() -> str:
    """Every explanation, as a document with a table of them."""
    table = [
        "| code | what is wrong |",
        "|---|---|",
        *(f"| [`{c}`](#{c.lower()}) | {said} |" for c, said in CODES.items()),
    ]
    return "\n".join([_HEAD, *table, "", "\n".join(_section(code) for code in CODES)])


def _section(code: str) -> str:
    """An explanation as a part of the catalogue: its headings a level lower, and the code alone as its anchor."""
    body = re.sub(r"^#(#+) ", r"#\1# ", explanation(code), flags=re.MULTILINE)
    title = CODES[code]
    return body.replace(f"# {code}: {title}\n", f"## {code}\n\n**{title[0].upper()}{title[1:]}.**\n", 1)
