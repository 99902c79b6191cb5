"""The files that mails carry: pictures that stand in them, and attachments. They lie beside the templates."""

from __future__ import annotations

import mimetypes
from hashlib import sha256
from pathlib import Path

from engine.outgoing import CarriedFile
from engine.templating.context import suggest
from engine.templating.templates import TemplateError, Templates

__all__ = ["PICTURES", "CarriedFiles", "FileProblem", "read_file"]

PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif"}
"""What every mail program shows, by ending."""

_MOST = 7_000_000  # bytes: with what base64 adds, about what mail servers take


class FileProblem(TemplateError):
    """A file that a template names, and that can't be sent. The renderer says in which line."""

    def __init__(self, path: str, message: str, help: str = "") -> None:  # noqa: A002  # it is the word that the reader sees
        super().__init__(message, code="J169", help=help)
        self.path = path


_read: dict[tuple[Path, bool], tuple[tuple[int, int], CarriedFile]] = {}


def read_file(templates: Templates, ref: str, path: str, *, picture: bool) -> CarriedFile:
    """A file by its path from the template's own folder; it can't lead out of the journeys' folder. Raises FileProblem."""
    folder = templates.folder.resolve()
    beside = (folder / ref).parent
    if "\0" in path or "\\" in path or not path.strip():
        raise FileProblem(path, f"{path!r} is no path of a file", help="write it from the template's folder, with /")
    file = (beside / path).resolve()
    if not file.is_relative_to(folder):
        raise FileProblem(path, f"{path!r} leads out of the journeys' folder", help="put the file beside the template")
    if picture and file.suffix.lower() not in PICTURES:
        raise FileProblem(
            path, f"{path!r} is no picture that mail programs show", help=f"they show {', '.join(PICTURES)}"
        )
    try:
        stat = file.stat()
    except (OSError, ValueError):
        stat = None
    if stat is None or not file.is_file():
        there = sorted(each.name for each in file.parent.glob("*.*")) if file.parent.is_dir() else []
        raise FileProblem(
            path, f"there is no file {path!r}", help=suggest(path, there) if there else "that folder is empty"
        )
    if stat.st_size > _MOST:
        raise FileProblem(
            path, f"{path!r} has {stat.st_size:,} bytes", help=f"a mail carries {_MOST:,} at most; link to it instead"
        )
    stamp = (stat.st_mtime_ns, stat.st_size)
    known = _read.get((file, picture))
    if known is None or known[0] != stamp:
        known = _read[file, picture] = (stamp, _carried(file, picture))
    return known[1]


def _carried(file: Path, picture: bool) -> CarriedFile:
    data = file.read_bytes()
    digest = sha256(data).hexdigest()
    kind = PICTURES.get(file.suffix.lower()) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if kind.startswith(("message/", "multipart/")):  # they would be read as part of the mail
        kind = "application/octet-stream"
    return CarriedFile(file.name, kind, digest, f"{digest[:24]}@parcours" if picture else "", data)


class CarriedFiles:
    """The files of one message, each once, in the order in which they are first named: `image` and `attach` of templates."""

    def __init__(self, templates: Templates, ref: str) -> None:
        self._templates = templates
        self._ref = ref
        self._all: dict[tuple[str, str], CarriedFile] = {}

    def image(self, path: str) -> str:
        """A picture that the mail carries, as the address for its `src`."""
        file = read_file(self._templates, self._ref, str(path), picture=True)
        self._all.setdefault((file.hash, "picture"), file)
        return f"cid:{file.content_id}"

    def attach(self, path: str) -> str:
        """Attach a file; nothing is printed where this stands."""
        file = read_file(self._templates, self._ref, str(path), picture=False)
        self._all.setdefault((file.hash, file.name), file)
        return ""

    @property
    def all(self) -> tuple[CarriedFile, ...]:
        return tuple(self._all.values())
