"""From a plain HTML source with Jinja in it to Jinja templates of a mail: CSS inlined once a template, and the preheader.

So that no HTML parser sees Jinja, `{{ … }}` becomes a word and `{% … %}` a comment, which are turned back in the result. The
plain text is made from what was rendered, or is the author's own file beside.
"""

from __future__ import annotations

import html
import re

import css_inline
from inscriptis import get_text  # pyright: ignore[reportMissingTypeStubs]
from inscriptis.css_profiles import CSS_PROFILES  # pyright: ignore[reportMissingTypeStubs]
from inscriptis.model.config import ParserConfig  # pyright: ignore[reportMissingTypeStubs]

from engine.templating.mjml import JINJA, CompiledMail, short_lines, whole_tables
from engine.templating.numbered import numbered, takes_numbers

__all__ = ["compile_html", "plain_text"]

_PIECE = re.compile(
    rf"(?P<jinja>{JINJA})|(?P<comment><!--.*?-->)|(?P<raw><(?P<name>style|title)\b[^>]*>)|(?P<end></(?:style|title)>)"
    r"|(?P<tag></?[a-zA-Z])|(?P<close>>)|(?P<quote>[\"'])",
    re.DOTALL | re.IGNORECASE,
)
_TOKEN = re.compile(r"<!--jq(\d+)x-->|jq(\d+)x")
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL | re.IGNORECASE)
_PREHEADER = re.compile(
    r"<meta\s+name\s*=\s*[\"']preheader[\"']\s+content\s*=\s*(\"|')(.*?)\1\s*/?>\s*", re.DOTALL | re.IGNORECASE
)
_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_HIDDEN = '<div style="display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden">{}</div>'
_INLINER = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
_TEXT = ParserConfig(css=CSS_PROFILES["strict"])
_ANCHOR = re.compile(r"<a\b([^>]*)>(.*?)</a>", re.DOTALL | re.IGNORECASE)
_HREF = re.compile(r"\bhref\s*=\s*(\"|')(.*?)\1", re.DOTALL | re.IGNORECASE)
_UNSEEN = re.compile(r"<!--.*?-->|<div style=\"display:none;.*?</div>", re.DOTALL)
_PICTURE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_ALT = re.compile(r"\balt\s*=\s*(\"|')(.*?)\1", re.DOTALL | re.IGNORECASE)


def compile_html(source: str, pixel: str) -> CompiledMail:
    """Compile a mail; its `text` is empty. `pixel` is put last in the body."""
    jinja: list[str] = []
    protected = _protected(source, jinja)
    title = _TITLE.search(protected)
    preheader = _PREHEADER.search(protected)
    if preheader is not None:
        protected = protected[: preheader.start()] + protected[preheader.end() :]
    page = _INLINER.inline(whole_tables(protected))
    if preheader is not None:
        page = _BODY.sub(lambda body: body[0] + _HIDDEN.format(preheader[2]), page, count=1)
    page = page.replace("</body>", f"{pixel}</body>", 1)
    subject = html.unescape(" ".join(title[1].split())) if title else ""

    def restored(text: str) -> str:
        return _TOKEN.sub(lambda token: jinja[int(token[1] or token[2])], text)

    page = short_lines(page)
    if takes_numbers(restored(page)):
        page = numbered(page)
    return CompiledMail(restored(subject), restored(page), "")


def plain_text(page: str) -> str:
    """What a mail says, as text: with the addresses of its links, and its pictures by their `alt`."""
    page = _PICTURE.sub(_told, _ANCHOR.sub(_spelt_out, _UNSEEN.sub("", page)))
    text = get_text(page, _TEXT)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _protected(source: str, jinja: list[str]) -> str:
    """The source with a token for each piece of Jinja, and without the author's comments."""
    out: list[str] = []
    at, within = 0, ""  # within: "tag", or the name of an element of raw text
    quote = ""
    for piece in _PIECE.finditer(source):
        out.append(source[at : piece.start()])
        at = piece.end()
        text = piece[0]
        if piece["jinja"]:
            token = f"jq{len(jinja)}x"
            jinja.append(text.replace("&amp;", "&") if within == "tag" else text)
            text = token if within or text[1] == "{" else f"<!--{token}-->"
        elif piece["comment"]:
            text = text if text.startswith("<!--[if") else ""
        elif within == "tag":
            if piece["quote"]:
                quote = "" if text == quote else quote or text
            elif piece["close"] and not quote:
                within = ""
        elif piece["raw"]:
            within = piece["name"].lower()
        elif piece["end"]:
            within = ""
        elif piece["tag"] and not within:
            within = "tag"
        out.append(text)
    return "".join([*out, source[at:]])


def _spelt_out(anchor: re.Match[str]) -> str:
    href = _HREF.search(anchor[1])
    said = re.sub(r"<[^>]*>", "", anchor[2]).strip()
    if href is None or href[2] == said:
        return anchor[2]
    return f"{anchor[2]} &lt;{href[2]}&gt;"


def _told(picture: re.Match[str]) -> str:
    alt = _ALT.search(picture[0])
    return f"[{alt[2]}]" if alt is not None and alt[2].strip() else ""
