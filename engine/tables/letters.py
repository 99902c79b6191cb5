"""Letters, and the runs that they are printed in."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, text
from sqlmodel import Field

from engine.tables.columns import BIG, Kept, json_column, moment_column

__all__ = ["Letter", "PrintRun"]


class Letter(Kept, table=True):
    """A piece on paper: open until its run's cut-off, then handed over with it; or withdrawn before."""

    __table_args__ = (
        Index("letter_run", "run", "status"),
        Index(
            "letter_provider",
            "provider_id",
            sqlite_where=text("provider_id IS NOT NULL"),
            postgresql_where=text("provider_id IS NOT NULL"),
        ),
    )

    key: str = Field(primary_key=True)
    """The message's key."""
    code: str = Field(unique=True)
    """Short, typed by hand from the paper: no vowels, no look-alikes."""
    customer_id: str = Field(index=True)
    enrolment_id: int = Field(sa_column=Column(BIG, nullable=False, index=True))
    run: str
    """The print run, named by its cut-off."""
    status: str
    """`open`, `closed` (its run is being printed), `handed over`, `withdrawn`, `failed`, `returned`."""
    reason: str | None = None
    """Why it was withdrawn, failed, or came back."""
    template_hash: str
    data: dict[str, Any] = json_column()
    """What its template is given: with both, the same bytes are made again."""
    lines: list[str] = json_column()
    """The address lines as printed."""
    country: str
    postcode: str
    missing: str = ""
    """Characters of the customer's own that the letter can't show, and leaves out."""
    at: datetime = moment_column()
    file: str | None = None
    """In the run's folder; with the place in it, once it was printed."""
    sequence: int | None = None
    first_page: int | None = None
    pages: int | None = None
    provider_id: str | None = None
    """The print provider's own, where one takes letters singly."""
    settled_at: datetime | None = moment_column(null=True)
    """When it was handed over, withdrawn, or failed."""
    answered_at: datetime | None = moment_column(null=True)
    returned_at: datetime | None = moment_column(null=True)


class PrintRun(Kept, table=True):
    """Letters that are printed together: open until the cut-off, closed then, and handed over."""

    name: str = Field(primary_key=True)
    """The cut-off on the project's clocks: `2026-03-02-1600`."""
    status: str
    """`open`, `closed`, `handed over`."""
    cut_off_at: datetime = moment_column(index=True)
    closed_at: datetime | None = moment_column(null=True)
    handed_at: datetime | None = moment_column(null=True)
    letters: int = 0
    pages: int = 0
    files: list[dict[str, Any]] | None = json_column(null=True)
    """`[{"name", "letters", "pages", "sha256"}]`, and the manifest."""
    made_of: dict[str, Any] | None = json_column(null=True)
    """What its bytes hang on besides its letters' rows: `author`, `home`, `setter`, and the `files` that they name, with their sha256."""
