"""Checks the templates of journeys before a customer sees them: what is wrong, as `parcours check` tells it.

Each problem has its code (J160 and on), and a place: in the template, or in the journey where it asks for what is not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from jinja2 import TemplateSyntaxError, nodes
from jinja2.meta import find_undeclared_variables

from dsl.expression import Field
from dsl.ir import CHANNELS, Answer, State
from dsl.loading import Loaded
from dsl.place import Place
from dsl.pointing import problem, shown
from dsl.predicate import Predicate
from dsl.problems import JourneyError
from dsl.source import word_above
from engine.letters.composing import Letters
from engine.links import Links
from engine.outgoing import Recipient
from engine.templating.context import KNOWN, suggest
from engine.templating.files import FileProblem, read_file
from engine.templating.lint import lint
from engine.templating.rendering import HTML, MAIL_NAMES, NAMES, Renderer, syntax
from engine.templating.templates import EXTENSIONS, Template, TemplateError, TemplateMissing, Templates

__all__ = ["SAMPLE", "SAMPLE_FACTS", "SAMPLE_OFFERS", "Use", "check_templates", "uses_of"]

SAMPLE = Recipient(
    id="sample", language="en", zone="Europe/Paris", first_name="Camille", last_name="Martin", email="camille@example.com",
    phone="+33612345678", address="12 avenue de la République", postcode="75011", city="Paris", country="FR",
)  # fmt: skip
"""A customer whom templates are tried on."""

_MOMENT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
SAMPLE_FACTS: dict[str, Any] = {
    "orders": {
        "count": 4, "total": 12_345, "last_at": _MOMENT, "first_at": _MOMENT, "top_category": "Wine",
        "top_categories": ["Wine", "Tea", "Bread"],
    },
    "journey": {"name": "sample", "title": "Sample"},
    "now": _MOMENT,
}  # fmt: skip
"""Her facts. A second trial is a customer of whom nothing is known."""
SAMPLE_OFFERS: tuple[dict[str, Any], ...] = (
    {"id": "sample", "name": "Sample", "category": "Wine", "price": 990, "url": "https://shop.example/",
     "picture": "https://shop.example/sample.png", "text": "A sample", "data": {}},
    {"id": "plain", "name": "Plain", "category": "Tea"},
)  # fmt: skip
"""Offers for boxes that ask for some: one that has all, and one that has what every offer must."""


@dataclass(frozen=True, slots=True)
class Use:
    """A template as a box of a journey uses it: with the channel, for which purpose, and where the journey says so."""

    ref: str
    channel: str
    purpose: str = ""
    box: str = ""
    place: Place | None = None
    clicks: tuple[Predicate, ...] = ()
    """What the box's arrows ask of a click: by which link."""
    offers: int | None = None
    """How many offers the box asks for; None: nobody knows."""


def uses_of(loaded: Loaded) -> list[Use]:
    """Every template that a journey's boxes use."""
    return [
        Use(
            ref,
            kind,
            state.purpose or loaded.ir.purpose,
            state.name,
            _place(loaded, state, kind, ref),
            _clicks(state, kind),
            state.offers,
        )
        for state in loaded.ir.states
        if state.kind in CHANNELS
        for kind, ref in ((state.kind, state.template or ""), *((each.kind, each.template) for each in state.also))
    ]


def _place(loaded: Loaded, state: State, kind: str, ref: str) -> Place | None:
    place = getattr(getattr(loaded.cls, state.name, None), "place", None)
    return word_above(place, ref, kind.capitalize()) if isinstance(place, Place) else None


def _clicks(state: State, kind: str) -> tuple[Predicate, ...]:
    asked = (arrow.on for arrow in state.arrows if isinstance(arrow.on, Answer) and arrow.on.scope == "send")
    return tuple(on.where for on in asked if on.event == f"{kind}.clicked" and on.where is not None)


def check_templates(templates: Templates, uses: Sequence[Use], attributes: Sequence[str] = ()) -> list[JourneyError]:
    """What is wrong with the templates of a journey, in every language; nothing if all is fine.

    `attributes` are the customers' own facts that journeys declare. A marketing mail must show the way out.
    """
    problems: list[JourneyError] = []
    for use in dict.fromkeys(uses):
        try:
            languages = templates.languages(use.ref, use.channel)
        except TemplateMissing as error:
            problems.append(problem("J160", error.message, use.place, help=error.help))
            continue
        if not languages:
            problems.append(_missing(templates, use))
            continue
        problems += _unspoken(templates, use, languages)
        found = [_one(templates, use, language, attributes) for language in languages]
        problems += [_pointed(templates, error) for _, errors in found for error in errors]
        sound = [template for template, errors in found if template is not None and not errors]
        if len(sound) == len(found):
            problems += _unlinked(use, sound)
    return [*problems, *_half_spoken(templates, uses)]


# --- what a journey asks for ------------------------------------------------------------------------------------------


def _missing(templates: Templates, use: Use) -> JourneyError:
    path = templates.folder / use.ref
    ending = EXTENSIONS[use.channel]
    notes = [f"looked for {path.name}.<language>.{ending} in {shown(str(path.parent))}"]
    beside = sorted({each.name for each in path.parent.glob(f"*.{ending}")}) if path.parent.is_dir() else []
    stems = list(dict.fromkeys(name.rsplit(".", 2)[0] for name in beside))
    if stems:
        folder = use.ref.rpartition("/")[0]
        hint = suggest(use.ref, [f"{folder}/{stem}" if folder else stem for stem in stems])
    else:
        hint = f"write {_file(templates, use, templates.language)}"
    return problem("J160", f"no template for {use.channel} '{use.ref}'", use.place, notes=notes, help=hint)


def _unspoken(templates: Templates, use: Use, there: Sequence[str]) -> Iterator[JourneyError]:
    """The project's language is what everyone falls back on."""
    if not _speaks(templates.language, there):
        text = f"'{use.ref}' isn't there in {templates.language}, the project's language (PARCOURS_LANGUAGE)"
        notes = [f"it is there in {', '.join(there)}: customers of another language would get {there[0]}"]
        hint = f"write {_file(templates, use, templates.language)}"
        yield problem("J163", text, use.place, notes=notes, help=hint)


def _half_spoken(templates: Templates, uses: Sequence[Use]) -> Iterator[JourneyError]:
    """A journey that speaks to customers in a language speaks it to the end. A call's script is the agent's to read."""
    there: dict[Use, list[str]] = {}
    for use in dict.fromkeys(uses):
        if use.channel != "call":
            try:
                there[use] = templates.languages(use.ref, use.channel)
            except TemplateMissing:
                continue  # J160 says so
    for use, languages in there.items():
        for other, spoken in there.items():
            lacks = [each for each in spoken if not _speaks(each, languages) and each != templates.language]
            if languages and lacks:
                text = f"'{use.ref}' isn't there in {lacks[0]}, which this journey speaks elsewhere"
                notes = [f"'{other.ref}' is there in {', '.join(spoken)}"]
                hint = f"write {_file(templates, use, lacks[0])}"
                yield problem("J163", text, use.place, notes=notes, help=hint)
                break


def _speaks(language: str, there: Sequence[str]) -> bool:
    return language in there or language.partition("-")[0] in there


def _file(templates: Templates, use: Use, language: str) -> str:
    return shown(str(templates.folder / f"{use.ref}.{language}.{EXTENSIONS[use.channel]}"))


def _unlinked(use: Use, sound: Sequence[Template]) -> Iterator[JourneyError]:
    """Arrows that wait for a click on a link which no language has."""
    names: set[str] = set()
    for template in sound:
        found = _links(template)
        if found is None:
            return
        names |= found
    for click in use.clicks:
        if all(click.holds(lambda leaf, name=name: _by_link(leaf, name)) is False for name in names or [""]):
            text = f"`{use.box}` waits for a click ({click.sentence()}), but '{use.ref}' has no such link"
            there = ", ".join(f"`{name}`" for name in sorted(names)) or "none"
            hint = f"""name it in the template: link("https://…", "name"); there {"are" if names else "is"} {there}"""
            yield problem("J168", text, use.place, help=hint)


def _by_link(leaf: object, name: str) -> str | None:
    return name if isinstance(leaf, Field) and (leaf.source, leaf.name) == ("payload", "link") else None


def _links(template: Template) -> set[str] | None:
    """The names of its links; None where one is made up at run time."""
    names: set[str] = set()
    for call in HTML.parse(template.source).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "link":
            given = [*call.args[1:2], *(each.value for each in call.kwargs if each.key == "name")]
            name = given[0] if given else nodes.Const("link")
            if not isinstance(name, nodes.Const) or call.dyn_args is not None or call.dyn_kwargs is not None:
                return None
            names.add(str(name.value))
    return names


# --- one file ---------------------------------------------------------------------------------------------------------


def _one(
    templates: Templates, use: Use, language: str, attributes: Sequence[str]
) -> tuple[Template | None, list[TemplateError]]:
    try:
        template = templates.find(use.ref, use.channel, language)
    except TemplateError as error:
        return None, [error]
    problems = list(_unasked(template, use))
    if use.channel != "letter":
        problems += _read(template, attributes)
        if not problems and template.plain is not None:
            problems += _read(template.plain, attributes)
        if not problems:
            problems += _named_files(templates, template)
    if not problems:
        problems.extend(_tried(templates, template, attributes, use))
    return template, problems


def _named_files(templates: Templates, template: Template) -> Iterator[TemplateError]:
    """Files that mails are to carry and that aren't there, also in branches that no trial customer takes."""
    for source in (template, template.plain):
        if source is None:
            continue
        for call in HTML.parse(source.source).find_all(nodes.Call):
            name = call.node.name if isinstance(call.node, nodes.Name) else ""
            if name in MAIL_NAMES and call.args and isinstance(call.args[0], nodes.Const):
                path = str(call.args[0].value)
                try:
                    read_file(templates, template.ref, path, picture=name == "image")
                except FileProblem as error:
                    yield TemplateError(
                        error.message, *source.at(call.lineno), code=error.code, word=path, help=error.help
                    )


def _unasked(template: Template, use: Use) -> Iterator[TemplateError]:
    """Offers that the box doesn't ask for would never be there."""
    line = _offers_in(template) if use.offers == 0 else None
    if line is not None:
        text = f"this template shows offers, but the box `{use.box}` asks for none"
        hint = f'ask for some in the journey: @{use.channel.capitalize()}("{use.ref}", offers=3)'
        yield TemplateError(text, *template.at(line), code="J172", word="offers", help=hint)


_OF_TYPST = re.compile(r"#(?:for\s+[\w(), ]+?\s+in\s+|if\s+(?:not\s+)?|let\s+\w+\s*=\s*|\w+\()?(offers)\b")


def _offers_in(template: Template) -> int | None:
    """The first line that goes through offers; that the word stands in a letter's text is no matter."""
    if template.channel == "letter":
        found = next((each for each in _OF_TYPST.finditer(template.source) if each.start(1) >= template.frame), None)
        return template.source.count("\n", 0, found.start(1)) + 1 if found is not None else None
    try:
        names = HTML.parse(template.source).find_all(nodes.Name)
    except TemplateSyntaxError:  # `_read` tells it
        return None
    return min((name.lineno for name in names if name.name == "offers" and name.ctx == "load"), default=None)


def _read(template: Template, attributes: Sequence[str]) -> Iterator[TemplateError]:
    """What the syntax tree shows, so that each wrong name is told, not the first alone."""
    try:
        tree = HTML.parse(template.source)
        known_names = [name for name in NAMES if template.channel == "email" or name not in MAIL_NAMES]
        unknown = find_undeclared_variables(tree) - set(known_names)
    except TemplateSyntaxError as error:
        yield syntax(template, error)
        return
    for include in tree.find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
        hint = 'mails share pieces by <mj-include path="…" />'
        word = type(include).__name__.lower().removeprefix("from")
        yield TemplateError("no Jinja include here", *template.at(include.lineno), code="J164", word=word, help=hint)
    told: set[tuple[int, str]] = set()
    for name in tree.find_all(nodes.Name):
        if name.name in unknown and (name.lineno, name.name) not in told:
            told.add((name.lineno, name.name))
            yield TemplateError(
                f"there is no name {name.name!r}", *template.at(name.lineno),
                code="J161", word=name.name, help=suggest(name.name, known_names),
            )  # fmt: skip
    for access in tree.find_all((nodes.Getattr, nodes.Getitem)):
        owner, field = _field(access)
        known = (*KNOWN.get(owner, ()), *(attributes if owner == "customer" else ()))
        if owner in KNOWN and field not in known:
            yield TemplateError(
                f"{owner} has no field {field!r}", *template.at(access.lineno),
                code="J161", word=f"{owner}.{field}", help=suggest(field, known),
            )  # fmt: skip


def _field(access: nodes.Node) -> tuple[str, str]:
    owner = (
        access.node.name
        if isinstance(access, nodes.Getattr | nodes.Getitem) and isinstance(access.node, nodes.Name)
        else ""
    )
    if isinstance(access, nodes.Getattr):
        return owner, access.attr
    if isinstance(access, nodes.Getitem) and isinstance(access.arg, nodes.Const) and isinstance(access.arg.value, str):
        return owner, access.arg.value
    return "", ""


@lru_cache(maxsize=1)
def _trial_links() -> Links:
    return Links("https://example.org", b"trial")


@lru_cache(maxsize=1)
def _renderer(templates: Templates) -> Renderer:
    """One for all the trials of a folder: a template is compiled once, for however many customers and journeys."""
    return Renderer(templates, _trial_links())


def _tried(templates: Templates, template: Template, attributes: Sequence[str], use: Use) -> Iterator[TemplateError]:
    """What two trial customers show: one of whom all is known, and one of whom nothing is.

    Where there are offers, the second has none, and a third has one that says no more than it must.
    """
    full = replace(SAMPLE, language=template.language, attributes=dict.fromkeys(attributes, "sample"))
    bare = replace(full, first_name="", email=None, phone=None, attributes=dict.fromkeys(attributes))
    trials: list[tuple[Recipient, dict[str, Any]]] = [(full, SAMPLE_FACTS), (bare, {"now": _MOMENT})]
    asked = use.offers is None or use.offers > 0
    if asked and templates.mentions(template.ref, template.channel, "offers"):
        trials = [(full, {**SAMPLE_FACTS, "offers": SAMPLE_OFFERS[:1]}), *trials[1:]]
        trials.append((bare, {"now": _MOMENT, "offers": SAMPLE_OFFERS[1:]}))
    for recipient, facts in trials:
        try:
            if template.channel == "letter":
                Letters(templates, _trial_links()).render(recipient, template.ref, "1-1-0", facts)
                continue
            content = _renderer(templates).render(template.channel, recipient, template.ref, "1-1-0", facts)
        except TemplateError as error:
            yield error
            return
        if template.channel == "sms":
            if not content.text:
                yield TemplateError("this message is empty", *template.at(1), code="J166")
                return
        elif not content.title:
            mark = "<mj-title>" if template.ending == "mjml" else "<title>"
            yield TemplateError("there is no title", *template.at(1), code="J166", help=f"write one in {mark}")
            return
        if template.channel == "email":
            way_out = _trial_links().unsubscribe("1-1-0")
            found = list(lint(template, templates.brand, content, way_out, marketing=use.purpose == "marketing"))
            yield from found
            if found:
                return


def _pointed(templates: Templates, error: TemplateError) -> JourneyError:
    """The problem with the line of its file, and columns for the caret."""
    source = templates.line(error.name, error.line)
    start, end = error.span or _span(source, error.word)
    shared = error.name.startswith("parcours/")
    return JourneyError(
        error.code,
        error.message,
        file=error.name if shared else shown(str(templates.folder / error.name)),
        line=error.line,
        column=start + 1 if error.line else 0,
        end_column=end + 1 if error.line else 0,
        source=source,
        help=error.help,
    )


def _span(line: str, word: str) -> tuple[int, int]:
    """Where the word stands in a line, within `{{ … }}` rather than in the text around; else the whole line."""
    for wanted in (word, word.rpartition(".")[2]):
        at = [start for start in _starts(line, wanted) if line[start : start + len(wanted)] == wanted] if wanted else []
        inside = [start for start in at if _in_jinja(line[:start])]
        for start in inside or at:
            return start, start + len(wanted)
    return len(line) - len(line.lstrip()), max(len(line.rstrip()), 1)


def _starts(line: str, word: str) -> Iterable[int]:
    start = line.find(word)
    while start >= 0:
        yield start
        start = line.find(word, start + 1)


def _in_jinja(before: str) -> bool:
    return max(before.rfind("{{"), before.rfind("{%")) > max(before.rfind("}}"), before.rfind("%}"))
