"""The templates' folder: finds the file of a reference, a channel and a language, reads its partials, names its version."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Row

from dsl.ir import IR
from engine.settings import Settings
from engine.templating.context import Brand, suggest
from engine.templating.versions import store

__all__ = ["EXTENSIONS", "Template", "TemplateError", "TemplateMissing", "Templates"]

EXTENSIONS = {"email": "mjml", "sms": "txt", "feed": "html", "call": "html", "letter": "typ"}
"""A channel's files, by their ending. A mail may be plain HTML instead, where there is no MJML of its name."""

_SHARED = files("engine") / "layouts"
_INCLUDE = re.compile(r"\s*<mj-include\s+path\s*=\s*([\"'])(?P<path>.*?)\1\s*(?:/>|>\s*</mj-include>)\s*")
_REF = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*")
_LAYOUT_ENDS = "// --- the author's text ---"

Stamp = tuple[Path, int, int]
StandIn = Callable[[str, str], Sequence["Template"]]
"""By reference and channel: the versions to use where the folder has no file, one for each language."""


class TemplateError(ValueError):
    """A template that can't be used: what is wrong, in which line of which file, and the way out (`help`).

    `code` is one of dsl.problems.CODES. A caret stands under `span` (characters from 0), else under `word` in the line.
    """

    shared: bool = False
    """Whether it is so for everybody, whatever is known of her: nobody's message is to be given up for it."""

    def __init__(
        self,
        message: str,
        name: str = "",
        line: int = 0,
        *,
        code: str = "J162",
        word: str = "",
        span: tuple[int, int] | None = None,
        help: str = "",  # noqa: A002  # it is the word that the reader sees
    ) -> None:
        where = f"{name}:{line}: " if line else f"{name}: " if name else ""
        super().__init__(f"{where}{message}{f'; {help}' if help else ''}")
        self.message = message
        self.name = name
        self.line = line
        self.code = code
        self.word = word
        self.span = span
        self.help = help


class TemplateMissing(TemplateError):
    """There is no file for a reference."""

    shared = True


@dataclass(frozen=True, slots=True)
class Template:
    """A template as it stands now. `source` is whole: partials and layout are in it, so that the hash says everything."""

    ref: str
    channel: str
    language: str
    source: str
    hash: str
    ending: str = ""
    plain: Template | None = field(default=None, compare=False, repr=False)
    """A mail's text part in the author's own words: the `.txt` beside it."""
    origins: tuple[tuple[str, int], ...] = field(default=(), compare=False, repr=False)
    """File and line that each line of the source came from."""

    @classmethod
    def kept(cls, row: Row[Any]) -> Template:
        """A version that was stored, by its row, as it was then."""
        plain = None if row.plain is None else cls(row.name, row.channel, row.language, row.plain, "", "txt")
        return cls(row.name, row.channel, row.language, row.source, row.hash, row.ending or "", plain)

    def at(self, line: int) -> tuple[str, int]:
        """The file and the line that a line of the source came from."""
        return self.origins[min(max(line, 1), len(self.origins)) - 1] if self.origins else (self.ref, line)

    def where(self, line: int) -> str:
        """`win_back/discount.en.mjml:12`, of a line of the source."""
        name, at = self.at(line)
        return f"{name}:{at}"

    @property
    def frame(self) -> int:
        """How many letters of the source are a letter's frame, which is ours."""
        return self.source.find(_LAYOUT_ENDS) + len(_LAYOUT_ENDS) if self.channel == "letter" else 0

    @property
    def file(self) -> str:
        """The author's own file, below the journeys' folder."""
        return f"{self.ref}.{self.language}.{self.ending or EXTENSIONS[self.channel]}"


class Templates:
    """The templates below the journeys' folder, and how this project writes: language, currency, sender."""

    def __init__(
        self,
        folder: Path,
        *,
        language: str = "en",
        currency: str = "EUR",
        country: str = "FR",
        brand: Brand | None = None,
        now: Callable[[], datetime] | None = None,
        stand_in: StandIn | None = None,
    ) -> None:
        self.folder = folder
        self.language = language
        self.currency = currency
        self.country = country
        self.brand = brand or Brand()
        self.now = now or _now
        self._stand_in = stand_in
        self._found: dict[tuple[str, str, str], tuple[Template, tuple[Stamp, ...]]] = {}
        self._versions: dict[str, Template] = {}

    @classmethod
    def of(cls, settings: Settings, stand_in: StandIn | None = None) -> Templates:
        """The templates that the settings describe."""
        name = settings.mail_from.partition("<")[0].strip().strip('"') or "Parcours"
        lines = [line.strip() for line in settings.letter_sender.splitlines() if line.strip()]
        lines = lines[1:] if lines[:1] == [name] else lines
        return cls(
            settings.journeys,
            language=settings.language,
            currency=settings.currency,
            country=settings.country,
            brand=Brand(name, ", ".join(lines), settings.public_url),
            now=settings.clock.now,
            stand_in=stand_in,
        )

    @classmethod
    def like(cls, other: Templates) -> Self:
        """Those of the same folder and project, without what stands in: that is of a process which has the database."""
        return cls(
            other.folder,
            language=other.language,
            currency=other.currency,
            country=other.country,
            brand=other.brand,
            now=other.now,
        )

    def find(self, ref: str, channel: str, language: str) -> Template:
        """The template in this language, else in the project's, else in any. Raises TemplateMissing, naming what is there.

        An edited file is read again; one that is as it was, is not. A version that is kept stands in for a file that isn't there.
        """
        asked = (ref, channel, language)
        found = self._found.get(asked)
        if found is None or not _fresh(found[1]):
            spoken = self._language(ref, channel, language)
            instead = next((each for each in self._instead(ref, channel) if each.language == spoken), None)
            if instead is not None:
                return instead
            found = self._read(ref, channel, spoken)
            self._found[asked] = found
            self._versions[found[0].hash] = found[0]
        return found[0]

    def mentions(self, ref: str, channel: str, name: str) -> bool:
        """Whether the template speaks of `name` (`orders`) in any language: what it does not, need not be looked up.

        Raises TemplateMissing: before a batch is made, for it is the fault of none of its customers.
        """
        languages = self.languages(ref, channel)
        if not languages:
            raise self._missing(ref, channel, self.language)
        found = (self.find(ref, channel, language) for language in languages)
        return any(re.search(rf"\b{name}\b", template.source[template.frame :]) for template in found)

    def lacking(self, ir: IR) -> list[str]:
        """The templates that a journey sends by and that aren't there, in any language, sorted: `email 'hello/welcome'`."""
        sends = ((each.kind, each.template) for state in ir.states for each in (state, *state.also))
        return sorted(
            {f"{kind} '{ref}'" for kind, ref in sends if ref and kind in EXTENSIONS and not self.languages(ref, kind)}
        )

    def keep(self, conn: Connection, hashes: Iterable[str]) -> None:
        """Store the versions that messages were made from (behaviour S4): an edited file rewrites no history."""
        versions = [self._versions[each] for each in sorted(set(hashes)) if each in self._versions]
        store(conn, versions, self.now())

    def languages(self, ref: str, channel: str) -> list[str]:
        """The languages that a reference is there in, sorted."""
        if channel not in EXTENSIONS:
            raise TemplateError(f"no channel {channel!r} has templates", help=suggest(channel, list(EXTENSIONS)))
        if not _REF.fullmatch(ref):
            raise TemplateMissing(
                f"a template's reference is like 'win_back/discount', not {ref!r}",
                code="J160",
                help="no dots, no ending",
            )
        found = self._languages(ref, self._ending(ref, channel))
        return found or [each.language for each in self._instead(ref, channel)]

    def _instead(self, ref: str, channel: str) -> Sequence[Template]:
        """The versions that stand in for a template that the folder lacks in every language; none, if it has it in one."""
        if self._stand_in is None or self._languages(ref, self._ending(ref, channel)):
            return ()
        return self._stand_in(ref, channel)

    def _ending(self, ref: str, channel: str) -> str:
        usual = EXTENSIONS[channel]
        other = channel == "email" and not self._languages(ref, usual) and self._languages(ref, "html")
        return "html" if other else usual

    def _languages(self, ref: str, ending: str) -> list[str]:
        path = self.folder / ref
        names = (each.name for each in path.parent.glob(f"{path.name}.*.{ending}"))
        found = (name[len(path.name) + 1 : -len(ending) - 1] for name in names)
        return sorted(each for each in found if _LANGUAGE.fullmatch(each))

    def line(self, name: str, number: int) -> str:
        """The text of a file's line, for who points at it; `name` as a Template's origins have it."""
        shared = name.startswith("parcours/")
        file = _SHARED / name.removeprefix("parcours/") if shared else self.folder / name
        lines = file.read_bytes().decode(errors="replace").splitlines() if file.is_file() else []
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def _language(self, ref: str, channel: str, language: str) -> str:
        there = self.languages(ref, channel)
        for wanted in (language, language.partition("-")[0], self.language):
            if wanted in there:
                return wanted
        if there:
            return there[0]
        raise self._missing(ref, channel, language)

    def _missing(self, ref: str, channel: str, language: str) -> TemplateMissing:
        path = self.folder / ref
        beside = sorted(each.name for each in path.parent.glob("*.*")) if path.parent.is_dir() else []
        return TemplateMissing(
            f"no template for {channel} '{ref}'",
            code="J160",
            help=f"looked in {path.parent} for {path.name}.<language>.{EXTENSIONS[channel]}"
            f" (languages asked for: {language}, {self.language}); "
            + (f"there is: {', '.join(beside)}" if beside else "that folder is empty or missing"),
        )

    def _read(self, ref: str, channel: str, language: str) -> tuple[Template, tuple[Stamp, ...]]:
        ending = self._ending(ref, channel)
        path = self.folder / f"{ref}.{language}.{ending}"
        reader = _Reader(self.folder)
        if channel == "letter":
            for layout in ("letter.typ", "catalogue.typ", "frame.typ"):
                reader.add_shared(layout)
            reader.line(_LAYOUT_ENDS, "parcours/frame.typ", 0)
        reader.add(path, path.relative_to(self.folder).as_posix())
        source = "\n".join(reader.lines) + "\n"
        hashed = f"{channel}\0{language}\0{source}"
        plain, beside = self._plain(path.with_suffix(".txt"), ref, language) if channel == "email" else (None, ())
        if plain is not None:
            hashed += f"\0{plain.source}"
        digest = sha256(hashed.encode()).hexdigest()
        template = Template(ref, channel, language, source, digest, ending, plain, tuple(reader.origins))
        before = [_stamp(path.with_suffix(f".{usual}"))] if ending != (usual := EXTENSIONS[channel]) else []
        return template, (*reader.stamps, *beside, *before)

    def _plain(self, path: Path, ref: str, language: str) -> tuple[Template | None, tuple[Stamp, ...]]:
        """The author's own text part, if there is one; and the stamp, so that one that is written later is seen."""
        stamp = _stamp(path)
        if stamp[2] < 0:
            return None, (stamp,)
        reader = _Reader(self.folder)
        reader.add(path, path.relative_to(self.folder).as_posix())
        source = "\n".join(reader.lines) + "\n"
        return Template(ref, "email", language, source, "", "txt", None, tuple(reader.origins)), (stamp,)


class _Reader:
    """Reads a file and what it includes, line by line, and remembers where each line came from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self.origins: list[tuple[str, int]] = []
        self.stamps: list[Stamp] = []
        self._within: list[str] = []

    def line(self, text: str, name: str, number: int) -> None:
        self.lines.append(text)
        self.origins.append((name, number))

    def add(self, path: Path, name: str) -> None:
        self.stamps.append(_stamp(path))
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise TemplateError(
                f"this is no UTF-8 text (byte {error.start})", name, line, help="save it as UTF-8"
            ) from error
        self._lines(text, name, path.parent)

    def add_shared(self, name: str) -> None:
        self._lines((_SHARED / name).read_text("utf-8"), f"parcours/{name}", None)

    def _lines(self, text: str, name: str, beside: Path | None) -> None:
        self._within.append(name)
        for number, line in enumerate(text.splitlines(), start=1):
            include = _INCLUDE.fullmatch(line)
            if include:
                self._include(include["path"], (name, number), beside)
            elif "<mj-include" in line:
                text = '<mj-include path="…" /> stands on a line of its own'
                raise TemplateError(text, name, number, code="J164", word="<mj-include")
            else:
                self.line(line, name, number)
        self._within.pop()

    def _include(self, path: str, where: tuple[str, int], beside: Path | None) -> None:
        shared = sorted(each.name for each in _SHARED.iterdir() if each.name.endswith(".mjml"))
        if beside is None or path.startswith("parcours/"):
            name = path.removeprefix("parcours/")
            if name not in shared:
                raise TemplateError(f"there is no {path!r}", *where, code="J164", word=path, help=suggest(name, shared))
            self.add_shared(name)
            return
        file = (beside / path).resolve()
        if not file.is_relative_to(self.folder.resolve()) or file.suffix != ".mjml":
            text = f"{path!r} is no .mjml file within the journeys' folder"
            raise TemplateError(text, *where, code="J164", word=path)
        if not file.is_file():
            there = sorted(p.name for p in beside.glob("*.mjml"))
            raise TemplateError(f"there is no {path!r}", *where, code="J164", word=path, help=suggest(path, there))
        inner = file.relative_to(self.folder.resolve()).as_posix()
        if inner in self._within:
            by = " → ".join((*self._within, inner))
            raise TemplateError(f"this file includes itself: {by}", *where, code="J164", word=path)
        self.add(file, inner)


def _now() -> datetime:
    return datetime.now(UTC)


def _stamp(path: Path) -> Stamp:
    try:
        stat = path.stat()
    except OSError:
        return path, 0, -1
    return path, stat.st_mtime_ns, stat.st_size


def _fresh(stamps: tuple[Stamp, ...]) -> bool:
    return all(_stamp(stamp[0]) == stamp for stamp in stamps)
