"""`parcours check`, `show`, `hash`, `draw`, `publish`, `on`, `off`, `where`: work on journeys."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dsl.ir import IR
    from dsl.loading import Loaded
    from dsl.problems import JourneyError
    from engine.paths import Path as Way
    from engine.templates import Template, Templates

__all__ = ["check", "draw", "hash_", "off", "on", "publish", "show", "where"]

At = Annotated[Path | None, typer.Argument(help="A journey file or a folder of them; default: PARCOURS_JOURNEYS.")]
Only = Annotated[str | None, typer.Option("--journey", "-j", help="One journey of them, by its name.")]
Name = Annotated[str, typer.Argument(help="The journey's name, as win_back.")]
Why = Annotated[str, typer.Option("--why", "-m", help="The reason: it is kept, and shown.")]


def check(path: At = None) -> None:
    """Check journeys and their templates: every rule, with file, line and a way out. Exit code 1 if something is wrong."""
    loaded, problems = _load(path)
    problems += _template_problems(path, loaded)
    if problems:
        count = _print(problems)
        typer.echo(f"{count} {'problem' if count == 1 else 'problems'}; parcours explain CODE says more", err=True)
        raise typer.Exit(1)
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
    from engine import journeys

    loaded, problems = _load(path)
    wanted = _chosen(loaded, journey) if not problems else []
    problems += _template_problems(path, wanted)
    if problems:
        _print(problems)
        typer.echo("nothing was published", err=True)
        raise typer.Exit(1)
    templates = _templates(path)
    settings, database = _database()
    for each in wanted:
        with database.write() as conn:
            before = [row.hash for row in journeys.versions(conn, each.ir.name)]
            made = journeys.publish(conn, each.ir, _who(), settings.clock.now(), _sources(templates, each.ir))
            switched = "on" if journeys.get(conn, each.ir.name).on else f"off: parcours on {each.ir.name}"
        news = "as it was published before" if each.ir.hash in before else "new"
        typer.echo(f"{each.ir.name}: version {made.version} ({news}), {switched}")


def on(name: Name, why: Why = "") -> None:
    """Turn a journey on: customers enter from now on."""
    _switch(name, why, on=True)


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


def _sound(path: Path | None, journey: str | None) -> list[IR]:
    loaded, problems = _load(path)
    if problems:
        _print(problems)
        raise typer.Exit(1)
    return [each.ir for each in _chosen(loaded, journey)]


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
    from engine.templates import Templates

    folder = _folder(path)
    return Templates.of(Settings(journeys=folder if folder.is_dir() else folder.parent))


def _template_problems(path: Path | None, loaded: Sequence[Loaded]) -> list[JourneyError]:
    if not loaded:
        return []
    from engine.checking import check_templates, uses_of

    templates, known = _templates(path), _attributes()
    return [problem for each in loaded for problem in check_templates(templates, uses_of(each), known)]


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
        if state.template is not None:
            for language in templates.languages(state.template, state.kind):
                template = templates.find(state.template, state.kind, language)
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
    from engine import journeys

    settings, database = _database()
    with database.write() as conn:
        changed = journeys.switch(conn, name, on, _who(), why, settings.clock.now())
    typer.echo(f"{name} is {'on' if on else 'off'}{'' if changed else ', as it was'}")


def _database():  # noqa: ANN202  # what it returns is imported only when a command runs
    from api.commands.opening import open_database

    return open_database()


def _who() -> str:
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
        values = [f"{name} = {value}" for name, value in (step.detail or {}).items()]
        told = (f"{step.at:%Y-%m-%d %H:%M}", step.state, "\n".join([by, *values]), "\n".join(sent))
        table.add_row(*(Text(cell) for cell in told))
    console.print(table)
    for late in way.late:
        console.print(Text(f"{late.at:%Y-%m-%d %H:%M}  {late.event.name} moved nothing: {late.reason}"))
