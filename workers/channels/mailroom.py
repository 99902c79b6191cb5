"""The mailroom: mails are made in processes beside the worker, whose own time is for sending them.

To render a mail and to encode it is much of the work of its send, and one Python process does one thing at a time. A few mails
are made in the worker itself, and so is everything while no process stands.

The processes give way: mails are made of what the worker, and what runs beside it, leave of the machine's time. Where that is nothing, the
worker makes them itself.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import replace
from typing import Any

from engine.db import chunked
from engine.links import Links
from engine.outgoing import Content, Outgoing
from engine.templating.rendering import Renderer
from engine.templating.templates import Template, TemplateError, Templates
from workers.channels.mime import Sender, mail_bytes

__all__ = ["Mailroom", "Maker", "Order"]

_log = logging.getLogger(__name__)
_FEW = 100  # mails that are not worth a process
_PIECE = 50  # mails that a process makes before it gives them back
_PATIENCE = 10.0  # seconds for as many mails as a wave has
_REST = 60.0  # seconds in which nothing is asked of processes that had no time

Order = tuple[Outgoing, Mapping[str, Any]]
"""A mail without its content, and what its template knows."""


class Maker:
    """Makes mails: renders them, and encodes them. The worker has one, and so has each process of its mailroom."""

    def __init__(self, templates: Templates, links: Links, sender: Sender) -> None:
        self.parts = templates, links, sender
        self.renderer = Renderer(templates, links)

    def make(self, template: str, orders: Sequence[Order]) -> list[Content | str]:
        """The contents, with their bytes; or why there is none, for a customer whose values the template can't do with.

        Raises TemplateError for what is wrong with it for everybody.
        """
        languages = {message.recipient.language for message, _ in orders}
        found = {language: self.renderer.templates.find(template, "email", language) for language in languages}
        return [self._one(found[message.recipient.language], message, facts) for message, facts in orders]

    def _one(self, template: Template, message: Outgoing, facts: Mapping[str, Any]) -> Content | str:
        try:
            content = self.renderer.render_from(template, message.recipient, template.ref, message.key, facts)
        except ValueError as error:
            if isinstance(error, TemplateError) and error.shared:
                raise
            return str(error)
        if content.files:  # megabytes, maybe: such a mail is encoded when it is sent
            return content
        _, links, sender = self.parts
        raw = mail_bytes(message, sender, links, content)
        return replace(content, html="", text="", raw=raw)


class Mailroom:
    """The processes. They start when there is much to do for the first time, and until they stand nobody waits for them."""

    def __init__(self, maker: Maker, processes: int) -> None:
        self._maker = maker
        self._processes = processes
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._stands: Future[int] | None = None
        self._with_files: set[str] = set()
        self._rests_until = 0.0

    def make(self, template: str, orders: Sequence[Order]) -> list[Content | str]:
        """The contents, in their order: see Maker. Called in a thread, it waits."""
        enough = len(orders) >= _FEW and template not in self._with_files and time.monotonic() >= self._rests_until
        pool = self._standing() if enough else None
        if pool is None:
            return self._maker.make(template, orders)
        until = time.monotonic() + _PATIENCE
        try:
            pieces = [pool.submit(_make, template, piece) for piece in chunked(orders, _PIECE)]
            made = [each for piece in pieces for each in piece.result(until - time.monotonic())]
        except BrokenProcessPool:  # one was killed: for want of memory, say. They are started anew with the next wave
            _log.warning("a process that makes mails came to its end; the worker makes these itself")
            self._drop(pool)
            return self._maker.make(template, orders)
        except TimeoutError:  # others have all of the machine's time
            _log.warning(
                "the processes that make mails get no time on this machine; the worker makes them itself for now"
            )
            self._rests_until = time.monotonic() + _REST
            return self._maker.make(template, orders)
        if None not in made:
            return [each for each in made if each is not None]
        own = self._maker.make(template, orders)
        if any(isinstance(each, Content) and each.files for each in own):
            self._with_files.add(template)
        return own

    def start(self) -> None:
        """Wait until they stand, for who measures."""
        self._standing()
        if self._stands is not None:
            self._stands.result()

    def close(self) -> None:
        """End the processes, and wait for that."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def _standing(self) -> ProcessPoolExecutor | None:
        """The processes, if they stand; if there are none, they start."""
        with self._lock:
            if self._pool is None and self._processes:
                spawn = multiprocessing.get_context("spawn")  # the worker has threads: its copy might wait for ever
                templates, links, sender = self._maker.parts
                self._pool = ProcessPoolExecutor(
                    self._processes, spawn, _begin, (Templates.like(templates), links, sender)
                )
                self._stands = self._pool.submit(os.getpid)
            if self._pool is None or self._stands is None or not self._stands.done():
                return None
            if (error := self._stands.exception()) is None:
                return self._pool
            _log.error("no process that makes mails can be started, the worker makes them all itself: %s", error)
            self._processes, self._pool = 0, None
            return None

    def _drop(self, broken: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is broken:
                self._pool = None
        broken.shutdown(wait=False, cancel_futures=True)


_maker: Maker | None = None  # of a process of the mailroom


def _begin(templates: Templates, links: Links, sender: Sender) -> None:
    global _maker  # noqa: PLW0603  # what a process is begun with, there is no other place for
    _maker = Maker(templates, links, sender)
    gc.freeze()  # as the worker does
    _give_way()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all: the worker ends what it has begun
    threading.Thread(target=_end_with_the_worker, daemon=True).start()


def _give_way() -> None:
    """Let whoever else has something to do go first, at once; a mere lower priority keeps them waiting for milliseconds."""
    if sys.platform == "linux":
        with suppress(OSError):  # a sandbox may know no policies
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    elif hasattr(os, "nice"):
        os.nice(10)


def _end_with_the_worker() -> None:
    """Where the worker is killed, nobody else tells this process to end."""
    worker = multiprocessing.parent_process()
    if worker is not None:
        worker.join()
        os._exit(1)


def _make(template: str, orders: Sequence[Order]) -> list[Content | str | None]:
    """In a process of the mailroom. None: it is the worker's, which has the versions that stand in for a file.

    So are mails that carry files: those are not to go from process to process.
    """
    assert _maker is not None  # noqa: S101  # it is begun
    try:
        made = _maker.make(template, orders)
    except TemplateError:
        return [None] * len(orders)
    return [None if isinstance(each, Content) and each.files else each for each in made]
