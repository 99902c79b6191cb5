"""`parcours`: the command. It gathers the sub-commands of `api/commands` and always ends with its own exit code.

Heavy modules (Temporal, SQL, drawing) are imported by the command that needs them: `parcours --help` is quick.
"""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from importlib.util import find_spec
from typing import NoReturn

import typer

from api.commands import (
    data,
    events,
    explain,
    feeds,
    http,
    journeys,
    keys,
    knobs,
    mail,
    operating,
    queues,
    suppressions,
)
from api.commands.backtest import backtest
from api.commands.diff import diff
from api.commands.opening import close_databases
from api.commands.preview import preview
from api.commands.simulate import simulate
from api.commands.texts import sms
from api.one_stack import end_with_the_stack
from engine.errors import EngineError

__all__ = ["app", "main"]

app = typer.Typer(
    name="parcours",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Parcours: customer journeys as code, durable on Temporal.",
)

_ELSEWHERE = {"api.commands.serve": ("up", "worker", "local", "receiver"), "api.commands.demo": ("demo",)}
_INTERRUPTED = 130
_TROUBLE = {"diff": 2}
"""The exit code for something wrong, where it isn't 1: that says "they differ"."""


def _gather() -> None:
    for command in (journeys.check, journeys.show, journeys.draw, diff):
        app.command()(command)
    app.command("hash")(journeys.hash_)
    app.command()(preview)
    app.command()(explain.explain)
    app.command()(sms)
    app.command()(simulate)
    app.command()(backtest)
    for command in (
        operating.publish, operating.on, operating.approve, operating.off, operating.where, knobs.knobs, knobs.turn,
    ):  # fmt: skip
        app.command()(command)
    app.add_typer(data.app, name="import")
    app.add_typer(events.app, name="event")
    app.add_typer(keys.app, name="key")
    app.add_typer(mail.app, name="mail")
    app.add_typer(queues.app, name="queue")
    app.add_typer(suppressions.app, name="suppression")
    app.add_typer(feeds.app, name="feed")
    app.command()(http.api)
    for module, names in _ELSEWHERE.items():
        if find_spec(module) is not None:
            for name in names:
                app.command()(getattr(import_module(module), name))


_gather()


@app.callback()
def _begin(context: typer.Context) -> None:  # pyright: ignore[reportUnusedFunction]  # typer calls it
    end_with_the_stack()
    context.call_on_close(close_databases)


def main() -> NoReturn:
    """Run the command and end the process: 0, 1 for something wrong, 2 for wrong usage, 130 when interrupted."""
    _end(_run())


def _run() -> int:
    try:
        app()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except EngineError as error:
        typer.echo(f"error[{error.code}]: {error.message}", err=True)
        return _wrong()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception as error:  # noqa: BLE001  # whatever it is, the way out is the exit code
        said = _known(error)
        if said is None:
            traceback.print_exc()
            said = "this is a fault of Parcours; please report it with the lines above"
        typer.echo(f"error: {said}", err=True)
        return _wrong()
    return 0


def _wrong() -> int:
    return _TROUBLE.get("".join(sys.argv[1:2]), 1)


def _known(error: Exception) -> str | None:
    """What is wrong, for errors that an operator can put right."""
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename is not None else str(error)
    if "sqlalchemy.exc" in sys.modules:
        from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError  # noqa: PLC0415  # only where it is loaded already

        # of a file that is no database the plain class; its other heirs (a constraint, a wrong statement) are faults of ours
        if isinstance(error, OperationalError) or type(error) is DatabaseError:
            return f"the database can't be used (PARCOURS_DATABASE): {error.orig}"
        if isinstance(error, ArgumentError) and "url" in str(error).lower() + type(error).__name__.lower():
            return f"this is no database (PARCOURS_DATABASE): {error}"
    if "pydantic" in sys.modules:
        from pydantic import ValidationError  # noqa: PLC0415  # as above

        if isinstance(error, ValidationError):
            wrong = "; ".join(
                "".join(f"PARCOURS_{str(name).upper()}: " for name in one["loc"])
                + one["msg"].removeprefix("Value error, ")
                for one in error.errors()
            )
            return f"a setting can't be used: {wrong}"
    return None


def _end(code: int) -> NoReturn:
    """Leave. Temporal's threads sometimes abort the interpreter's end (temporalio/sdk-python#300): then not by it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 1  # nobody reads any more
    if "temporalio" in sys.modules:
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
