"""A document as a scenario: its blocks are done from top to bottom in one folder, as a reader would do them.

- A block under a line that is a path alone (`` `journeys/thanks.py` ``) is written to that file.
- A `python` block without a path is run; blocks of one document share their names, as at a prompt, and import its files.
- In a `console` block each line after `$ ` is run by sh, and what stands below it must come out; `…` stands for anything.
  A command that looks at what happens meanwhile (`parcours where`) is given some time to see it.
- curl asks the app in this process: sh splits the arguments, as it would for the real one.
- A `json` block is the answer to the curl before it: the same names, the same values where they are no times.
- `NAME=…` takes its value out of the answer before it.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import re
import shlex
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
from kit import ready

__all__ = ["ROOT", "Block", "Scenario", "blocks", "documents", "fits"]

ROOT = Path(__file__).parents[2]
ANSWERED = {"TASK": "id", "LEASE": "lease_token", "MESSAGE": "key", "HOOK": "id"}
"""Names of shell variables, and the field of an answer that each stands for."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PATH = re.compile(r"^`([\w./-]+\.\w+)`\n\n?\Z", re.MULTILINE)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)")
_PATIENCE = 90.0
_LOOKING = ("parcours where",)
_COMPARING = ("parcours diff", "cmp ")
"""Commands that end with 1 where two things differ, which is no failure."""
_WRAP = (
    """set -a
curl() { printf '%s\\0' "$@" > .curl; }
"""
    "{command}\ncode=$?\nenv -0 > .env\nexit $code\n"
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a document: its kind, its text, where it stands, and the file that it is to be."""

    where: str
    kind: str
    text: str
    path: str | None


def documents() -> list[Path]:
    """Every document that a newcomer reads."""
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(document: Path) -> Iterator[Block]:
    """The fenced blocks of a document, in their order."""
    text = document.read_text("utf-8")
    for found in _FENCE.finditer(text):
        path = _PATH.search(text[: found.start()])
        line = text.count("\n", 0, found.start()) + 1
        where = f"{document.relative_to(ROOT).as_posix()}:{line}"
        yield Block(where, found[1], found[2], path[1] if path is not None else None)


def fits(told: Any, real: Any) -> bool:
    """Whether an answer is as the document tells it. `"…"` is any value, at the end of a list: any more of them."""
    if told == "…":
        return True
    if isinstance(told, dict) and isinstance(real, dict):
        left, right = cast("dict[str, Any]", told), cast("dict[str, Any]", real)
        return left.keys() == right.keys() and all(fits(left[name], right[name]) for name in left)
    if isinstance(told, list) and isinstance(real, list):
        some, every = cast("list[Any]", told), cast("list[Any]", real)
        if some[-1:] == ["…"]:
            some = some[:-1]
            every = every[: len(some)]
        return len(some) == len(every) and all(fits(a, b) for a, b in zip(some, every, strict=True))
    if isinstance(told, str) and isinstance(real, str):
        return _pattern(told).fullmatch(real) is not None or bool(_TIME.fullmatch(told) and _TIME.fullmatch(real))
    return bool(told == real)


class Scenario:
    """Does a document's blocks in `folder`. `skipped` are beginnings of commands that are not run."""

    def __init__(self, folder: Path, skipped: Mapping[str, str], http: httpx.AsyncClient | None = None) -> None:
        self.folder = folder
        self._skipped = skipped
        self._http = http
        self._answer: httpx.Response | None = None
        self._asked: list[str] = []
        self._names: dict[str, Any] = {"__name__": "docs"}
        self._shell = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PARCOURS_", "TEMPORAL_"))},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PARCOURS_DATA": str(folder / "var"),
            "COLUMNS": "200",
        }

    async def play(self, document: Path) -> None:
        """Do every block. Raises AssertionError with the place where a document and the program differ.

        The README's commands are the program that is installed; for the others a process is ready, that they take less time.
        """
        if document.name != "README.md":
            self._shell["PATH"] = f"{ready.command()}{os.pathsep}{self._shell['PATH']}"
        for block in blocks(document):
            await self._do(block)

    async def _do(self, block: Block) -> None:
        if block.path is not None:
            file = self.folder / block.path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, "utf-8")
        elif block.kind == "python":
            with _importing(self.folder):
                exec(compile(block.text, block.where, "exec"), self._names)  # noqa: S102  # it is what this is for
        elif block.kind == "console":
            for command, output in _commands(block):
                await self._run(block.where, command, output)
        elif block.kind == "json":
            await self._compare(block)
        else:
            assert block.kind in {"mermaid", "text"}, f"{block.where}: a block of kind {block.kind!r} is run by nothing"

    async def _run(self, where: str, command: str, output: str) -> None:
        for beginning in self._skipped:
            if command.startswith(beginning):
                return
        command = re.sub(r"\b([A-Z]+)=…", lambda found: f"{found[1]}={shlex.quote(self._of_answer(found[1]))}", command)
        code, real = await self._sh(command)
        patience = time.monotonic() + _PATIENCE
        while command.startswith(_LOOKING) and not _is(output, real) and time.monotonic() < patience:
            await asyncio.sleep(0.1)
            code, real = await self._sh(command)
        asked = self.folder / ".curl"
        if asked.exists():
            self._asked = asked.read_text("utf-8").split("\0")[:-1]
            asked.unlink()
            real = await self._ask()
            code = 0
        wanted = {0, 1} if command.startswith(_COMPARING) else {1 if "error" in output else 0}
        assert code in wanted, f"{where}: {command}\nended with {code}:\n{real}"
        assert _is(output, real), f"{where}: {command}\nthe document says:\n{output}\nit is:\n{_plain(real)}"

    async def _sh(self, command: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", _WRAP.replace("{command}", command), cwd=self.folder, env=self._shell,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        kept = (self.folder / ".env").read_text("utf-8").split("\0")
        self._shell = dict(line.split("=", 1) for line in kept if "=" in line)
        return process.returncode or 0, output.decode()

    def _of_answer(self, name: str) -> str:
        assert self._answer is not None, f"{name}=… follows no answer"
        found = _search(self._answer.json(), ANSWERED[name])
        assert isinstance(found, str), f"there is no {ANSWERED[name]} in {self._answer.text}"
        return found

    # --- curl ---------------------------------------------------------------------------------------------------------

    async def _ask(self) -> str:
        """Ask as curl was told to, and give what it prints."""
        assert self._http is not None, "this document asks no server"
        method, url, headers, data, out = _curl(self._asked)
        parts = urlsplit(url)
        self._answer = await self._http.request(
            method, f"{parts.path}?{parts.query}" if parts.query else parts.path, headers=headers, content=data
        )
        if out is None:
            return self._answer.text
        (self.folder / out).write_bytes(self._answer.content)
        return ""

    async def _compare(self, block: Block) -> None:
        """The answer, if need be after a while: what a document tells next has time to happen."""
        told = json.loads(block.text)
        patience = time.monotonic() + _PATIENCE
        while True:
            assert self._answer is not None, f"{block.where}: this answer follows no curl"
            real = self._answer.json()
            if fits(told, real):
                return
            assert _curl(self._asked)[0] == "GET" and time.monotonic() < patience, (  # noqa: PT018  # one reason
                f"{block.where}: the document says\n{block.text}\nit is\n{json.dumps(real, indent=2, ensure_ascii=False)}"
            )
            await asyncio.sleep(0.1)
            await self._ask()


@contextmanager
def _importing(folder: Path) -> Generator[None]:
    """While a block runs, the document's own files can be imported; nothing of them stays."""
    path, modules, writes = list(sys.path), set(sys.modules), sys.dont_write_bytecode
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:], sys.dont_write_bytecode = path, writes
        for name in set(sys.modules) - modules:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
                del sys.modules[name]


def _is(output: str, real: str) -> bool:
    return not output or _pattern(output).fullmatch(_plain(real)) is not None


def _plain(real: str) -> str:
    return "\n".join(line.rstrip() for line in real.strip().splitlines())


def _commands(block: Block) -> Iterator[tuple[str, str]]:
    """Each command of a console block, and what the document says comes out."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        found = re.match(r"((?:.*\\\n)*.*)\n?", part)
        assert found is not None, block.where
        yield found[1], part[found.end() :].strip("\n")


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(piece) for piece in text.split("…")), re.DOTALL)


def _search(value: Any, field: str) -> Any:
    """The first field of this name, anywhere in an answer."""
    if isinstance(value, dict):
        inside = cast("dict[str, Any]", value)
        return inside[field] if field in inside else _search(list(inside.values()), field)
    if isinstance(value, list):
        found = (_search(each, field) for each in cast("list[Any]", value))
        return next((each for each in found if each is not None), None)
    return None


def _curl(arguments: list[str]) -> tuple[str, str, dict[str, str], str | None, str | None]:
    """Method, address, headers, body and file of a curl command."""
    method, url, data, out = "GET", "", None, None
    headers: dict[str, str] = {}
    left = iter(arguments)
    for argument in left:
        match argument:
            case "-s":
                continue
            case "-X":
                method = next(left)
            case "-H":
                name, _, value = next(left).partition(":")
                headers[name.strip()] = value.strip()
            case "-d" | "--json":
                data, method = next(left), "POST" if method == "GET" else method
                kind = "application/json" if argument == "--json" else "application/x-www-form-urlencoded"
                headers.setdefault("Content-Type", kind)
            case "-u":
                import base64  # noqa: PLC0415  # few documents use it

                headers["Authorization"] = f"Basic {base64.b64encode(next(left).encode()).decode()}"
            case "-o":
                out = next(left)
            case _:
                assert not argument.startswith("-"), f"the tests' curl knows no {argument}"
                url = argument
    return method, url, headers, data, out
