"""What bulk senders' mails must have, looked for in mails as they are rendered: the large mailbox providers turn others down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

from engine.outgoing import Content
from engine.templating.context import Brand
from engine.templating.templates import Template, TemplateError

__all__ = ["lint", "plain_address"]

_CUT_OFF = 102_400
"""Bytes of HTML above which Gmail shows the rest behind a link, the way out with it."""

_ANCHOR = re.compile(r"<a\b([^>]*)>(.*?)</a>", re.DOTALL | re.IGNORECASE)
_HREF = re.compile(r"\bhref\s*=\s*(\"|')(.*?)\1", re.DOTALL | re.IGNORECASE)
_ALT = re.compile(r"\balt\s*=\s*(\"|')\s*[^\"'\s]", re.IGNORECASE)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![\d.])", re.IGNORECASE)
_UNSEEN = re.compile(r"<!--.*?-->|<(style|title)\b.*?</\1>", re.DOTALL | re.IGNORECASE)


def lint(
    template: Template, brand: Brand, content: Content, way_out: str, *, marketing: bool
) -> Iterator[TemplateError]:
    """What a mail lacks. `way_out`: the address that its link to unsubscribe must have."""
    start = template.at(1)
    if not content.text:
        hint = "write some, give its pictures an alt, or put a .txt beside the template"
        yield TemplateError(
            "this mail has no text, for those whose program shows no HTML", *start, code="J166", help=hint
        )
    size = len(content.html.encode())
    if size > _CUT_OFF:
        text = f"this mail has {size:,} bytes, and Gmail cuts off what is above {_CUT_OFF:,}"
        yield TemplateError(text, *start, code="J171", help="say less, or say it on a page and link to that")
    if not marketing:
        return
    page = _UNSEEN.sub("", content.html)
    if not any(_leads(found, way_out) for found in _ANCHOR.finditer(page)):
        hint = 'write <mj-include path="parcours/footer.mjml" />, or a link to {{ unsubscribe_url }}'
        yield TemplateError("a marketing mail needs the way out", *start, code="J165", help=hint)
        return  # the footer mends what else is missing
    if content.text and way_out not in content.text:
        where = (template.plain or template).at(1)
        hint = "write {{ unsubscribe_url }}"
        yield TemplateError("a marketing mail's text part needs the way out too", *where, code="J165", help=hint)
    wanted = brand.address or brand.name
    if _letters(wanted) not in _letters(unescape(re.sub(r"<[^>]*>", " ", page))):
        name = "address" if brand.address else "name"
        text = f"a marketing mail says who sends it, and {wanted!r} isn't in this one"
        hint = f'write <mj-include path="parcours/footer.mjml" />, or {{{{ brand.{name} }}}}'
        yield TemplateError(text, *start, code="J170", help=hint)


def plain_address(public_url: str) -> bool:
    """Whether customers' links go unencrypted: one-click unsubscribing needs https (RFC 8058, 3.1). A machine's own is for trials."""
    return public_url.startswith("http:") and not re.match(r"http://(localhost|127\.|\[::1\])", public_url)


def _leads(anchor: re.Match[str], way_out: str) -> bool:
    """Whether it is a link to there that can be seen."""
    href = _HREF.search(anchor[1])
    said = unescape(re.sub(r"<[^>]*>", "", anchor[2])).strip() or _ALT.search(anchor[2])
    return (
        href is not None and unescape(href[2]) == way_out and bool(said) and not _HIDDEN.search(anchor[1] + anchor[2])
    )


def _letters(text: str) -> str:
    """Letters and digits alone: an address may be written over several lines, and with other commas."""
    return "".join(each for each in text.casefold() if each.isalnum())
