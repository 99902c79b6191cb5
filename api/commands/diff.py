"""`parcours diff`: what differs between two journeys: files, files at a git revision, or published versions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from dsl.diff import Diff
    from dsl.ir import IR
    from dsl.loading import Loaded

__all__ = ["diff"]

_PUBLISHED = "published:"
_FAILED = 2
_COLOURS = {"+": typer.colors.GREEN, "-": typer.colors.RED, "~": typer.colors.BLUE}

A = Annotated[
    str, typer.Argument(metavar="A", help="FILE, FILE@REV, REV:FILE, published:NAME or published:NAME@VERSION.")
]
B = Annotated[
    str | None,
    typer.Argument(
        metavar="[B]", help="The second; without it, FILE is compared with its last commit, FILE@REV with FILE."
    ),
]


def diff(
    a: A,
    b: B = None,
    journey: Annotated[
        str | None, typer.Option("--journey", "-j", help="One journey, by its name, where a file has several.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Draw it too: a .svg or .png file.")] = None,
    theme: Annotated[str, typer.Option(help="Of the picture: auto, light or dark.")] = "auto",
) -> None:
    """Print what differs between two journeys: boxes, arrows, conditions and settings, with + - ~ in front.

    FILE may be a folder of journeys. At a git revision it is loaded with what stood beside it then, and the work tree isn't
    touched. A VERSION is the beginning of its hash, or its number: published:win_back@v2.

    Exit code 0: they do the same. 1: they differ. 2: they can't be compared.
    """
    if output is not None and output.suffix.lower() not in {".svg", ".png"}:
        raise typer.BadParameter(f"the picture is a .svg or .png file, not {output.name!r}", param_hint="--output")
    if theme not in {"auto", "light", "dark"}:
        raise typer.BadParameter(f"the theme is auto, light or dark, not {theme!r}", param_hint="--theme")
    first, second = _alone(a) if b is None else (_Source(a), _Source(b))
    journeys = _journeys(first, second, journey)

    from dsl.diff import diff as compare
    from dsl.draw.diff_text import diff_text

    found = compare(*journeys)
    names = (first.name, second.name)
    for line in diff_text(found, names).splitlines():
        typer.secho(line, fg=_COLOURS.get(line.strip()[:1]))
    if output is not None:
        output.write_bytes(_drawn(found, names, output, theme))
        typer.echo(f"\n{output}")
    raise typer.Exit(0 if found.same else 1)


def _alone(name: str) -> tuple[_Source, _Source]:
    """What one name is compared with: a file with its last commit, a revision of it with the file as it is."""
    if name.startswith(_PUBLISHED):
        raise typer.BadParameter(f"say what to compare {name!r} with: a file, or another version", param_hint="B")
    source = _Source(name)
    if Path(name).exists():
        return _Source(f"{name}@HEAD"), source
    file, at, revision = source.parts()
    if not at or not revision:
        raise typer.BadParameter(f"there is no file or folder {name!r}", param_hint="A")
    return source, _Source(file)


@dataclass(frozen=True)
class _Source:
    """Where a journey comes from, as the user wrote it."""

    name: str

    def journeys(self, wanted: str | None) -> list[IR]:
        """All journeys there; where some are broken, the wanted one. Ends the command where they can't be had."""
        if self.name.startswith(_PUBLISHED):
            return [_published(self.name.removeprefix(_PUBLISHED))]
        if not self.name:  # for pathlib the folder that one stands in
            _fail("there is no file or folder ''")
        if Path(self.name).exists():
            return _loaded(Path(self.name), self.name, wanted)
        file, at, revision = self.parts()
        if not at:
            return _loaded(Path(self.name), self.name, wanted)
        from api.commands.revisions import GitError, checked_out

        seen_from_here = at == "@" or file.startswith(("./", "../"))
        try:
            with checked_out(file, revision, of_repository=not seen_from_here) as path:
                return _loaded(path, self.name, wanted)
        except GitError as error:
            _fail(str(error))

    def parts(self) -> tuple[str, str, str]:
        """FILE, @ or :, REV. A revision may have an @ of its own (`HEAD@{1}`), so a file's ending, or the colon, decides."""
        named = re.match(r"(.+?\.py)(@)(.+)", self.name)
        if named is not None:
            return named[1], named[2], named[3]
        revision, colon, file = self.name.partition(":")
        return (file, colon, revision) if colon and file else self.name.partition("@")


def _journeys(first: _Source, second: _Source, journey: str | None) -> tuple[IR, IR]:
    sides = (first.journeys(journey), second.journeys(journey))
    if journey is None:
        # where one side has one journey only, it is that one of the other side too
        alone = [side[0].name for side in sides if len(side) == 1]
        journey = alone[0] if len(alone) == 1 else None
    chosen = [_chosen(side, source, journey) for side, source in zip(sides, (first, second), strict=True)]
    return chosen[0], chosen[1]


def _chosen(found: Sequence[IR], source: _Source, journey: str | None) -> IR:
    names = ", ".join(ir.name for ir in found)
    if source.name.startswith(_PUBLISHED) or (journey is None and len(found) == 1):
        return found[0]
    if journey is None:
        _fail(f"there are {len(found)} journeys in {source.name}; choose one with --journey: {names}")
    ir = next((ir for ir in found if ir.name == journey), None)
    return ir if ir is not None else _fail(f"there is no journey {journey!r} in {source.name}; there are: {names}")


def _loaded(path: Path, name: str, wanted: str | None) -> list[IR]:
    from dsl.loading import load
    from dsl.problems import Problems, render

    try:
        found = [each.ir for each in load(path)]
    except Problems as problems:
        sound: list[Loaded] = [each for each in problems.loaded if each.ir.name == wanted]
        if sound:
            return [each.ir for each in sound]
        for problem in problems:
            typer.echo(f"{render(problem).replace(str(path), name)}\n", err=True)
        _fail(f"{name} can't be loaded")
    if not found:
        from dsl.bases import only_bases

        _fail(only_bases(path).replace(str(path), name))
    return found


def _published(name: str) -> IR:
    """A published version, by its journey's name and perhaps `@` its hash's beginning, or its number."""
    from api.commands.looking import reading
    from engine import journeys

    name, _, version = name.partition("@")
    with reading(by="PARCOURS_DATABASE") as (_, conn):
        current = journeys.get(conn, name)
        versions = journeys.versions(conn, name)
        digest = current.hash
        if version:
            found = [each.hash for each in versions if version == f"v{each.version}" or each.hash.startswith(version)]
            if len(found) != 1:
                there = ", ".join(f"v{each.version} ({each.hash[:12]})" for each in versions)
                many = "more than one version" if found else "no version"
                _fail(f"journey {name!r} has {many} {version!r}; published: {there}")
            digest = found[0]
        try:
            return journeys.load_ir(conn, digest)
        except ValueError as error:
            _fail(f"journey {name!r}, version {digest[:12]}: {error}")


def _drawn(found: Diff, names: tuple[str, str], file: Path, theme: str) -> bytes:
    from dsl.draw.diff_picture import diff_svg

    if file.suffix.lower() == ".svg":
        return diff_svg(found, names, theme=theme).encode()
    from api.commands.pictures import as_png

    return as_png(diff_svg(found, names), file, theme=theme)


def _fail(said: str) -> NoReturn:
    typer.echo(f"error: {said}", err=True)
    raise typer.Exit(_FAILED)
