"""The ledger: every answer that the crowd gave, and how it was received. The books are checked against it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

__all__ = ["Answer", "Ledger"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `accepted` says that the API took it: then the books must have it.

    `event` is the name it must be kept under, `key` what names it there: the message's key, or for business events the id
    that we gave, for withdrawals `<customer>/<channel>`.
    """

    event: str
    key: str
    url: str
    status: int
    at: datetime

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 400  # a click is answered by a redirect


class Ledger:
    """Answers in the order that they were given, kept in memory and, line by line, in a file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.answers: list[Answer] = []
        self._file = path.open("w", encoding="utf-8")

    def add(self, answer: Answer) -> None:
        """Keep an answer, after its response came."""
        self.answers.append(answer)
        self._file.write(json.dumps({**asdict(answer), "at": answer.at.isoformat()}) + "\n")

    def close(self) -> None:
        """Write out what is not written yet."""
        self._file.close()
