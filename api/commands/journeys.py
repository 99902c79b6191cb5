"""`parcours check`, `show`, `hash`, `draw`: work on journey files, with no server and no database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.authored import (
    At,
    Only,
    folder_of,
    load_sound,
    print_problems,
    remarks,
    sound,
    template_problems,
    warn,
)
from dsl.plurals import counted

if TYPE_CHECKING:
    from dsl.ir import IR

__all__ = ["check", "draw", "hash_", "show"]


def check(path: At = None) -> None:
    """Check journeys and their templates: every rule, with file, line and a way out. Exit code 1 if something is wrong."""
    loaded, problems = load_sound(path)
    problems += template_problems(path, loaded)
    found = remarks(path, loaded)
    if found:
        print_problems(found)
    if problems:
        count = print_problems(problems)
        typer.echo(f"{counted(count, 'problem')}; parcours explain CODE says more", err=True)
        raise typer.Exit(1)
    warn(loaded)
    if not loaded:
        from dsl.bases import only_bases

        typer.echo(only_bases(folder_of(path)))
    for each in loaded:
        ir = each.ir
        size = f"{counted(len(ir.states), 'state')}, {counted(len(ir.arrows), 'arrow')}"
        typer.echo(f"{ir.name}: {size}, {ir.hash[:12]}: nothing is wrong")


def show(path: At = None, journey: Only = None) -> None:
    """Print journeys as text: a legend, and a table of their arrows."""
    from dsl.draw.text import text

    for index, ir in enumerate(sound(path, journey)):
        typer.echo(("\n" if index else "") + text(ir), nl=False)


def hash_(path: At = None, journey: Only = None) -> None:
    """Print each journey's hash: sha256 over what it does. Docstrings and formatting don't change it."""
    for ir in sound(path, journey):
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
    found = sound(path, journey)
    if output is not None and len(found) > 1:
        names = ", ".join(ir.name for ir in found)
        raise typer.BadParameter(f"{len(found)} journeys can't go into one file; choose one with --journey: {names}")
    for ir in found:
        file = output or Path(f"{ir.name}.svg")
        file.write_bytes(_drawn(ir, file, theme))
        typer.echo(f"{file}")
        if look:
            _look_at(file)


def _look_at(file: Path) -> None:
    """Show a file in the browser (that of the variable BROWSER, if it is set)."""
    import webbrowser

    if not webbrowser.open(file.resolve().as_uri()):
        typer.echo(f"there is no browser here to show {file} in", err=True)


def _drawn(ir: IR, file: Path, theme: str) -> bytes:
    match file.suffix.lower():
        case ".svg":
            from dsl.draw.svg import svg

            return svg(ir, theme=theme).encode()
        case ".png":
            from api.commands.pictures import as_png
            from dsl.draw.svg import svg

            return as_png(svg(ir), file, theme=theme)
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
