"""The difference between two journeys as text: a line for each setting, box and arrow, its sign in front."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dsl.diff import ArrowChange, Change, Detail, Diff, Sign
from dsl.draw.signs import GLYPHS
from dsl.draw.typeface import clean
from dsl.draw.words import arrow_words, spaced
from dsl.ir import IR, After, Arrow, Stage, State, Until

__all__ = ["MARKS", "diff_text", "setting_name", "summary"]

MARKS: dict[Sign, str] = {"added": "+", "removed": "-", "changed": "~"}
"""The sign at the beginning of a line."""

_NAMES = {"entry": "enters", "holdout": "hold-out", "quiet": "quiet hours", "zone": "time zone", "late": "late answers"}
_INDENT = "    "


def diff_text(diff: Diff, names: tuple[str, str] = ("", "")) -> str:
    """The difference, in the order of a reader; `names` say where the two journeys come from."""
    return "\n".join(line.rstrip() for line in _lines(diff, names)) + "\n"


def summary(diff: Diff) -> str:
    """How many boxes, arrows and settings were added, removed and changed."""
    owners = [each for each in diff.changes if each.owner != "anywhere"]
    arrows = [arrow for each in diff.changes for arrow in each.arrows]
    parts: tuple[tuple[str, str, list[Sign]], ...] = (
        ("box", "boxes", [each.sign for each in owners if each.owner == "box"]),
        ("stage", "stages", [each.sign for each in owners if each.owner == "stage"]),
        ("arrow", "arrows", [arrow.sign for arrow in arrows]),
        ("setting", "settings", [detail.sign for detail in diff.settings]),
    )
    return "; ".join(_counted(one, many, signs) for one, many, signs in parts if signs)


def setting_name(detail: Detail) -> str:
    """A setting's name as a reader knows it."""
    first, _, rest = detail.name.partition(" ")
    return f"{_NAMES.get(first, first)} {rest}".strip()


def _lines(diff: Diff, names: tuple[str, str]) -> Iterator[str]:
    titles = [clean(ir.title or ir.name) for ir in (diff.before, diff.after)]
    title = titles[1] if titles[0] == titles[1] else " → ".join(titles)
    hashes = [digest[:12] for digest in diff.hashes]
    yield f"{title} · {hashes[0] if diff.same else ' → '.join(hashes)}"
    for mark, name in zip("-+", names, strict=True):
        if name:
            yield f"{mark * 3} {clean(name)}"
    yield ""
    if diff.same:
        yield "both do the same"
    yield from _details(diff.settings, "")
    for change in diff.changes:
        if diff.settings or change is not diff.changes[0]:
            yield ""
        yield from _change(diff, change)
    if diff.readers:
        yield ""
        yield "for readers only:"
        yield from _details(diff.readers, "")
    if not diff.same:
        yield ""
        yield summary(diff)


def _change(diff: Diff, change: Change) -> Iterator[str]:
    owners = [_found(ir, change) for ir in (diff.before, diff.after)]
    kept = owners[1] or owners[0]
    yield f"{MARKS[change.sign]} {_named(change, kept)}"
    yield from _details(change.details, _INDENT)
    for arrow in change.arrows:
        yield f"{_INDENT}{MARKS[arrow.sign]} {_arrow(diff, change, arrow)}"


def _named(change: Change, kept: State | Stage | None) -> str:
    if change.owner == "anywhere":
        return "from anywhere"
    said = clean(spaced(change.name))
    if isinstance(kept, State):
        said = f"{GLYPHS[kept.kind]} {said}"
        if change.sign != "changed" and kept.template is not None:
            said += f"  {clean(kept.template)}"
    else:
        said = f"▭ {said} (stage)"
    return f"{said}, was {clean(spaced(change.was))}" if change.was is not None else said


def _arrow(diff: Diff, change: Change, arrow: ArrowChange) -> str:
    before, after = (
        _one_arrow(ir, change, place) if place is not None else None
        for ir, place in ((diff.before, arrow.before), (diff.after, arrow.after))
    )
    if before is None or after is None:
        words, line, to = after or before or ("", "", "")
        return f"{words} {line} {to}"
    words, line, to = before
    now = " ".join(new for new, old in zip(after, before, strict=True) if new != old)
    unsaid = [detail for detail in arrow.details if detail.name == "place" or not now]
    more = ", ".join(f"{detail.name} {_from_to(detail)}" for detail in unsaid)
    return f"{words} {line} {to}  ⇒  {now}{f' ({more})' if more and now else more}"


def _one_arrow(ir: IR, change: Change, place: int) -> tuple[str, str, str]:
    owner = _found(ir, change)
    state = owner if isinstance(owner, State) else None
    arrow: Arrow = (owner.arrows if owner is not None else ir.anywhere)[place]
    to = ir.by_name.get(arrow.to)
    line = "┄┄▶" if isinstance(arrow.on, After | Until) else "──▶"
    sign = f"{GLYPHS[to.kind]} " if to is not None else ""
    return (clean(arrow_words(arrow, state)) or "then", line, sign + clean(spaced(arrow.to)))


def _found(ir: IR, change: Change) -> State | Stage | None:
    if change.owner == "box":
        return ir.by_name.get(change.name)
    return next((stage for stage in ir.stages if (change.owner, stage.name) == ("stage", change.name)), None)


def _details(details: Sequence[Detail], indent: str) -> Iterator[str]:
    wide = max((len(setting_name(detail)) for detail in details), default=0)
    for detail in details:
        yield f"{indent}{MARKS[detail.sign]} {setting_name(detail).ljust(wide)}  {_from_to(detail)}"


def _from_to(detail: Detail) -> str:
    return " → ".join(clean(said) for said in (detail.before, detail.after) if said is not None)


def _counted(one: str, many: str, signs: Sequence[Sign]) -> str:
    counts = {sign: signs.count(sign) for sign in MARKS if sign in signs}
    said = ", ".join(f"{count} {sign}" for sign, count in counts.items())
    return f"{one if len(signs) == 1 else many}: {said}"
