"""`parcours check`, `show`, `hash`, `draw`, `publish`, `on`, `off`, `where`: work on journeys."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dsl.ir import IR
    from dsl.loading import Loaded
    from dsl.problems import JourneyError
    from engine.paths import Path as Way
    from engine.tables import KnobChange
    from engine.templating.templates import Template, Templates

__all__ = ["approve", "check", "checked", "draw", "hash_", "off", "on", "publish", "show", "where", "who"]

At = Annotated[Path | None, typer.Argument(help="A journey file or a folder of them; default: PARCOURS_JOURNEYS.")]
Only = Annotated[str | None, typer.Option("--journey", "-j", help="One journey of them, by its name.")]
Name = Annotated[str, typer.Argument(help="The journey's name, as win_back.")]
Why = Annotated[str, typer.Option("--why", "-m", help="The reason: it is kept, and shown.")]


def check(path: At = None) -> None:
    """Check journeys and their templates: every rule, with file, line and a way out. Exit code 1 if something is wrong."""
    loaded, problems = _load(path)
    problems += _template_problems(path, loaded)
    remarks = _remarks(path, loaded)
    if remarks:
        _print(remarks)
    if problems:
        count = _print(problems)
        typer.echo(f"{count} {'problem' if count == 1 else 'problems'}; parcours explain CODE says more", err=True)
        raise typer.Exit(1)
    _warn(loaded)
    for each in loaded:
        typer.echo(
            f"{each.ir.name}: {len(each.ir.states)} states, {len(each.ir.arrows)} arrows, {each.ir.hash[:12]}: nothing is wrong"
        )


def show(path: At = None, journey: Only = None) -> None:
    """Print journeys as text: a legend, and a table of their arrows."""
    from dsl.draw.text import text

    for index, ir in enumerate(_sound(path, journey)):
        typer.echo(("\n" if index else "") + text(ir), nl=False)


def hash_(path: At = None, journey: Only = None) -> None:
    """Print each journey's hash: sha256 over what it does. Docstrings and formatting don't change it."""
    for ir in _sound(path, journey):
        typer.echo(f"{ir.hash}  {ir.name}")


def draw(
    path: At = None,
    journey: Only = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="A .svg, .png, .mmd, .txt, .scxml or .json file; default: NAME.svg for each."
        ),
    ] = None,
    theme: Annotated[str, typer.Option(help="auto, light or dark.")] = "auto",
    look: Annotated[bool, typer.Option("--open", help="Show it, in the browser or in what opens such files.")] = False,
) -> None:
    """Draw journeys, by the file's ending: SVG, PNG, Mermaid, text; or a statechart, as SCXML or as JSON of XState 5."""
    if theme not in {"auto", "light", "dark"}:
        raise typer.BadParameter(f"the theme is auto, light or dark, not {theme!r}", param_hint="--theme")
    found = _sound(path, journey)
    if output is not None and len(found) > 1:
        names = ", ".join(ir.name for ir in found)
        raise typer.BadParameter(f"{len(found)} journeys can't go into one file; choose one with --journey: {names}")
    for ir in found:
        file = output or Path(f"{ir.name}.svg")
        file.write_bytes(_drawn(ir, file.suffix, theme))
        typer.echo(f"{file}")
        if look:
            _look_at(file)


def publish(path: At = None, journey: Only = None) -> None:
    """Check journeys, and make them the newest versions. Customers under way stay on theirs; the switch stays as it is."""
    from engine import journeys, knob_changes

    loaded, problems = _load(path)
    wanted = _chosen(loaded, journey) if not problems else []
    problems += _template_problems(path, wanted)
    if problems:
        _print(problems)
        typer.echo("nothing was published", err=True)
        raise typer.Exit(1)
    _warn(wanted)
    templates = _templates(path)
    settings, database = _database()
    for each in wanted:
        with database.write() as conn:
            before = [row.hash for row in journeys.versions(conn, each.ir.name)]
            turned = {row.knob for row in knob_changes.newest(conn, each.ir.name).values() if row.value is not None}
            made = journeys.publish(conn, each.ir, who(), settings.clock.now(), _sources(templates, each.ir))
            changes = knob_changes.newest(conn, each.ir.name)
            switched = "on" if journeys.get(conn, each.ir.name).on else f"off: parcours on {each.ir.name}"
        news = "as it was published before" if made.hash in before else "new"
        typer.echo(f"{each.ir.name}: version {made.version} ({news}), {switched}")
        _print_turned(each.ir, {name: changes[name] for name in sorted(turned)})


def _print_turned(ir: IR, turned: Mapping[str, KnobChange]) -> None:
    """What became of the knobs that were turned before this publication."""
    from engine.tuning import value_words

    knobs = {knob.name: knob for knob in ir.knobs}
    for name, change in turned.items():
        if change.value is None:
            typer.echo(f"  knob {name}: {change.why}; what was turned holds no longer")
        else:
            said = (value_words(knobs[name], value) for value in (change.value, knobs[name].value))
            typer.echo("  knob {}: stays at {} (the code says {})".format(name, *said))


def on(name: Name, why: Why = "") -> None:
    """Turn a journey on: customers enter from now on."""
    _switch(name, why, on=True)


def approve(name: Name) -> None:
    """Approve that a journey is turned on, which somebody else has asked for."""
    from engine import approval

    settings, database = _database()
    with database.write() as conn:
        approval.approve(conn, name, who(), settings.clock.now())
    typer.echo(f"{name} is on")


def off(name: Name, why: Why = "") -> None:
    """Turn a journey off: nobody enters, and nothing is sent."""
    _switch(name, why, on=False)


def where(
    customer: Annotated[str, typer.Argument(help="The customer's id.")],
    journey: Only = None,
) -> None:
    """Where a customer is, how she got there, and what she was sent or why not."""
    from engine import customers, paths
    from engine.errors import NotFound

    _, database = _database()
    with database.read() as conn:
        if customers.get(conn, customer) is None:
            raise NotFound("customer_not_found", f"there is no customer {customer!r}")
        ways = paths.path(conn, customer, journey)
        refusals = paths.refusals(conn, customer, journey)
    if not ways and not refusals:
        typer.echo(f"customer {customer} was never in {journey or 'a journey'}")
    for way in ways:
        _print_way(way)
    for refusal in refusals:
        typer.echo(f"{refusal.at:%Y-%m-%d %H:%M}  {refusal.journey}: not let in, {refusal.reason} ({refusal.entry})")


def _load(path: Path | None) -> tuple[list[Loaded], list[JourneyError]]:
    """What is sound, and what is wrong with the rest."""
    from dsl.loading import load
    from dsl.problems import Problems

    try:
        return load(_folder(path)), []
    except Problems as problems:
        return list(problems.loaded), list(problems)


def _print(problems: Sequence[JourneyError]) -> int:
    """Print problems in the order of their files, each once; how many they are."""
    from dsl.problems import Problems

    found = Problems(problems)
    typer.echo(f"{found}\n", err=True)
    return len(found)


def checked(path: Path | None) -> list[Loaded]:
    """The journeys that are there; if something is wrong with one, it is printed, and the command ends."""
    loaded, problems = _load(path)
    if problems:
        _print(problems)
        raise typer.Exit(1)
    return loaded


def _sound(path: Path | None, journey: str | None) -> list[IR]:
    return [each.ir for each in _chosen(checked(path), journey)]


def _chosen(loaded: Sequence[Loaded], journey: str | None) -> list[Loaded]:
    found = [each for each in loaded if journey is None or each.ir.name == journey]
    if not found:
        names = ", ".join(each.ir.name for each in loaded) or "none"
        raise typer.BadParameter(f"there is no journey {journey!r} here; there are: {names}")
    return found


def _folder(path: Path | None) -> Path:
    from engine.settings import Settings

    return path if path is not None else Settings().journeys


def _templates(path: Path | None) -> Templates:
    from engine.settings import Settings
    from engine.templating.templates import Templates

    folder = _folder(path)
    return Templates.of(Settings(journeys=folder if folder.is_dir() else folder.parent))


def _template_problems(path: Path | None, loaded: Sequence[Loaded]) -> list[JourneyError]:
    if not loaded:
        return []
    from engine.sms.check import sms_problems
    from engine.templating.checking import check_templates, uses_of

    templates, known = _templates(path), _attributes()
    uses = [uses_of(each) for each in loaded]
    found = [problem for each in uses for problem in check_templates(templates, each, known)]
    return [*found, *sms_problems(templates, [use for each in uses for use in each])]


def _remarks(path: Path | None, loaded: Sequence[Loaded]) -> list[JourneyError]:
    """What is not wrong, and costs money: letters that make a text message two."""
    from engine.sms.check import sms_remarks
    from engine.templating.checking import uses_of

    return sms_remarks(_templates(path), [use for each in loaded for use in uses_of(each)]) if loaded else []


def _warn(loaded: Sequence[Loaded]) -> None:
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


def _sources(templates: Templates, ir: IR) -> list[Template]:
    found: dict[str, Template] = {}
    for state in ir.states:
        sends = ((state.kind, state.template or ""), *((action.kind, action.template) for action in state.also))
        for kind, ref in sends if state.channels else ():
            for language in templates.languages(ref, kind):
                template = templates.find(ref, kind, language)
                found[template.hash] = template
    return list(found.values())


def _look_at(file: Path) -> None:
    """Show a file in the browser (that of the variable BROWSER, if it is set)."""
    import webbrowser

    if not webbrowser.open(file.resolve().as_uri()):
        typer.echo(f"there is no browser here to show {file} in", err=True)


def _drawn(ir: IR, suffix: str, theme: str) -> bytes:
    match suffix.lower():
        case ".svg":
            from dsl.draw.svg import svg

            return svg(ir, theme=theme).encode()
        case ".png":
            from dsl.draw.svg import svg
            from engine.png import png

            return png(svg(ir), theme="light" if theme == "auto" else theme)
        case ".mmd":
            from dsl.draw.mermaid import mermaid

            return mermaid(ir).encode()
        case ".txt":
            from dsl.draw.text import text

            return text(ir).encode()
        case ".scxml":
            from dsl.export.scxml import scxml

            return scxml(ir).encode()
        case ".json":
            from dsl.export.xstate import xstate

            return xstate(ir).encode()
        case other:
            raise typer.BadParameter(
                f"a picture is a .svg, .png, .mmd, .txt, .scxml or .json file, not {other or 'one without ending'}"
            )


def _switch(name: str, why: str, *, on: bool) -> None:
    from engine import approval, journeys

    settings, database = _database()
    with database.write() as conn:
        if on and settings.second_person:
            if approval.ask(conn, name, who(), why, settings.clock.now()):
                typer.echo(f"{name} is asked for; another person turns it on: parcours approve {name}")
                return
            changed = False
        else:
            changed = journeys.switch(conn, name, on, who(), why, settings.clock.now())
    typer.echo(f"{name} is {'on' if on else 'off'}{'' if changed else ', as it was'}")


def _database():  # noqa: ANN202  # what it returns is imported only when a command runs
    from api.commands.opening import open_database

    return open_database()


def who() -> str:
    """Who gives the command, as the system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "command"


def _print_way(way: Way) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    at = f"ended: {way.end_reason}" if way.ended_at is not None else f"is at {way.state or 'the entrance'}"
    table = Table(
        title=f"{way.journey}: {at} ({way.arm}, entered {way.entered_at:%Y-%m-%d %H:%M})", title_justify="left"
    )
    for column in ("when (UTC)", "box", "by", "what was sent"):
        table.add_column(column)
    for step in way.steps:
        by = step.cause if step.event is None else f"{step.cause}: {step.event.name}"
        sent = [f"{m.channel} {m.status}{f': {m.reason}' if m.reason else ''}" for m in step.messages]
        values = list(_why(step.detail or {}))
        told = (f"{step.at:%Y-%m-%d %H:%M}", step.state, "\n".join([by, *values]), "\n".join(sent))
        table.add_row(*(Text(cell) for cell in told))
    console.print(table)
    for late in way.late:
        console.print(Text(f"{late.at:%Y-%m-%d %H:%M}  {late.event.name} moved nothing: {late.reason}"))


def _why(detail: Mapping[str, Any]) -> Iterator[str]:
    """What a step was decided on, a line each."""
    for name, value in detail.items():
        if name == "learned":
            for arm in value["arms"]:
                said = f"{arm['successes']} of {arm['trials']:g} reached the goal, share {arm['share']:.0%}"
                yield f"{arm['to']}: {said}, drawn {arm['drawn']:.3f}"
        else:
            yield f"{name} = {value}"
