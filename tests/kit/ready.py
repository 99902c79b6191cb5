"""Commands as processes that need no second to start: one process has imported what commands import, and forks for each.

A command gets a process of its own all the same, with its own arguments, folder, environment, standard streams and exit code.
Run as a program, this file is the process that forks, or asks it to. What a process does at its very start (imports, `--help`
being quick) needs a real one.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

__all__ = ["command", "run"]

_ROOT = Path(__file__).parents[2]
_LOADED = (
    "alembic.command", "api.command", "dsl.draw.svg", "dsl.export.xstate", "dsl.loading", "engine.db", "engine.feeds.segments",
    "engine.journeys", "engine.mail.door", "engine.settings", "engine.sms.check", "engine.templating.checking", "rich.console",
    "rich.table", "sqlmodel",
)  # fmt: skip
"""Not Temporal, whose threads don't outlive a fork, and by which a command ends otherwise."""


def run(
    arguments: Sequence[str], *, folder: Path, env: Mapping[str, str], given: bytes = b"", timeout: float = 120
) -> subprocess.CompletedProcess[bytes]:
    """Run `parcours` in a folder. Raises TimeoutExpired, as subprocess does."""
    with TemporaryFile() as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr:
        stdin.write(given)
        stdin.seek(0)
        streams = (stdin.fileno(), stdout.fileno(), stderr.fileno())
        code = _ask(_ready().address, arguments, folder, env, streams, timeout)
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess(list(arguments), code, stdout.read(), stderr.read())


def command() -> Path:
    """A folder for a shell's PATH, whose `parcours` has its commands run by the process that is ready."""
    return _ready().command


@cache
def _ready() -> _Ready:
    made = _Ready()
    atexit.register(made.close)
    return made


class _Ready:
    """The process that forks. It ends with the one that started it."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="parcours-ready-")
        self.address = f"{self._folder.name}/socket"
        self.command = Path(self._folder.name) / "bin"
        self.command.mkdir()
        program = self.command / "parcours"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{__file__}" "{self.address}" ask "$@"\n')
        program.chmod(0o755)
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PARCOURS_", "TEMPORAL_"))}
        self._process = subprocess.Popen(
            [sys.executable, __file__, self.address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def close(self) -> None:
        """End the process. Commands that are under way go on."""
        self._process.communicate()
        self._folder.cleanup()


def _ask(
    address: str,
    arguments: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    streams: Sequence[int],
    timeout: float | None,
) -> int:
    """Have a command run on these three streams; its exit code."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(timeout)
        line.connect(address)
        asked = json.dumps({"arguments": list(arguments), "folder": str(folder), "env": dict(env)}).encode()
        socket.send_fds(line, [f"{len(asked):10}".encode()], list(streams))
        line.sendall(asked)
        answers = line.makefile("r")
        process = int(answers.readline())
        try:
            return int(answers.readline())
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            raise subprocess.TimeoutExpired(list(arguments), timeout or 0) from None


def _serve(address: str) -> None:
    """Fork for each that asks, until nobody holds the other end of our standard input."""
    sys.path[0] = str(_ROOT)
    for name in _LOADED:
        import_module(name)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(16)
        print("ready", flush=True)  # noqa: T201  # who started us waits for it
        while sys.stdin not in select.select([listening, sys.stdin], [], [])[0]:
            line, _ = listening.accept()
            with line:
                if os.fork() == 0:
                    listening.close()
                    os._exit(_attend(line))
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _attend(line: socket.socket) -> int:
    """Between who asked and the command: tells its number, then its exit code."""
    head, streams, _, _ = socket.recv_fds(line, 10, 3)
    size, asked = int(head), b""
    while len(asked) < size:
        asked += line.recv(size - len(asked))
    process = os.fork()
    if process == 0:
        line.close()
        _become(json.loads(asked), streams)
    line.sendall(f"{process}\n".encode())
    _, status = os.waitpid(process, 0)
    line.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    return 0


def _become(asked: dict[str, object], streams: Sequence[int]) -> None:
    """Be the command. Never returns."""
    from api.command import main  # noqa: PLC0415  # in the process that has it

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(asked["env"])  # type: ignore[arg-type]  # it is what `run` sent
    time.tzset()
    os.chdir(str(asked["folder"]))
    sys.path[0] = os.getcwd()  # noqa: PTH109  # as `python -m` has it
    sys.argv = ["parcours", *asked["arguments"]]  # type: ignore[misc]  # as above
    try:
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    finally:
        os._exit(70)


if __name__ == "__main__":
    if sys.argv[2:]:
        sys.exit(_ask(sys.argv[1], sys.argv[3:], Path.cwd(), os.environ, (0, 1, 2), None))
    _serve(sys.argv[1])
