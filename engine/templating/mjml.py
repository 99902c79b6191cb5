"""From an MJML source with Jinja in it to two Jinja templates: HTML for every mail program, and plain text.

MJML is compiled and its CSS inlined once a template, not once a mail. So that neither of the two sees Jinja, each
`{{ … }}` and `{% … %}` becomes a token first, which is turned back in the results. A block between sections or
columns stands in an `<mj-raw>` of its own, as a comment: HTML parsers move stray text out of tables, but no comments.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

import css_inline
from inscriptis import get_text  # pyright: ignore[reportMissingTypeStubs]
from inscriptis.css_profiles import CSS_PROFILES  # pyright: ignore[reportMissingTypeStubs]
from inscriptis.model.config import ParserConfig  # pyright: ignore[reportMissingTypeStubs]
from mjml import mjml2html

from engine.templating.context import suggest
from engine.templating.numbered import numbered, takes_numbers

__all__ = ["JINJA", "CompiledMail", "MjmlError", "compile_mjml", "short_lines", "whole_tables"]

JINJA = r"\{#.*?#\}|\{\{(?:\"[^\"]*\"|'[^']*'|(?!\}\}).)*\}\}|\{%(?:\"[^\"]*\"|'[^']*'|(?!%\}).)*%\}"
_PIECE = re.compile(rf"(?P<jinja>{JINJA})|(?P<comment><!--.*?-->)|(?P<tag></?[a-zA-Z][\w-]*)|[>\"']", re.DOTALL)
_TOKEN = re.compile(r"<!--jq(\d+)x-->|jq(\d+)x")
_INLINER = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
_TEXT = ParserConfig(css=CSS_PROFILES["strict"])

# What stands in these is HTML or text: MJML's parser does not look for components there.
_ENDING = {
    "mj-accordion-text", "mj-accordion-title", "mj-button", "mj-navbar-link", "mj-preview", "mj-raw", "mj-social-element",
    "mj-style", "mj-table", "mj-text", "mj-title",
}  # fmt: skip
_TAGS = _ENDING | {
    "mjml", "mj-accordion", "mj-accordion-element", "mj-all", "mj-attributes", "mj-body", "mj-breakpoint", "mj-carousel",
    "mj-carousel-image", "mj-class", "mj-column", "mj-divider", "mj-font", "mj-group", "mj-head", "mj-hero", "mj-image",
    "mj-include", "mj-navbar", "mj-section", "mj-social", "mj-spacer", "mj-wrapper",
}  # fmt: skip


class MjmlError(ValueError):
    """MJML that can't be compiled, with the line of the source."""

    def __init__(self, line: int, message: str, opened: int | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.opened = opened
        """The line of the element that the message ends with, if it names one."""


@dataclass(frozen=True, slots=True)
class CompiledMail:
    """Jinja sources of a mail's three parts."""

    subject: str
    html: str
    text: str


def compile_mjml(source: str, pixel: str) -> CompiledMail:
    """Compile a mail. `pixel` is put last in the body. Raises MjmlError."""
    scan = _Scan(source)
    scan.run()
    protected = "".join(scan.out)
    try:
        page = mjml2html(protected)
    except ValueError as error:
        raise _located(protected, str(error)) from error
    page = _INLINER.inline(whole_tables(page))
    page = short_lines(page.replace("</body>", f"{pixel}</body>", 1))
    title = re.search(r"<mj-title>(.*?)</mj-title>", protected, re.DOTALL)
    subject = html.unescape(" ".join(title[1].split())) if title else ""
    if takes_numbers(scan.restore(page)):
        page = numbered(page)
    return CompiledMail(scan.restore(subject), scan.restore(page), scan.restore(_plain(protected)))


_ROWS = re.compile(r"(<table\b[^>]*>)(?=(?:\s|<!--jq\d+x-->)*<tr\b)", re.IGNORECASE)


def whole_tables(page: str) -> str:
    """With each `<tbody>` written out: where a parser makes it up, it comes after the `{% for %}` of the rows, and again and again."""
    return _ROWS.sub(r"\1<tbody>", page)


_FIRST_SPACE = re.compile(r"(<[a-zA-Z][\w-]*) ")


def short_lines(page: str) -> str:
    """Each tag's attributes on a line of their own: a mail travels as it is if no line has more than 998 characters."""
    return _FIRST_SPACE.sub("\\1\n", page)


def _located(protected: str, message: str) -> MjmlError:
    at = re.search(r"position (\d+):", message)
    line = protected.encode()[: int(at[1])].count(b"\n") + 1 if at else 1
    return MjmlError(line, f"MJML can't read this ({message}); write & as &amp; and < as &lt; outside of tags")


@dataclass
class _Scan:
    """One walk through the source: Jinja becomes tokens, comments of the author go, tags are matched."""

    source: str
    out: list[str] = field(default_factory=list[str])
    jinja: list[str] = field(default_factory=list[str])
    in_tag: str = ""
    """The tag whose attributes we are in."""
    quote: str = ""
    inside: str = ""
    """The element of text that we are in."""
    open: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])

    def run(self) -> None:
        at = 0
        for piece in _PIECE.finditer(self.source):
            self._between(at, piece.start())
            at = piece.end()
            text = piece[0]
            if piece["jinja"]:
                self.out.append(self._token(text))
            elif piece["comment"]:
                self.out.append(text if self.inside == "mj-raw" else "\n" * text.count("\n"))
            else:
                self._markup(text, piece.start(), piece["tag"])
                self.out.append(text)
        self._between(at, len(self.source))
        if self.open:
            tag, line = self.open[-1]
            raise MjmlError(line, f"<{tag}> is never closed")

    def _between(self, start: int, end: int) -> None:
        text = self.source[start:end]
        if self.in_tag or self.inside:
            self.out.append(text)
        elif text.strip():
            line = self.source.count("\n", 0, start + len(text) - len(text.lstrip())) + 1
            raise MjmlError(line, f"text stands outside of <mj-text>: {text.strip()[:40]!r}")
        else:
            self.out.append("\n" * text.count("\n"))  # blanks before a line's end are more than its parser can take

    def restore(self, text: str) -> str:
        return _TOKEN.sub(lambda token: self.jinja[int(token[1] or token[2])], text)

    def _token(self, text: str) -> str:
        token = f"jq{len(self.jinja)}x"
        if self.in_tag:
            text = text.replace("&amp;", "&")  # whoever writes XML writes it so; Jinja's strings are no XML
        self.jinja.append(text)
        lines = "\n" * text.count("\n")
        if self.in_tag or self.inside in {"mj-title", "mj-preview", "mj-style"} or (text[1] == "{" and self.inside):
            return token + lines
        return (f"<!--{token}-->" if self.inside else f"<mj-raw><!--{token}--></mj-raw>") + lines

    def _markup(self, text: str, at: int, tag: str | None) -> None:
        if self.in_tag:
            if self.quote:
                self.quote = "" if text == self.quote else self.quote
            elif text in {'"', "'"}:
                self.quote = text
            elif text == ">":
                self._end_of_tag(self.in_tag, at, closed=self.source[at - 1] == "/")
                self.in_tag = ""
        elif tag:
            self.in_tag = tag

    def _end_of_tag(self, tag: str, at: int, *, closed: bool) -> None:
        name = tag.lstrip("</")
        line = self.source.count("\n", 0, at) + 1
        if self.inside and tag != f"</{self.inside}":
            if name in _TAGS:
                raise MjmlError(line, f"{tag}> can't stand inside <{self.inside}>; is a </{self.inside}> missing?")
            return  # HTML
        if name not in _TAGS:
            raise MjmlError(line, f"MJML has no element {tag}>; {suggest(name, sorted(_TAGS))}")
        if tag.startswith("</"):
            if not self.open or self.open[-1][0] != name:
                expected, opened = self.open[-1] if self.open else ("nothing", None)
                raise MjmlError(line, f"{tag}> closes what is not open; what is open is {expected}", opened)
            self.open.pop()
            self.inside = ""
        elif not closed:
            self.open.append((name, line))
            self.inside = name if name in _ENDING else ""


_BLOCK = re.compile(
    r"<(mj-text|mj-button|mj-table|mj-navbar-link|mj-social-element|mj-accordion-title|mj-accordion-text)\b([^>]*)>(.*?)</\1>"
    r"|<(mj-divider|mj-image)\b([^>]*)>|<mj-raw><!--(jq\d+x)-->|(<mj-head>.*?</mj-head>)",
    re.DOTALL,
)
_HREF = re.compile(r"\bhref\s*=\s*(\"|')(.*?)\1", re.DOTALL)
_ALT = re.compile(r"\balt\s*=\s*(\"|')(.*?)\1", re.DOTALL)
_ANCHOR = re.compile(r"<a\b([^>]*)>(.*?)</a>", re.DOTALL | re.IGNORECASE)


def _plain(protected: str) -> str:
    """The plain text, from the components: clearer than from the HTML, where every paragraph is a table."""
    parts: list[str] = []
    for block in _BLOCK.finditer(protected):
        tag, attributes, inner, single, single_attributes, statement, head = block.groups()
        if head:
            continue
        if statement:
            parts.append(f"{statement}\n")  # a block's line goes when it is rendered (trim_blocks)
        elif single == "mj-divider":
            parts.append("\n----\n")
        elif single:
            alt = _ALT.search(single_attributes)
            parts.append(f"\n[{html.unescape(alt[2])}]\n" if alt and alt[2].strip() else "")
        elif tag in {"mj-button", "mj-navbar-link", "mj-social-element"}:
            href = _HREF.search(attributes)
            parts.append(f"\n{_lines(inner)}:\n{html.unescape(href[2])}\n" if href else f"\n{_lines(inner)}\n")
        else:
            parts.append(f"\n{_rows(inner) if tag == 'mj-table' else _lines(inner)}\n")
    return "".join(parts)


def _lines(inner: str) -> str:
    inner = _spelt(inner)
    text = get_text(f"<div>{inner}</div>", _TEXT)
    return "\n".join(line.strip() for line in text.strip().splitlines())


def _rows(inner: str) -> str:
    """A table: a row a line. Its blocks stand between rows, where no HTML parser leaves text in its place."""
    inner = re.sub(r"\s+", " ", _spelt(inner.replace("-->", "-->\0"))).replace("\0", "\n")
    inner = re.sub(r"</tr>\s*", "\n", re.sub(r"</t[dh]>\s*(?!</tr>)", "  ", inner))
    return "\n".join(line.strip() for line in html.unescape(re.sub(r"<[^>]*>", "", inner)).strip().splitlines())


def _spelt(inner: str) -> str:
    return re.sub(r"<!--(jq\d+x)-->", r"\1", _ANCHOR.sub(_spelt_out, inner))


def _spelt_out(anchor: re.Match[str]) -> str:
    href = _HREF.search(anchor[1])
    if href is None or href[2] == anchor[2].strip():
        return anchor[2]
    return f"{anchor[2]} &lt;{href[2]}&gt;"
