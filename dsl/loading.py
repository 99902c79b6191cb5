"""Loading journey files: importing an author's file or folder apart from everything else, and compiling what it holds.

Loading is a function of the files alone. Nothing of theirs stays in `sys.modules`, nothing is cached between two loads,
and what goes wrong while a file is imported is told in the author's file, never in ours.
"""

from __future__ import annotations

import ast
import builtins
import os
import sys
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from types import CodeType, ModuleType
from typing import Any, Final, cast

from dsl import ir
from dsl.broken import PACKAGE, BrokenJourneyError, explained, strayed
from dsl.compile import compile_journey
from dsl.journey import Journey
from dsl.place import Place
from dsl.pointing import problem, shown
from dsl.problems import JourneyError, Problems
from dsl.running import Running
from dsl.settings import stable_name
from dsl.source import name_in_class, tree_of

__all__ = ["Loaded", "journey_files", "load"]

_PYTHONS: Final = sys.stdlib_module_names | {"dsl"}
"""A sibling of such a name is reached by `from . import calendar` only."""
_SECONDS: Final = 60.0
"""That the import of a file may take; it may import what is large."""
_lock = RLock()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A journey that was loaded: its class, its IR, and the file that it stands in."""

    cls: type[Journey]
    ir: ir.IR
    file: Path


def load(path: str | os.PathLike[str]) -> list[Loaded]:
    """Load a journey file, or all of a folder: `*.py`, but none that starts with `_` or `test_`.

    Journeys may import their siblings, in any of three ways: `from ._wine import x`, `from _wine import x`, or by the
    folder's name. Raises `Problems` with everything that is wrong in all files; its `loaded` holds what is sound.
    """
    given = Path(path)
    files = journey_files(given)
    folder = _Folder(given if given.is_dir() else given.parent)
    errors: list[JourneyError] = []
    loaded: list[Loaded] = []
    taken: dict[str, tuple[Path, Place | None]] = {}
    with folder.importing():
        for file in files:
            try:
                _nameable(file)
                with closing(Running(_SECONDS)) as running, running:
                    folder.module(file.stem)
            except BrokenJourneyError as broken:
                errors.append(broken.error)
            except Problems as problems:
                errors += problems
        for file, journeys in folder.journeys(files):
            for journey in journeys:
                name = stable_name(journey)
                if other := taken.get(name) or _lost(journey, file):
                    errors.append(_twice(name, journey, *other))
                    continue
                taken[name] = (file, journey.__journey__.place)
                try:
                    loaded.append(Loaded(journey, _compiled(journey), file))
                except Problems as problems:
                    errors += problems
            if not journeys and not folder.has_abstract(file.stem):
                hint = "a journey is a class that derives from Journey; a file of helpers starts with `_`"
                errors.append(
                    JourneyError("J143", "there is no journey in this file", file=shown(str(file)), help=hint)
                )
    if errors:
        raise Problems(errors, loaded)
    return loaded


def journey_files(given: Path) -> list[Path]:
    """The file itself, or the journey files of a folder, in their order. Raises Problems where there is none."""
    try:
        folder = given.is_dir()
        there = folder or given.is_file()
    except (OSError, ValueError):  # a name that no file can have
        folder = there = False
    if not there:
        raise Problems([JourneyError("J145", f"there is no file or folder {str(given)!r}", help="check the path")])
    if not folder:
        _nameable(given)
        return [given]
    found = (file for file in given.glob("*.py") if not file.name.startswith(("_", "test_", ".")))
    files = sorted(file for file in found if not file.is_dir())
    if not files:
        hint = "journeys are in *.py files whose names don't start with _ or test_"
        raise Problems([JourneyError("J145", f"there is no journey file in {str(given)!r}", help=hint)])
    return files


def _compiled(journey: type[Journey]) -> ir.IR:
    try:
        return compile_journey(journey)
    except Problems:
        raise
    except BaseException as error:  # noqa: BLE001  # the author's own code may raise anything
        raise Problems([strayed(error)]) from None


def _nameable(file: Path) -> None:
    if file.suffix != ".py" or not file.stem.isidentifier():
        hint = "a journey file is a Python file, its name letters, digits and _: win_back.py"
        error = JourneyError("J145", f"{file.name!r} can't be a journey file", file=shown(str(file)), help=hint)
        raise Problems([error])


def _twice(name: str, journey: type[Journey], file: Path, there: Place | None) -> JourneyError:
    place = journey.__journey__.place
    at = name_in_class(place, journey.__name__) if place is not None else None
    line = there.line if there is not None else 0
    hint = 'rename one of the classes, or give it a name: `class …(Journey, name="…")`'
    return problem(
        "J144", f"two journeys are named `{name}`", at, notes=[f"the other stands in {file}:{line}"], help=hint
    )


def _lost(journey: type[Journey], file: Path) -> tuple[Path, Place] | None:
    """A class that a later one of the same name stands in for in silence: of two copies, nobody renamed one."""
    tree = tree_of(str(file))
    written = [each for each in (tree.body if tree is not None else ()) if isinstance(each, ast.ClassDef)]
    lines = [each.lineno for each in written if each.name == journey.__name__]
    return (file, Place(str(file), lines[0])) if len(lines) > 1 else None


class _Folder:
    """The modules of one folder, while it is loaded and as long as its journeys live."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._modules: dict[str, ModuleType] = {}
        self._done: list[str] = []
        """In the order in which they were imported to the end: a module after those that it imports."""
        self._under_way: list[str] = []
        """Whose import has begun, the outermost first."""
        self._broken: dict[str, BrokenJourneyError] = {}
        self._package = ModuleType(PACKAGE)
        self._package.__path__ = []
        # Modules of ours see this `__import__`, nobody else does: no finder, no path and no name leaks.
        self._builtins = {**vars(builtins), "__import__": self._import}

    @contextmanager
    def importing(self) -> Generator[None]:
        """While it imports, the modules stand in `sys.modules` under names of ours: dataclasses look there."""
        with _lock:
            before = {name: module for name, module in sys.modules.items() if _ours(name)}
            for name in before:
                del sys.modules[name]
            try:
                yield
            finally:
                for name in [name for name in sys.modules if _ours(name)]:
                    del sys.modules[name]
                sys.modules.update(before)

    def module(self, stem: str) -> ModuleType:
        """Import a file of the folder, once. Raises BrokenJourneyError."""
        if stem in self._broken:
            raise self._broken[stem]
        if stem in self._modules:
            return self._modules[stem]
        file = self._path / f"{stem}.py"
        module = ModuleType(f"{PACKAGE}.{stem}")
        module.__file__ = str(file)
        module.__package__ = PACKAGE
        vars(module)["__builtins__"] = self._builtins
        self._modules[stem] = sys.modules[module.__name__] = module
        self._under_way.append(stem)
        try:
            code = _code(file)
            exec(code, vars(module))  # noqa: S102  # running the author's file is what loading means
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  # an author's file may raise anything
            del self._modules[stem]
            self._broken[stem] = BrokenJourneyError(explained(error, file, self._siblings(), self._under_way))
            raise self._broken[stem] from None
        finally:
            self._under_way.pop()
        setattr(self._package, stem, module)
        self._done.append(stem)
        return module

    def journeys(self, files: Sequence[Path]) -> Iterator[tuple[Path, list[type[Journey]]]]:
        """Per file the journeys that it defines, in their order.

        One made by a function is of the file that first has it under a name, or in a list, tuple or dict under a name.
        """
        owner: dict[type[Journey], str] = {}
        for stem in self._done:
            module = self._modules[stem]
            for value in vars(module).values():
                if isinstance(value, type) and issubclass(value, Journey) and value.__module__ == module.__name__:
                    owner.setdefault(value, stem)
        for stem in self._done:
            for value in _within(vars(self._modules[stem]).values()):
                if isinstance(value, type) and issubclass(value, Journey) and "<locals>" in value.__qualname__:
                    owner.setdefault(value, stem)
        for file in files:
            if file.stem in self._modules:
                found = [cls for cls, stem in owner.items() if stem == file.stem and not cls.__journey__.abstract]
                yield file, found

    def has_abstract(self, stem: str) -> bool:
        """Whether a file holds journeys to derive from."""
        values = vars(self._modules[stem]).values()
        found = [v for v in values if isinstance(v, type) and issubclass(v, Journey) and v is not Journey]
        return any(cls.__module__ == f"{PACKAGE}.{stem}" and cls.__journey__.abstract for cls in found)

    def _siblings(self) -> list[str]:
        return sorted(file.stem for file in self._path.glob("*.py"))

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002  # the names of __import__
        locals: Mapping[str, Any] | None = None,  # noqa: A002  # __import__'s own parameter
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """`__import__` for an author's file: siblings come from the folder, everything else from Python."""
        wanted = fromlist or ()
        parts = name.split(".") if name else []
        if level > 1:
            raise ImportError(f"`from {'.' * level}{name}` leads out of the folder of journeys")
        if not level and self._by_folder(parts, wanted):
            level, parts = 1, parts[1:]
            if not wanted:  # `import journeys._wine`, with or without `as`
                self._load_all(parts)
                return self._package
        if level:
            if not parts:
                self._load_all([stem for stem in wanted if self._has(stem)])
                return self._package
            if not self._has(parts[0]):
                raise ModuleNotFoundError(f"No module named {parts[0]!r} in the folder of journeys", name=parts[0])
            return self.module(parts[0])
        if len(parts) == 1 and self._has(parts[0]) and parts[0] not in _PYTHONS:
            return self.module(parts[0])
        return builtins.__import__(name, globals, locals, wanted, level)

    def _by_folder(self, parts: Sequence[str], wanted: Sequence[str]) -> bool:
        """Whether an import names this folder and files in it; another package may have the folder's name."""
        if not parts or parts[0] != self._path.resolve().name:
            return False
        return all(self._has(stem) for stem in wanted) if len(parts) == 1 and wanted else self._has(parts[-1])

    def _load_all(self, stems: Sequence[str]) -> None:
        for stem in stems:
            self.module(stem)

    def _has(self, stem: str) -> bool:
        return (self._path / f"{stem}.py").is_file()


def _code(file: Path) -> CodeType:
    source = file.read_bytes()
    try:
        return compile(source, str(file), "exec", dont_inherit=True)
    except ValueError as error:  # pragma: no cover  # Python before 3.11.4 says so of a null byte, without a place
        if b"\0" not in source:
            raise
        raise SyntaxError(
            str(error), (str(file), source.count(b"\n", 0, source.index(b"\0")) + 1, None, None)
        ) from None


def _within(values: Iterable[object]) -> Iterator[object]:
    """Values, and what those of them hold that are lists, tuples or dicts."""
    for value in values:
        yield value
        if isinstance(value, dict):
            yield from cast("dict[object, object]", value).values()
        elif isinstance(value, list | tuple):
            yield from cast("Sequence[object]", value)


def _ours(name: str) -> bool:
    return name == PACKAGE or name.startswith(PACKAGE + ".")
