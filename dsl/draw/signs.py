"""The signs of the channels, as small paths in a square of 16 pixels: no font is needed to show them."""

from __future__ import annotations

__all__ = ["GLYPHS", "SIGNS"]

SIGNS: dict[str, str] = {
    "email": (
        '<path class="sign" d="M2.6 3.6h10.8a1 1 0 0 1 1 1v6.8a1 1 0 0 1-1 1H2.6a1 1 0 0 1-1-1V4.6'
        'a1 1 0 0 1 1-1zM2 4.6l6 4.6 6-4.6"/>'
    ),
    "sms": (
        '<path class="sign" d="M3 2.6h10a1.4 1.4 0 0 1 1.4 1.4v5.4a1.4 1.4 0 0 1-1.4 1.4H7.4L4.4 13.6v-2.8H3'
        'a1.4 1.4 0 0 1-1.4-1.4V4A1.4 1.4 0 0 1 3 2.6z"/><path class="sign" d="M5 6.7h.01M8 6.7h.01M11 6.7h.01"/>'
    ),
    "feed": (
        '<path class="sign" d="M1.8 4.6q1.55-2 3.1 0t3.1 0t3.1 0t3.1 0M1.8 8.4q1.55-2 3.1 0t3.1 0t3.1 0t3.1 0'
        'M1.8 12.2q1.55-2 3.1 0t3.1 0t3.1 0t3.1 0"/>'
    ),
    "call": (
        '<path class="solid" d="M4.5 1.5C3.2 1.8 1.7 3.1 1.6 4.6c-.1 4.9 5 9.7 9.7 9.8 1.6 0 2.9-1.4 3.2-2.8'
        'l-3.4-2.3-1.9 1.5C7.6 10 6.1 8.5 5.3 6.9L6.8 5z"/>'
    ),
    "letter": (
        '<path class="sign" d="M2.2 13.8l.9-3.5 7.9-7.9a1.3 1.3 0 0 1 1.8 0l.8.8a1.3 1.3 0 0 1 0 1.8L5.7 12.9z'
        'M9.7 3.7l2.6 2.6"/>'
    ),
    "wait": '<circle class="sign" cx="8" cy="8" r="6.1"/><path class="sign" d="M8 4.4V8l2.6 1.5"/>',
    "goal": (
        '<path class="solid" d="M8 1.2l2.06 4.42 4.84.58-3.57 3.32.94 4.78L8 11.93 3.73 14.3l.94-4.78L1.1 6.2'
        'l4.84-.58z"/>'
    ),
    "knob": (
        '<path class="sign" d="M1.8 5h5.4M11.4 5h2.8M1.8 11h2.8M8.8 11h5.4"/><circle class="sign" cx="9.3" cy="5" r="2.1"/>'
        '<circle class="sign" cx="6.7" cy="11" r="2.1"/>'
    ),
    "late": ('<path class="sign" d="M4.2 1.9h7.6M4.2 14.1h7.6M5 2v2.4L8 8l3-3.6V2M5 14v-2.4L8 8l3 3.6V14"/>'),
    "purpose": '<path class="sign" d="M8 1.7l5.2 1.9v4.1c0 3.2-2.2 5.4-5.2 6.6-3-1.2-5.2-3.4-5.2-6.6V3.6zM5.6 7.7l1.8 1.8 3.2-3.4"/>',
    "offer": (
        '<path class="sign" d="M8.4 1.8h5.8v5.8L7.8 14a1 1 0 0 1-1.4 0L2 9.6a1 1 0 0 1 0-1.4z"/>'
        '<path class="sign" d="M11.2 4.8h.01"/>'
    ),
}
"""The path of each kind of box that has a sign, and of what can be tuned, comes late, asks for an offer, or has a purpose of its own."""

GLYPHS: dict[str, str] = {
    "email": "✉",
    "sms": "✆",
    "feed": "≋",
    "call": "☎",
    "letter": "✎",
    "wait": "◷",
    "choice": "◇",
    "split": "◇",
    "goal": "★",
    "final": "◉",
    "knob": "⚙",
    "purpose": "§",
}
"""The same as characters, where the reader brings the font: the terminal and Mermaid."""
