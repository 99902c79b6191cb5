"""What a type checker says of the documents' Python: nothing, in strict mode. A reader's editor shows the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from docs.scenario import ROOT, blocks, documents

REFUSED = ("broken/", "refused/")
"""Folders of files that are shown because they are wrong."""


def write(folder: Path) -> int:
    """Each document's files into a folder of its own, and its other blocks, which share their names, into one file."""
    count = 0
    for document in documents():
        if document.name == "errors.md":  # wrong on purpose, and checked by tests/dsl
            continue
        place = folder / document.relative_to(ROOT).with_suffix("")
        loose: list[str] = []
        for block in blocks(document):
            if block.kind != "python" or (block.path or "").startswith(REFUSED):
                continue
            count += 1
            if block.path is None:
                loose.append(block.text)
                continue
            file = place / block.path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, "utf-8")
        if loose:
            place.mkdir(parents=True, exist_ok=True)
            (place / "blocks.py").write_text("\n".join(loose), "utf-8")
    return count


def test_A1_the_documents_python_is_typed(tmp_path: Path) -> None:
    pyright = shutil.which("pyright", path=Path(sys.executable).parent) or shutil.which("pyright")
    if pyright is None:
        pytest.skip("pyright is not installed")
    assert write(tmp_path) > 20
    settings = {"typeCheckingMode": "strict", "pythonVersion": "3.11", "extraPaths": [str(ROOT)]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [pyright, "--project", str(tmp_path), "--pythonpath", sys.executable, "--outputjson"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)  # our own tool
    report = json.loads(run.stdout)
    assert report["summary"]["filesAnalyzed"] > 15
    wrong = [
        f"{Path(one['file']).relative_to(tmp_path)}:{one['range']['start']['line'] + 1}: {one['message']}"
        for one in report["generalDiagnostics"]
    ]
    assert wrong == []
