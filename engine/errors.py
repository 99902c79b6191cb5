"""The errors that the engine answers with: what was wrong, with which value, where, and the way out.

Each has a stable `code`; the API turns the class into an HTTP status, the command into exit code 1.
"""

from __future__ import annotations

__all__ = ["Conflict", "EngineError", "Gone", "Invalid", "NotFound"]


class EngineError(Exception):
    """Something that the caller can put right. `code` is stable and for programs, `message` is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class NotFound(EngineError):
    """There is no such thing."""


class Conflict(EngineError):
    """It can't be done now, for what somebody else did."""


class Gone(EngineError):
    """It was there, and was withdrawn or revoked."""


class Invalid(EngineError):
    """A value can't be used: `field` says which, `value` what it was."""

    def __init__(self, field: str, value: object, message: str, code: str = "invalid_value") -> None:
        super().__init__(code, f"{field}: {message} (got {_shown(value)})")
        self.field = field
        self.value = value
        self.reason = message


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}…"
