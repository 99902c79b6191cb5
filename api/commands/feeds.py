"""`parcours feed`: segment feeds and their items, and the feeds of others that are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dsl.predicate import Predicate

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Segment feeds, and feeds of others that are read.")

Name = Annotated[str, typer.Argument(help="The feed's name.")]
Segment = Annotated[
    str,
    typer.Option(help="FILE.py:NAME, a condition in a Python file (docs/concepts/facts.md); without it: everybody."),
]


@app.command()
def create(
    name: Name,
    title: Annotated[str, typer.Option()],
    segment: Segment = "",
    description: Annotated[str, typer.Option()] = "",
) -> None:
    """Make a segment feed, or change it, and print its address: a secret of those who may read it."""
    from api.commands.opening import open_database
    from engine.feeds import segments as segment_feeds

    settings, database = open_database()
    links = _links(settings)
    with database.write() as conn:
        token = segment_feeds.create(
            conn, links, name, title, settings.clock.now(), description=description, segment=_predicate(segment)
        )
    typer.echo(links.feed(token))


@app.command("list")
def list_() -> None:
    """List segment feeds with their addresses, and the feeds that are read."""
    from api.commands.opening import open_database
    from engine.feeds import segments as segment_feeds
    from engine.feeds import sources as feed_sources

    settings, database = open_database()
    links = _links(settings)
    with database.read() as conn:
        for feed in segment_feeds.every(conn):
            live = links.feed(links.segment_token(feed.name, feed.generation)) if feed.revoked_at is None else "revoked"
            typer.echo(f"{feed.name}: {feed.title}, {_said(feed.segment, 'everybody')}\n  {live}")
        for source in feed_sources.every(conn):
            state = source.error or (f"read {source.read_at:%Y-%m-%d %H:%M}" if source.read_at else "not read yet")
            typer.echo(f"{source.name}.posted: {source.url}, {_said(source.segment, 'no events')}\n  {state}")


@app.command()
def post(
    name: Name,
    item: Annotated[str, typer.Option("--id", help="Your own id of the item; the same again changes it.")],
    title: Annotated[str, typer.Option()],
    link: Annotated[str, typer.Option()],
    html: Annotated[str, typer.Option()] = "",
) -> None:
    """Post an item to a segment feed."""
    from api.commands.opening import open_database
    from engine.feeds import segments as segment_feeds

    settings, database = open_database()
    with database.write() as conn:
        made = segment_feeds.Item(item, title, link, html)
        row = segment_feeds.post(conn, _links(settings), name, made, settings.clock.now())
    typer.echo(f"{row.id} is in {name} as {row.guid}")


@app.command()
def withdraw(name: Name, item: Annotated[str, typer.Argument(help="The item's id.")]) -> None:
    """Take an item out of a segment feed."""
    from api.commands.opening import open_database
    from engine.feeds import segments as segment_feeds

    settings, database = open_database()
    with database.write() as conn:
        segment_feeds.withdraw(conn, name, item, settings.clock.now())
    typer.echo(f"{item} is out of {name}")


@app.command()
def rotate(name: Name) -> None:
    """Give a segment feed a new address, and print it; the old one answers 410."""
    from api.commands.opening import open_database
    from engine.feeds import segments as segment_feeds

    settings, database = open_database()
    links = _links(settings)
    with database.write() as conn:
        token = segment_feeds.rotate(conn, links, name, settings.clock.now())
    typer.echo(links.feed(token))


@app.command()
def revoke(name: Name) -> None:
    """Revoke a segment feed: its address answers 410."""
    from api.commands.opening import open_database
    from engine.feeds import segments as segment_feeds

    settings, database = open_database()
    with database.write() as conn:
        segment_feeds.revoke(conn, name, settings.clock.now())
    typer.echo(f"{name} is revoked")


@app.command()
def read(
    name: Name,
    url: Annotated[str, typer.Argument(help="The address of the feed, RSS or Atom.")],
    segment: Segment = "",
    minutes: Annotated[int, typer.Option(help="Between two readings, 5 at least.")] = 60,
) -> None:
    """Read a feed of somebody's: its posts are for templates; with --segment a new one is the event NAME.posted of its customers."""
    from api.commands.opening import open_database
    from engine.feeds import sources as feed_sources

    settings, database = open_database()
    with database.write() as conn:
        feed_sources.put(conn, name, url, settings.clock.now(), segment=_predicate(segment), minutes=minutes)
    typer.echo(f"{name} is read every {minutes} minutes: {_said(_predicate(segment), 'for templates alone')}")


@app.command()
def forget(name: Name) -> None:
    """Read a feed no more, and forget its posts."""
    from api.commands.opening import open_database
    from engine.feeds import sources as feed_sources

    _, database = open_database()
    with database.write() as conn:
        feed_sources.remove(conn, name)
    typer.echo(f"{name} is not read any more")


def _links(settings: Any) -> Any:
    from engine.links import Links

    return Links(settings.public_url, settings.signing_key())


def _said(segment: dict[str, Any] | None, none: str) -> str:
    from engine.feeds.segments import predicate_of

    predicate = predicate_of(segment)
    return predicate.sentence() if predicate is not None else none


def _predicate(given: str) -> dict[str, Any] | None:
    """The condition at FILE.py:NAME, as JSON. Raises Invalid."""
    from importlib.util import module_from_spec, spec_from_file_location
    from pathlib import Path

    from dsl.predicate import Predicate
    from engine.errors import Invalid

    if not given:
        return None
    file, _, name = given.rpartition(":")
    path = Path(file)
    spec = spec_from_file_location(path.stem, path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise Invalid("--segment", given, "it must be FILE.py:NAME, a file that is there")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Predicate | None = getattr(module, name, None)
    if not isinstance(found, Predicate):
        known = ", ".join(each for each, value in vars(module).items() if isinstance(value, Predicate)) or "none"
        raise Invalid("--segment", given, f"{file} has no condition {name!r}; conditions there: {known}")
    return dict(found.to_json())
