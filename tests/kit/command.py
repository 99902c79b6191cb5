"""The command as a process, in a project's folder: what a user at a shell gets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["parcours"]


def parcours(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a project's folder: its journeys are in `journeys`, what is kept is in `var`."""
    env = {
        "PATH": os.environ["PATH"],
        "PARCOURS_DATA": str(project / "var"),
        "PARCOURS_JOURNEYS": str(project / "journeys"),
        "COLUMNS": "160",
        **environment,
    }
    program = [sys.executable, "-m", "api.command", *arguments]
    root = str(Path(__file__).parents[2])
    return subprocess.run(  # our own command
        program, cwd=project, env={**env, "PYTHONPATH": root}, capture_output=True, text=True, timeout=60, check=False
    )
