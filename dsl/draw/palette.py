"""The colours of the pictures, light and dark, and the style sheet that they stand in."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from dsl.draw.typeface import FAMILY

__all__ = ["THEMES", "resolve", "style_sheet"]

_KINDS: dict[str, tuple[str, str, str, str]] = {
    # kind: line in light, fill in light, line in dark, fill in dark
    "email": ("#3a6fd8", "#e9f0fd", "#7ea6f5", "#1b2a47"),
    "sms": ("#1f9384", "#e3f5f1", "#52c4b3", "#12332f"),
    "feed": ("#d1830f", "#fdf1dc", "#e9ae55", "#3a2b12"),
    "call": ("#cf4a5f", "#fdeaec", "#f08a99", "#431f27"),
    "letter": ("#8455c4", "#f2ebfc", "#b794ec", "#2e2247"),
    "wait": ("#64748b", "#f1f4f8", "#94a3b8", "#232b38"),
    "choice": ("#b0921a", "#fdf8e1", "#d8bd55", "#352e12"),
    "split": ("#b0921a", "#fdf8e1", "#d8bd55", "#352e12"),
    "final": ("#717d92", "#eef1f5", "#94a3b8", "#242c39"),
    "goal": ("#1f9254", "#def5e6", "#58c98a", "#15361f"),
    "start": ("#475569", "#475569", "#a3b0c2", "#a3b0c2"),
    "anywhere": ("#8a96a8", "#ffffff", "#7c899c", "#10151d"),
}

_MARKS: dict[str, tuple[str, str, str, str]] = {
    # as above; what was changed is blue, so that who can't tell red from green has two colours left, and the signs
    "added": ("#1a7f37", "#dafbe1", "#4ac26b", "#12331f"),
    "removed": ("#cf222e", "#ffebe9", "#ff8182", "#3d1a1f"),
    "changed": ("#0b63ce", "#ddeeff", "#6cb6ff", "#12304f"),
}

_PLAIN: dict[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#10151d"),
    "ink": ("#111827", "#eef2f7"),
    "soft": ("#475569", "#b4bfce"),
    "faint": ("#6b7688", "#8b97a9"),
    "arrow": ("#7d8899", "#8793a6"),
    "badge": ("#111827", "#eef2f7"),
    "count": ("#ffffff", "#111827"),
    "way": ("#d6336c", "#ff7aa8"),
    "stage-fill": ("#f6f8fb", "#171e29"),
    "stage-line": ("#b9c3d1", "#465266"),
}


def _theme(index: int) -> dict[str, str]:
    colours = {name: pair[index] for name, pair in _PLAIN.items()}
    for kind, shades in (*_KINDS.items(), *_MARKS.items()):
        colours[f"{kind}-line"], colours[f"{kind}-fill"] = shades[2 * index : 2 * index + 2]
    return colours


THEMES: dict[str, dict[str, str]] = {"light": _theme(0), "dark": _theme(1)}
"""Each theme's colours by the name of their CSS variable."""

_RULES = f"""\
.parcours text{{font-family:{FAMILY};fill:var(--ink)}}
.parcours .paper{{fill:var(--paper)}}
.parcours .title{{font-size:20px;font-weight:600}}
.parcours .version{{font-size:20px;fill:var(--faint)}}
.parcours .doc{{font-size:14px;fill:var(--soft)}}
.parcours .caption{{font-size:13px;fill:var(--soft)}}
.parcours .about{{fill:var(--faint)}}
.parcours .name{{font-size:15px;font-weight:600}}
.parcours .template{{font-size:12px;fill:var(--soft)}}
.parcours .words{{font-size:12.5px;fill:var(--soft)}}
.parcours .number{{font-weight:600;fill:var(--ink)}}
.parcours .line{{fill:none;stroke:var(--arrow);stroke-width:1.5}}
.parcours .dashed{{stroke-dasharray:5 4}}
.parcours .head{{fill:var(--arrow)}}
.parcours .outline{{stroke-width:1.6}}
.parcours .ring{{fill:none;stroke-width:1.1}}
.parcours .badge{{fill:var(--badge)}}
.parcours .count{{font-size:12px;font-weight:600;fill:var(--count)}}
.parcours .on .line{{stroke:var(--way);stroke-width:2.6}}
.parcours .on .head{{fill:var(--way)}}
.parcours .on .outline{{stroke:var(--way);stroke-width:2.6}}
.parcours .off{{opacity:.28}}
"""


_FRAMES = """\
.parcours .edge{fill:var(--stage-fill);stroke:var(--stage-line);stroke-width:1.2}
.parcours .within{fill:var(--stage-fill)}
.parcours .stage{font-size:15px;font-weight:600;fill:var(--soft)}
"""

_SMALL = """\
.parcours .small .sign{fill:none;stroke:var(--faint);stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}
"""

_COMPARES = """\
.diff .state .outline{fill:var(--paper);stroke:var(--arrow)}
.diff .state .ring{stroke:var(--arrow)}
.diff .state .sign{stroke:var(--faint)}
.diff .state .solid{fill:var(--faint)}
.diff .start .outline{fill:var(--arrow)}
.diff .state .removed,.diff .arrow .removed,.diff .frame .removed,.diff .removed .caption,.diff .removed .name{text-decoration:line-through}
.diff .removed .outline,.diff .removed .edge{stroke-dasharray:4 3}
.diff .about,.diff .plain{text-decoration:none}
"""


def style_sheet(small: Collection[str] = (), *, frames: bool = False, compares: bool = False) -> str:
    """The style sheet: light, and dark for readers who prefer it; with the rules of what the drawing has.

    `small` are the signs that stand in lines of words, `compares` is for the picture of a difference.
    """
    used = [name for name in THEMES["light"] if compares or name.partition("-")[0] not in _MARKS]
    used = [name for name in used if frames or name.partition("-")[0] != "stage"]
    kinds = "".join(
        f".parcours .{kind} .outline{{fill:var(--{kind}-fill);stroke:var(--{kind}-line)}}\n"
        f".parcours .{kind} .ring{{stroke:var(--{kind}-line)}}\n"
        f".parcours .{kind} .sign{{fill:none;stroke:var(--{kind}-line);stroke-width:1.5;stroke-linejoin:round;stroke-linecap:round}}\n"
        f".parcours .{kind} .solid{{fill:var(--{kind}-line);stroke:none}}\n"
        for kind in _KINDS
    )
    whole = kinds + _RULES + (_SMALL if small else "")
    whole += "".join(
        f".parcours .small.{kind} .sign{{stroke:var(--{kind}-line)}}\n.parcours .small.{kind} .solid{{fill:var(--{kind}-line)}}\n"
        for kind in _KINDS
        if kind in small
    )
    whole += _FRAMES if frames else ""
    if compares:
        whole += _COMPARES + "".join(map(_marked, _MARKS))
    dark = f"@media (prefers-color-scheme:dark){{.parcours{{{_variables('dark', used)}}}}}"
    return f".parcours{{{_variables('light', used)}}}\n{dark}\n{whole}"


def _marked(mark: str) -> str:
    line = f"var(--{mark}-line)"
    return (
        f".diff .{mark} .outline,.diff .{mark} .edge{{fill:var(--{mark}-fill);stroke:{line};stroke-width:2.2}}\n"
        f".diff .{mark} .ring,.diff .{mark} .line,.diff .{mark} .sign{{stroke:{line}}}\n"
        f".diff .{mark} .line{{stroke-width:2}}\n"
        f".diff .{mark} .head,.diff .{mark} .solid,.diff .{mark} .badge{{fill:{line}}}\n"
        f".diff .{mark} .caption,.diff .{mark} .stage,.diff text.{mark}{{fill:{line}}}\n"
    )


def resolve(drawing: str, theme: str = "light") -> str:
    """The drawing in one theme, its colours written out: for readers that don't know CSS variables.

    Raises ValueError for a theme that doesn't exist.
    """
    if theme not in THEMES:
        raise ValueError(f"there is no theme {theme!r}; the themes are {' and '.join(THEMES)}")
    colours = THEMES[theme]
    drawing = _VARIABLES.sub("", drawing, count=2)
    return re.sub(r"var\(--([a-z-]+)\)", lambda found: colours.get(found[1], found[0]), drawing)


_VARIABLES = re.compile(r"^(?:@media \(prefers-color-scheme:dark\)\{)?\.parcours\{--[^{}]*\}+\n", re.MULTILINE)
"""A line of a style sheet that sets the colours of a theme."""


def _variables(theme: str, used: Sequence[str]) -> str:
    return ";".join(f"--{name}:{THEMES[theme][name]}" for name in used)
