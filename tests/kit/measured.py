"""Measuring which lines and branches of `dsl` the tests take, in each process of a session: `pytest -p tests.kit.measured`.

It begins when pytest loads it, before anything of ours is imported; `coverage combine` and `coverage report` do the rest.
"""

from __future__ import annotations

import coverage

__all__ = ["pytest_unconfigure"]

_measured = coverage.Coverage(data_suffix=True)
_measured.start()


def pytest_unconfigure() -> None:
    """The process is about to end."""
    _measured.stop()
    _measured.save()
