"""What keeps the machines going: leases, rates, keys, imports."""

from datetime import datetime

from sqlmodel import Field

from engine.tables.columns import Kept, json_column, moment_column

__all__ = ["ApiKey", "ImportRun", "Lease", "Pace"]


class Lease(Kept, table=True):
    """Which process does a job that one process does at a time."""

    name: str = Field(primary_key=True)
    holder: str
    expires_at: datetime = moment_column()
    """Wall-clock time, not journey time."""


class Pace(Kept, table=True):
    """How fast a provider is called by all workers together: until when its rate is given out (`engine.pace`)."""

    name: str = Field(primary_key=True)
    until: float
    """Seconds since 1970, by the database's clock."""
    planned_until: float
    """The same, of the share that mass sends may have."""


class ApiKey(Kept, table=True):
    """A key of the API: kept as its sha256; `prefix` is shown."""

    hash: str = Field(primary_key=True)
    prefix: str
    name: str
    scopes: list[str] = json_column()
    created_at: datetime = moment_column()
    revoked_at: datetime | None = moment_column(null=True)
    last_used_at: datetime | None = moment_column(null=True)


class ImportRun(Kept, table=True):
    """How far a file was read, kept with each chunk of its rows: after a kill the reading goes on where it stopped."""

    key: str = Field(primary_key=True)
    """sha256 over the file's content, its place, and how it is read."""
    kind: str
    """`customers`, `consents`, `orders`, `exposures`, `outcomes`, `returns`, `offers`."""
    file: str
    rows: int
    new: int
    rejected: int
    rejected_bytes: int
    """The size of the file of rejected rows, when these rows were kept."""
    updated_at: datetime = moment_column()
    finished_at: datetime | None = moment_column(null=True)
