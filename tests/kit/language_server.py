"""A language server as an editor drives it: pyright's, over its standard input and output (LSP 3.17)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

__all__ = ["LanguageServer", "pyright"]


class LanguageServer:
    """One session, of the files of one folder."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._count = 0
        root = folder.as_uri()
        self.ask(
            "initialize",
            processId=os.getpid(),
            rootUri=root,
            workspaceFolders=[{"uri": root, "name": "project"}],
            capabilities={"workspace": {"configuration": True, "workspaceFolders": True}},
        )
        self._tell("initialized")

    def open(self, file: Path) -> None:
        """Open a file in the editor."""
        document = {"uri": file.as_uri(), "languageId": "python", "version": 1, "text": file.read_text("utf-8")}
        self._tell("textDocument/didOpen", textDocument=document)

    def rename(self, file: Path, at: str, new: str) -> dict[Path, str]:
        """What every file holds when the name at the end of the text `at` is changed to `new`."""
        text = file.read_text("utf-8")
        assert text.count(at) == 1, f"{at!r} stands {text.count(at)} times in {file.name}"
        before = text[: text.index(at) + len(at)]
        position = {"line": before.count("\n"), "character": len(before.rpartition("\n")[2]) - 1}
        edit = self.ask("textDocument/rename", textDocument={"uri": file.as_uri()}, position=position, newName=new)
        found = {change["textDocument"]["uri"]: change["edits"] for change in edit.get("documentChanges", [])}
        edits = cast("dict[str, list[dict[str, Any]]]", edit.get("changes") or found)
        return {path: _edited(path.read_text("utf-8"), edits[path.as_uri()]) for path in map(_path, edits)}

    def ask(self, method: str, **parameters: Any) -> Any:
        """Ask, and wait for the answer. What the server asks meanwhile is answered with nothing."""
        self._count += 1
        self._send({"id": self._count, "method": method, "params": parameters})
        while True:
            message = self._read()
            if message.get("id") == self._count and "method" not in message:
                assert "error" not in message, message["error"]
                return message["result"]
            if "id" in message:  # settings, progress: the project's file says all
                items = message.get("params", {}).get("items", [])
                self._send({"id": message["id"], "result": [None for _ in items] if items else None})

    def _tell(self, method: str, **parameters: Any) -> None:
        self._send({"method": method, "params": parameters})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        stream = self._process.stdin
        assert stream is not None
        stream.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        stream.flush()

    def _read(self) -> dict[str, Any]:
        stream = self._process.stdout
        assert stream is not None
        length = 0
        while (line := stream.readline().strip()) or not length:
            assert line or self._process.poll() is None, "the language server has ended"
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        return json.loads(stream.read(length))


@contextmanager
def pyright(folder: Path) -> Generator[LanguageServer]:
    """Pyright's language server. The test is skipped where there is none, or no node to run it."""
    import pytest  # noqa: PLC0415  # only to skip

    program = shutil.which("pyright-langserver", path=Path(sys.executable).parent)
    if program is None or shutil.which("node") is None:
        pytest.skip("pyright's language server needs node, which isn't there")
    process = subprocess.Popen([program, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder)
    try:
        server = LanguageServer(process, folder)
        yield server
        server.ask("shutdown")
    finally:
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        process.wait()


def _path(uri: str) -> Path:
    from urllib.parse import unquote, urlsplit  # noqa: PLC0415  # one use

    return Path(unquote(urlsplit(uri).path))


def _edited(text: str, edits: list[dict[str, Any]]) -> str:
    """The text with the edits done, from its end to its beginning."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def place(position: dict[str, int]) -> int:
        return starts[position["line"]] + position["character"]

    for edit in sorted(edits, key=lambda edit: place(edit["range"]["start"]), reverse=True):
        start, end = place(edit["range"]["start"]), place(edit["range"]["end"])
        text = text[:start] + edit["newText"] + text[end:]
    return text
