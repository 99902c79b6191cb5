"""What an author's folder holds: its journeys, sound or not, and the templates that they use; commands read it by this."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dsl.ir import IR
    from dsl.loading import Loaded
    from dsl.problems import JourneyError
    from engine.templating.templates import Template, Templates

__all__ = [
    "At", "Only", "checked", "chosen", "folder_of", "load_sound", "print_problems", "remarks", "sound", "sources",
    "template_problems", "templates_of", "warn",
]  # fmt: skip

At = Annotated[Path | None, typer.Argument(help="A journey file or a folder of them; default: PARCOURS_JOURNEYS.")]
Only = Annotated[str | None, typer.Option("--journey", "-j", help="One journey of them, by its name.")]


def load_sound(path: Path | None) -> tuple[list[Loaded], list[JourneyError]]:
    """What is sound, and what is wrong with the rest."""
    from dsl.loading import load
    from dsl.problems import Problems

    try:
        return load(folder_of(path)), []
    except Problems as problems:
        return list(problems.loaded), list(problems)


def print_problems(problems: Sequence[JourneyError]) -> int:
    """Print problems in the order of their files, each once; how many they are."""
    from dsl.problems import Problems

    found = Problems(problems)
    typer.echo(f"{found}\n", err=True)
    return len(found)


def checked(path: Path | None) -> list[Loaded]:
    """The journeys that are there; if something is wrong with one, it is printed, and the command ends."""
    loaded, problems = load_sound(path)
    if problems:
        print_problems(problems)
        raise typer.Exit(1)
    return loaded


def sound(path: Path | None, journey: str | None) -> list[IR]:
    return [each.ir for each in chosen(checked(path), path, journey)]


def chosen(loaded: Sequence[Loaded], path: Path | None, journey: str | None) -> list[Loaded]:
    """The journey of this name, or all. Raises BadParameter where there is none."""
    if not loaded:
        from dsl.bases import only_bases

        raise typer.BadParameter(only_bases(folder_of(path)))
    found = [each for each in loaded if journey is None or each.ir.name == journey]
    if not found:
        names = ", ".join(each.ir.name for each in loaded)
        raise typer.BadParameter(f"there is no journey {journey!r} here; there are: {names}", param_hint="--journey")
    return found


def folder_of(path: Path | None) -> Path:
    from engine.settings import Settings

    return path if path is not None else Settings().journeys


def templates_of(path: Path | None) -> Templates:
    from engine.settings import Settings
    from engine.templating.templates import Templates

    folder = folder_of(path)
    return Templates.of(Settings(journeys=folder if folder.is_dir() else folder.parent))


def template_problems(path: Path | None, loaded: Sequence[Loaded]) -> list[JourneyError]:
    if not loaded:
        return []
    from engine.sms.check import sms_problems
    from engine.templating.checking import check_templates, uses_of

    templates, known = templates_of(path), _attributes()
    uses = [uses_of(each) for each in loaded]
    found = [problem for each in uses for problem in check_templates(templates, each, known)]
    return [*found, *sms_problems(templates, [use for each in uses for use in each])]


def remarks(path: Path | None, loaded: Sequence[Loaded]) -> list[JourneyError]:
    """What is not wrong, and costs money: letters that make a text message two."""
    from engine.sms.check import sms_remarks
    from engine.templating.checking import uses_of

    return sms_remarks(templates_of(path), [use for each in loaded for use in uses_of(each)]) if loaded else []


def warn(loaded: Sequence[Loaded]) -> None:
    """What is no fault of the journeys, and will keep marketing mails from arriving all the same."""
    from engine.settings import Settings
    from engine.templating.checking import uses_of
    from engine.templating.lint import plain_address

    url = Settings().public_url
    mails = any(use.channel == "email" and use.purpose == "marketing" for each in loaded for use in uses_of(each))
    if mails and plain_address(url):
        typer.echo(
            f"warning: PARCOURS_PUBLIC_URL is {url}: one-click unsubscribing is by https alone (RFC 8058),"
            " and large mailbox providers turn down marketing mails without it",
            err=True,
        )


def sources(templates: Templates, ir: IR) -> list[Template]:
    found: dict[str, Template] = {}
    for state in ir.states:
        sends = ((state.kind, state.template or ""), *((action.kind, action.template) for action in state.also))
        for kind, ref in sends if state.channels else ():
            for language in templates.languages(ref, kind):
                template = templates.find(ref, kind, language)
                found[template.hash] = template
    return list(found.values())


def _attributes() -> list[str]:
    """The customers' own facts that the project's journeys declare: `class Member(Customer): tier = text()`."""
    from dsl.facts import Customer

    known: set[str] = set()
    todo: list[type] = [Customer]
    while todo:
        declared = todo.pop()
        todo += declared.__subclasses__()
        if declared is not Customer:
            known |= {name for name in vars(declared) if not name.startswith("_")}
    return sorted(known)
