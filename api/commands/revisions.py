"""Revisions: journey files as a git repository has them at a commit, brought into a folder of their own to be loaded."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

__all__ = ["GitError", "checked_out"]


class GitError(Exception):
    """What git could not give, in a sentence."""


@contextmanager
def checked_out(path: str, revision: str, *, of_repository: bool = False) -> Generator[Path]:
    """A journey file, or a folder of them, at a revision: with all Python files beside it, as they were then.

    `path` is seen from here, or from the repository's top (`of_repository`). The work tree isn't touched; the files are gone
    when the context ends. Raises GitError where there is no git, no repository, no such revision or no such file in it.
    """
    here = Path.cwd() if of_repository else _nearest(Path(path))
    top = Path(_git(here, "rev-parse", "--show-toplevel").decode().rstrip("\n"))
    inside = PurePosixPath(path) if of_repository else _inside(Path(path), top)
    commit = _commit(top, revision)
    kind = _kind(top, commit, inside)
    if kind is None:
        hint = _hint(top, inside)
        raise GitError(f"there is no {str(inside)!r} in {revision} ({commit[:12]}){hint}")
    folder = inside if kind == "tree" else inside.parent
    with TemporaryDirectory(prefix="parcours-") as temporary:
        # under its own name: journeys may import their siblings by it
        copy = Path(temporary, folder.name or top.name)
        copy.mkdir()
        for name, content in _sources(top, commit, folder):
            (copy / name).write_bytes(content)
        yield copy if kind == "tree" else copy / inside.name


def _nearest(path: Path) -> Path:
    """The nearest folder that is there today; the file may be gone."""
    folder = path.absolute().parent
    return next(each for each in (folder, *folder.parents) if each.is_dir())


def _inside(path: Path, top: Path) -> PurePosixPath:
    # the folder may be a link, the file itself is what git calls it
    whole = path.absolute().parent.resolve() / path.name
    try:
        return PurePosixPath(Path(os.path.normpath(whole)).relative_to(top.resolve()).as_posix())
    except ValueError:
        raise GitError(f"{str(path)!r} is not in the repository {str(top)!r}") from None


def _commit(top: Path, revision: str) -> str:
    if not revision or revision.startswith("-"):
        raise GitError(f"{revision!r} is no revision; for example HEAD~1, a branch, a tag or a hash")
    try:
        return _git(top, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").decode().strip()
    except GitError:
        hint = "for example HEAD~1, a branch, a tag or a hash; `git log --oneline` lists them"
        raise GitError(f"there is no revision {revision!r} in {str(top)!r}; {hint}") from None


def _kind(top: Path, commit: str, inside: PurePosixPath) -> str | None:
    """`blob` for a file, `tree` for a folder, None where there is neither."""
    if str(inside) == ".":
        return "tree"
    (found,) = _objects(top, [f"{commit}:{inside}"])
    return found[0] if found is not None else None


def _sources(top: Path, commit: str, folder: PurePosixPath) -> Iterator[tuple[str, bytes]]:
    """The Python files right in a folder."""
    within = "" if str(folder) == "." else f"{folder}/"
    listed = _git(top, "ls-tree", "-z", "--name-only", "--full-tree", f"{commit}:{within.removesuffix('/')}")
    names = [
        name
        for name in listed.decode(errors="surrogateescape").split("\0")
        if name.endswith(".py") and "\n" not in name
    ]
    for name, found in zip(names, _objects(top, [f"{commit}:{within}{name}" for name in names]), strict=True):
        if found is not None and found[0] == "blob":
            yield name, found[1]


def _objects(top: Path, names: Sequence[str]) -> list[tuple[str, bytes] | None]:
    """Each object's kind and content, links followed; None where there is none."""
    asked = "".join(f"{name}\n" for name in names).encode(errors="surrogateescape")
    answer = _git(top, "cat-file", "--batch", "--follow-symlinks", given=asked)
    found: list[tuple[str, bytes] | None] = []
    at = 0
    for _ in names:
        end = answer.index(b"\n", at)
        words = answer[at:end].split(b" ")
        at = end + 1
        if words[-1] in {b"missing", b"ambiguous"}:
            found.append(None)
            continue
        size = int(words[-1])
        content = answer[at : at + size]
        at += size + 1
        # "symlink", "dangling", "loop" and "notdir" lead out of the repository or nowhere
        found.append((words[1].decode(), content) if len(words) == 3 else None)
    return found


def _hint(top: Path, inside: PurePosixPath) -> str:
    """When the file came, if it did."""
    try:
        log = (
            _git(top, "log", "--diff-filter=A", "--format=%h (%as)", "--max-count=1", "--", str(inside))
            .decode()
            .strip()
        )
    except GitError:
        return ""
    return f"; it was added in {log}" if log else ""


def _git(folder: Path, *arguments: str, given: bytes | None = None) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603  # git, with arguments of ours
            ["git", "-C", str(folder), *arguments],  # noqa: S607  # whichever git the user has
            input=given,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise GitError("a revision needs git, and there is none on the path; install it, or compare files") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ").splitlines()
        raise GitError(f"git can't read {str(folder)!r}: {said[0] if said else f'exit code {done.returncode}'}")
    return done.stdout
