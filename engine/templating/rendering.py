"""From a template and a customer to a message: Jinja in a sandbox, compiled once a template, with strict names.

A name that is not there is an error that says which are, never an empty space in somebody's mail.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from html import unescape
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError
from jinja2 import Template as JinjaTemplate
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import missing as unnamed

from engine.links import Links
from engine.outgoing import Content, Recipient, TrackedLink
from engine.sms.text import front
from engine.templating.context import Fields, Loose, facts_of, suggest
from engine.templating.files import CarriedFiles, FileProblem
from engine.templating.html import compile_html, plain_text
from engine.templating.mjml import MjmlError, compile_mjml
from engine.templating.numbered import numbered_value, takes_numbers
from engine.templating.templates import Template, TemplateError, Templates
from engine.templating.words import Words, words

__all__ = [
    "HTML",
    "MAIL_NAMES",
    "NAMES",
    "PLAIN",
    "Collected",
    "Renderer",
    "compile_template",
    "feed_posts",
    "names_for",
    "syntax",
]

NAMES = (
    "customer", "orders", "journey", "brand", "offers", "money", "date", "today", "link", "words", "unsubscribe_url",
    "preferences_url", "feed_url", "open_pixel_url", "code", "answer_url", "feed", "image", "attach",
)  # fmt: skip
"""The names that a Jinja template may use."""

MAIL_NAMES = ("image", "attach")
"""Those that mails alone have: nothing else carries files."""

_PIXEL = (
    '<img src="{{ open_pixel_url }}" width="1" height="1" alt="" '
    'style="display:block;width:1px;height:1px;border:0;opacity:0">'
)
_TITLE = re.compile(r"\s*<title>(.*?)</title>\s*", re.DOTALL)
_KEPT = 500


class _Missing(StrictUndefined):
    @property
    def _undefined_message(self) -> str:
        if isinstance(self._undefined_obj, Fields):
            known = list(self._undefined_obj)
            return f"{self._undefined_obj!r} has no field {self._undefined_name!r}; {suggest(str(self._undefined_name), known)}"
        if self._undefined_obj is unnamed and self._undefined_name:
            return f"there is no name {self._undefined_name!r}; {suggest(self._undefined_name, NAMES)}"
        return super()._undefined_message


_SAID = frozenset(Words.__dataclass_fields__)


class _Sandbox(SandboxedEnvironment):
    def getattr(self, obj: Any, attribute: str) -> Any:
        """As Jinja's, but what most expressions ask for is found first, not when all else has failed."""
        if type(obj) is Fields and attribute in obj:
            return obj[attribute]
        if type(obj) is Words and attribute in _SAID:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)


def _environment(
    *, autoescape: bool, finalize: Callable[[object], object] = lambda value: "" if value is None else value
) -> SandboxedEnvironment:
    return _Sandbox(
        undefined=_Missing,
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=finalize,
        extensions=[],
    )


HTML = _environment(autoescape=True)
_NUMBERED = _environment(autoescape=True, finalize=numbered_value)
PLAIN = _environment(autoescape=False)


class Collected:
    """The tracked links of one message, in the order in which they first stand in it."""

    def __init__(self, links: Links, key: str) -> None:
        self._links = links
        self._key = key
        self._at: dict[TrackedLink, str] = {}

    def link(self, url: str, name: str = "link") -> str:
        """The tracked address of `url`: one address for one name and target, however often it stands in the message."""
        url, name = str(url), str(name)  # a name that is not there raises here
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise TemplateError(f"link() leads to http:// and https:// addresses, not to {url!r}")
        link = TrackedLink(name, quote(url, safe="%/:=&?~#+!$,;'@()*[]"))
        if link not in self._at:
            self._at[link] = self._links.click(self._key, len(self._at))
        return self._at[link]

    @property
    def all(self) -> tuple[TrackedLink, ...]:
        return tuple(self._at)

    @property
    def first(self) -> str:
        return next(iter(self._at.values()), "")


def names_for(  # what a message hangs on
    templates: Templates,
    links: Links,
    recipient: Recipient,
    language: str,
    key: str,
    facts: Mapping[str, Any],
    used: Collection[str] = NAMES,
) -> tuple[dict[str, Any], Collected]:
    """The values of NAMES for one message, as far as they are used, and where its links are collected.

    `facts`: see Channel.render.
    """
    spoken = words(language)
    collected = Collected(links, key)
    values = facts_of(recipient, facts, templates.brand, facts.get("now") or templates.now())

    def money(cents: int | None) -> str:
        return spoken.money(cents, templates.currency)

    def written(moment: datetime | date | None) -> str:
        return spoken.date(moment)

    def feed(name: str, most: int = 5) -> list[dict[str, Any]]:
        return feed_posts(facts.get("feeds"), name, most)

    way_out = links.unsubscribe(key) if "unsubscribe_url" in used or "preferences_url" in used else ""

    def own_feed() -> str:
        return links.feed(links.feed_token(recipient.id, int(facts.get("feed_generation", 0))))

    made: Mapping[str, Callable[[], Any]] = {
        "customer": lambda: Fields("customer", values["customer"]),
        "orders": lambda: Fields("orders", values["orders"]),
        "journey": lambda: Fields("journey", values["journey"]),
        "brand": lambda: Fields("brand", values["brand"]),
        "offers": lambda: [Fields("offer", {**offer, "data": Loose(offer["data"])}) for offer in values["offers"]],
        "today": lambda: values["today"],
        "money": lambda: money,
        "date": lambda: written,
        "link": lambda: collected.link,
        "words": lambda: spoken,
        "unsubscribe_url": lambda: way_out,
        "preferences_url": lambda: way_out,
        "feed_url": own_feed,
        "open_pixel_url": lambda: links.open_pixel(key),
        "code": lambda: links.show_code(links.code(key)),
        "answer_url": lambda: links.letter(links.code(key)),
        "feed": lambda: feed,
    }
    return {name: make() for name, make in made.items() if name in used}, collected


def feed_posts(given: Mapping[str, Any] | None, name: str, most: int) -> list[dict[str, Any]]:
    """The newest posts of a feed source (engine.feeds.sources), as the worker has looked them up; nothing is fetched here.

    Without any given (a check, a preview) every source has a sample. Raises TemplateError for one that is not declared.
    """
    if given is None:
        return [dict(_SAMPLE_POST)] * min(most, 1)
    if name not in given:
        known = ", ".join(sorted(given)) or "none is declared that this template names"
        raise TemplateError(f"there is no feed source {name!r}; known: {known}")
    posts: list[dict[str, Any]] = given[name]
    return [
        post | {"published_at": at if isinstance(at := post["published_at"], datetime) else datetime.fromisoformat(at)}
        for post in posts[: max(most, 0)]
    ]


_SAMPLE_POST: Mapping[str, Any] = {
    "title": "A post", "url": "https://example.org/post", "text": "Its first words.", "picture": "", "tags": ["sample"],
    "published_at": datetime(2026, 3, 1, 9, tzinfo=UTC),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Compiled:
    title: JinjaTemplate
    html: JinjaTemplate | None
    text: JinjaTemplate | None
    media: JinjaTemplate | None = None
    used: frozenset[str] = frozenset()
    """The names that the author's text and our own additions use."""

    def __post_init__(self) -> None:
        for part in (self.title, self.html, self.text, self.media):
            if part is not None:
                part.globals = dict(part.globals)  # Jinja copies them for each message, slowly where they are chained


_NOT_SPOKEN = (
    "link", "unsubscribe_url", "preferences_url", "feed_url", "open_pixel_url", "code", "answer_url",
)  # fmt: skip
_CODES = {"code", "answer_url"}


class Renderer:
    """Renders e-mails, SMS, feed items and call scripts. Safe to share between threads."""

    def __init__(self, templates: Templates, links: Links) -> None:
        self.templates = templates
        self.links = links
        self._compiled: dict[str, _Compiled] = {}
        self._lock = threading.Lock()

    def render(self, channel: str, recipient: Recipient, ref: str, key: str, facts: Mapping[str, Any]) -> Content:
        """One message. Raises TemplateError with file and line."""
        return self.render_from(self.templates.find(ref, channel, recipient.language), recipient, ref, key, facts)

    def render_from(
        self, template: Template, recipient: Recipient, ref: str, key: str, facts: Mapping[str, Any]
    ) -> Content:
        """One message from a template that was found already, for who renders many. Raises TemplateError."""
        channel, compiled = template.channel, self._compile(template)
        names, collected = names_for(
            self.templates, self.links, recipient, template.language, key, facts, compiled.used
        )
        carried = CarriedFiles(self.templates, ref)
        if channel == "email":
            names.update(image=carried.image, attach=carried.attach)
        if channel == "call":
            for name in _NOT_SPOKEN:
                names.pop(name, None)
        try:
            title = " ".join(compiled.title.render(names).split())
            page = compiled.html.render(names) if compiled.html else ""
            text = _tidy(compiled.text.render(names)) if compiled.text else ""
            media = compiled.media.render(names).strip() if compiled.media else ""
        except Exception as error:  # a template is a program of somebody else's: anything may be raised
            raise located(template, names, error) from error
        if channel == "email" and not text:
            text = plain_text(page)
        files = carried.all
        said = (title, page, text, *(f"{each.hash} {each.name}" for each in files))
        digest = sha256(b"\0".join([each.encode() for each in said])).hexdigest()
        return Content(
            title=title,
            html=page,
            text=text,
            links=collected.all,
            files=files,
            media=media,
            to_feed=f"{self.links.public_url}/f/" in page,
            code=self.links.code(key) if compiled.used & _CODES else "",
            template=ref,
            template_hash=template.hash,
            hash=digest,
        )

    def _compile(self, template: Template) -> _Compiled:
        compiled = self._compiled.get(template.hash)
        if compiled is None:
            try:
                compiled = compile_template(template)
            except TemplateError as error:
                error.shared = True
                raise
            with self._lock:
                while len(self._compiled) >= _KEPT:
                    self._compiled.pop(next(iter(self._compiled)))
                self._compiled[template.hash] = compiled
        return compiled


def compile_template(template: Template) -> _Compiled:
    """Jinja's templates of a message's parts. Raises TemplateError with file and line."""
    try:
        tree = HTML.parse(template.source)  # errors here have the lines of the author's file
        used = frozenset(find_undeclared_variables(tree)) | {"open_pixel_url"}
        if template.channel == "email":
            made = compile_html if template.ending == "html" else compile_mjml
            mail = made(template.source, _PIXEL)
            text = mail.text if template.plain is None else _own_text(template.plain)
            plain = PLAIN.from_string(text) if text else None
            if template.plain is not None:
                used |= find_undeclared_variables(HTML.parse(template.plain.source))
            page = (_NUMBERED if mail.html.isascii() and takes_numbers(mail.html) else HTML).from_string(mail.html)
            return _Compiled(PLAIN.from_string(mail.subject), page, plain, used=used)
        if template.channel == "sms":
            media, text = front(template)
            picture = PLAIN.from_string(media) if media else None
            return _Compiled(PLAIN.from_string(""), None, PLAIN.from_string(text), picture, used)
        title = _TITLE.search(template.source)
        if title is None:
            text = f"a {template.channel} template begins with <title>…</title>"
            hint = "write it above the text: it is the item's, or the task's, own title"
            raise TemplateError(text, *template.at(1), code="J166", help=hint)
        body = template.source[: title.start()] + template.source[title.end() :]
        pixel = _PIXEL if template.channel == "feed" else ""
        page = HTML.from_string(body.strip() + pixel)
        return _Compiled(PLAIN.from_string(unescape(title[1])), page, None, used=used)
    except TemplateSyntaxError as error:
        raise syntax(template, error) from error
    except MjmlError as error:
        opened = f" (opened at {template.where(error.opened)})" if error.opened else ""
        tag = re.search(r"</?[\w-]+", str(error))
        raise TemplateError(f"{error}{opened}", *template.at(error.line), word=tag[0] if tag else "") from error


def _own_text(plain: Template) -> str:
    """The author's text part; what is wrong in it is told with its own lines."""
    try:
        HTML.parse(plain.source)
    except TemplateSyntaxError as error:
        raise syntax(plain, error) from error
    return plain.source


_BLOCK = re.compile(r"\{%[-+]?\s*(end)?(if|for|filter|call|macro|with|autoescape)\b")


def syntax(template: Template, error: TemplateSyntaxError) -> TemplateError:
    """What is wrong with the syntax; a block that is never closed is told where it begins, not at the end."""
    open_ones: list[tuple[str, int]] = []
    for number, line in enumerate(template.source.splitlines(), start=1):
        for end, tag in _BLOCK.findall(line):
            if not end:
                open_ones.append((tag, number))
            elif open_ones and open_ones[-1][0] == tag:
                open_ones.pop()
    if open_ones and "Unexpected end of template" in str(error.message):
        tag, number = open_ones[-1]
        text = f"{{% {tag} … %}} is never closed"
        return TemplateError(text, *template.at(number), word=tag, help=f"write {{% end{tag} %}}")
    word = re.search(r"'([^']+)'", str(error.message))
    hint = suggest(word[1], sorted(HTML.filters)) if word and str(error.message).startswith("No filter") else ""
    return TemplateError(
        str(error.message).removesuffix("."), *template.at(error.lineno), word=word[1] if word else "", help=hint
    )


def located(template: Template, names: Mapping[str, Any], error: Exception) -> TemplateError:
    """The error with the author's file and line: the source itself is rendered once more, for its line numbers."""
    line = _failing(template, names)
    if not line and template.plain is not None:
        template, line = template.plain, _failing(template.plain, names)
    code = "J161" if isinstance(error, UndefinedError) else error.code if isinstance(error, FileProblem) else "J167"
    word = re.search(r"'([^']+)'", str(error))
    message, hint = (error.message, error.help) if isinstance(error, TemplateError) else (str(error), "")
    told = TemplateError(message, *template.at(line or 1), code=code, word=word[1] if word else "", help=hint)
    told.shared = isinstance(error, FileProblem) and any(f"{q}{error.path}{q}" in template.source for q in "'\"")
    return told  # a file that the template itself names is missing for everybody; one that her offer has, for her


def _failing(template: Template, names: Mapping[str, Any]) -> int:
    """The line in which the source fails; 0: it does not."""
    line = 0
    try:
        HTML.from_string(template.source).render(names)
    except Exception as again:  # noqa: BLE001  # as above
        line = 1
        trace = again.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == "<template>":
                line = trace.tb_lineno
            trace = trace.tb_next
    return line


_GAPS = re.compile(r"\n{3,}")


def _tidy(text: str) -> str:
    text = "\n".join([line.rstrip(" \t") for line in text.split("\n")])
    return (_GAPS.sub("\n\n", text) if "\n\n\n" in text else text).strip()
