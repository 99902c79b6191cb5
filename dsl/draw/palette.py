"""The colours of the pictures, light and dark, and the style sheet that they stand in."""

from __future__ import annotations

import re

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

_PLAIN: dict[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#10151d"),
    "ink": ("#111827", "#eef2f7"),
    "soft": ("#475569", "#b4bfce"),
    "faint": ("#6b7688", "#8b97a9"),
    "arrow": ("#7d8899", "#8793a6"),
    "badge": ("#111827", "#eef2f7"),
    "count": ("#ffffff", "#111827"),
    "way": ("#d6336c", "#ff7aa8"),
}


def _theme(index: int) -> dict[str, str]:
    colours = {name: pair[index] for name, pair in _PLAIN.items()}
    for kind, shades in _KINDS.items():
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


def style_sheet() -> str:
    """The style sheet: light, and dark for readers who prefer it."""
    kinds = "".join(
        f".parcours .{kind} .outline{{fill:var(--{kind}-fill);stroke:var(--{kind}-line)}}\n"
        f".parcours .{kind} .ring{{stroke:var(--{kind}-line)}}\n"
        f".parcours .{kind} .sign{{fill:none;stroke:var(--{kind}-line);stroke-width:1.5;stroke-linejoin:round;stroke-linecap:round}}\n"
        f".parcours .{kind} .solid{{fill:var(--{kind}-line);stroke:none}}\n"
        for kind in _KINDS
    )
    return f".parcours{{{_variables('light')}}}\n@media (prefers-color-scheme:dark){{.parcours{{{_variables('dark')}}}}}\n{kinds}{_RULES}"


def resolve(drawing: str, theme: str = "light") -> str:
    """The drawing in one theme, its colours written out: for readers that don't know CSS variables.

    Raises ValueError for a theme that doesn't exist.
    """
    if theme not in THEMES:
        raise ValueError(f"there is no theme {theme!r}; the themes are {' and '.join(THEMES)}")
    colours = THEMES[theme]
    head = (
        f".parcours{{{_variables('light')}}}\n@media (prefers-color-scheme:dark){{.parcours{{{_variables('dark')}}}}}\n"
    )
    return re.sub(r"var\(--([a-z-]+)\)", lambda found: colours.get(found[1], found[0]), drawing.replace(head, ""))


def _variables(theme: str) -> str:
    return ";".join(f"--{name}:{colour}" for name, colour in THEMES[theme].items())
