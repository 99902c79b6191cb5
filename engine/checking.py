"""Checks a template before a customer sees it: names, partials, and two trial renderings, with file and line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateSyntaxError, nodes
from jinja2.meta import find_undeclared_variables

from engine.context import KNOWN, suggest
from engine.letters import Letters
from engine.links import Links
from engine.outgoing import Recipient
from engine.rendering import HTML, NAMES, Renderer, syntax
from engine.templates import Template, TemplateError

if TYPE_CHECKING:
    from engine.templates import Templates

__all__ = ["SAMPLE", "SAMPLE_FACTS", "problems_of"]

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


def problems_of(templates: Templates, template: Template, attributes: Sequence[str], purpose: str) -> list[str]:
    """What is wrong with a template. See Templates.check."""
    problems = [] if template.channel == "letter" else list(_read(template, attributes))
    if not problems:
        problems.extend(_tried(templates, template, attributes))
    if (
        not problems
        and template.channel == "email"
        and purpose == "marketing"
        and not _names(template, "unsubscribe_url")
    ):
        problems.append(
            f"{template.where(1)}: a marketing mail needs the way out: "
            'write <mj-include path="parcours/footer.mjml" />, or a link to {{ unsubscribe_url }}'
        )
    return problems


def _names(template: Template, name: str) -> bool:
    return name in find_undeclared_variables(HTML.parse(template.source))


def _read(template: Template, attributes: Sequence[str]) -> Iterator[str]:
    """What the syntax tree shows, so that each wrong name is told, not the first alone."""
    try:
        tree = HTML.parse(template.source)
    except TemplateSyntaxError as error:
        yield syntax(template, error)
        return
    for include in tree.find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
        yield f'{template.where(include.lineno)}: no Jinja include here: mails share pieces by <mj-include path="…" />'
    unknown = find_undeclared_variables(tree) - set(NAMES)
    told: set[tuple[int, str]] = set()
    for name in tree.find_all(nodes.Name):
        if name.name in unknown and (name.lineno, name.name) not in told:
            told.add((name.lineno, name.name))
            yield f"{template.where(name.lineno)}: there is no name {name.name!r}; {suggest(name.name, NAMES)}"
    for access in tree.find_all((nodes.Getattr, nodes.Getitem)):
        owner, field = _field(access)
        known = (*KNOWN.get(owner, ()), *(attributes if owner == "customer" else ()))
        if owner in KNOWN and field not in known:
            yield f"{template.where(access.lineno)}: {owner} has no field {field!r}; {suggest(field, known)}"


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


def _tried(templates: Templates, template: Template, attributes: Sequence[str]) -> Iterator[str]:
    full = replace(SAMPLE, language=template.language, attributes=dict.fromkeys(attributes, "sample"))
    bare = replace(full, first_name="", email=None, phone=None, attributes=dict.fromkeys(attributes))
    for recipient, facts in ((full, SAMPLE_FACTS), (bare, {"now": _MOMENT})):
        try:
            if template.channel == "letter":
                Letters(templates, _trial_links()).render(recipient, template.ref, "1-1-0", facts)
                continue
            content = Renderer(templates, _trial_links()).render(
                template.channel, recipient, template.ref, "1-1-0", facts
            )
        except TemplateError as error:
            yield str(error)
            return
        if template.channel == "sms":
            if not content.text:
                yield f"{template.where(1)}: this message is empty"
        elif not content.title:
            mark = "<mj-title>" if template.channel == "email" else "<title>"
            yield f"{template.where(1)}: there is no title: write one in {mark}"
            return
