"""Strings that break software: for every name, text and file name that an author may write."""

from __future__ import annotations

__all__ = ["NAUGHTY"]

NAUGHTY = (
    # nothing, blanks, ends of lines
    "", " ", "a b", " a", "a ", "\t", "\n", "\r\n", "a\nb", "a\r\nBcc: x@example.com", "\x0b\x0c", "\x85", "\u2028\u2029", "\xa0",
    # control characters and terminals
    "\x00", "a\x00b", "\x01\x02\x07\x08", "\x1b[31m", "\x1b]0;title\x07", "\x7f", "\x9b31m",
    # directions, joiners, nothing to see
    "\u202eevil\u202c", "\u2066x\u2069", "\u200b", "a\u200bb", "\ufeff", "\u200d", "\u00ad",
    # scripts, marks, emoji, what folds into something else
    "é", "e\u0301", "Ω≈ç√∫", "田中さん", "الكل", "Ђорђе", "👩‍👩‍👧", "🦊", "e\u0301\u0323\u0489" * 9, "ﬁ", "K", "ı", "ß", "𝒶",
    # halves and ends of Unicode
    "\ud800", "\udfff", "\udcff", "\udfff\ud800", "\ufffe", "\uffff", "\U0010ffff", "\ufffd",
    # quotes and backslashes
    "'", '"', "`", "'\"`", "\\", "\\\\", "\\0", "\\x41", "\\N{DIGIT ONE}", "'''", '"""', "“”",
    # shell, SQL, templates, formats, markup
    "$(touch pwned)", "`id`", "| cat", "; ls", "&& ls", "> x", "*", "?", "[a]", "~", "-rf", "--help", "'; DROP TABLE enrolment; --",
    "1' OR '1'='1", "%s%n%d", "{0}", "{{ 7*7 }}", "{% raw %}", "${7*7}", "#{1}", "<script>alert(1)</script>", "<!--", "-->", "]]>",
    "&amp;", "&", "<", ">", "graph TD", "a-->b", "style x fill:#f00", "click a", "a;b", "a:b", "a|b", "a]b", "{", "}", "%%",
    # paths
    "../x", "../../etc/passwd", "/etc/passwd", ".", "..", "a/../b", "a//b", "a/", "/a", "a\\b", "a.b", ".a", "a.", "C:\\con", "con", "nul",
    # numbers and values
    "0", "-1", "1e999", "nan", "null", "undefined", "None", "True", "false",
    # words of Python, of the language and of the chart
    "class", "def", "lambda", "self", "import", "__init__", "__class__", "__dict__", "__getattr__", "_x", "x_", "a__b", "goal", "enters",
    "purpose", "start", "end", "state", "journey", "anywhere", "forever", "hello", "done", "A", "aB", "a-b", "mro",
    # errors of ours
    "a\n  --> dsl/x.py:1:1", "error[J101]",
    # long
    "a" * 100, "a" * 101, "a" * 500, "a" * 5000, "é" * 300, "a/" * 200 + "a", "a" * 300 + "/b", " " * 1000,
)  # fmt: skip
"""Each of them is refused with a place, or does no harm."""
