"""Parsing a feed of somebody's at a price that we set: a long one in a process of its own, which ends when it has used its time."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from contextlib import suppress

from pydantic import TypeAdapter

from engine.feeds.parsing import BadFeed, Post, parse

__all__ = ["parsed"]

_SMALL = 64 << 10  # bytes that cost little, whatever they say, and less than a process
_CPU = 10  # seconds of a processor
_PATIENCE = 60.0  # seconds, also where the machine is busy
_POSTS: TypeAdapter[list[Post]] = TypeAdapter(list[Post])
_BAD = 3  # exit code: BadFeed, its text is the output


async def parsed(body: bytes, address: str) -> list[Post]:
    """The posts of a feed, as `parse`. Raises BadFeed, also where it takes too long."""
    if len(body) <= _SMALL:
        return await asyncio.to_thread(parse, body, address)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", __name__, address, str(_CPU), stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_PATIENCE):
            said, _ = await child.communicate(body)
    except TimeoutError:
        raise BadFeed(f"it takes longer than {_PATIENCE:.0f} seconds to be understood") from None
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    if child.returncode == 0:
        return _POSTS.validate_json(said)
    if child.returncode in {-signal.SIGXCPU, -signal.SIGKILL}:
        raise BadFeed(f"it takes more than {_CPU} seconds of a processor to be understood")
    raise BadFeed(said.decode() if child.returncode == _BAD else f"its parser ended with {child.returncode}")


def _main(address: str, cpu: int) -> int:
    os.nice(10)  # after all that is ours
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    try:
        said, code = _POSTS.dump_json(parse(sys.stdin.buffer.read(), address)), 0
    except BadFeed as bad:
        said, code = str(bad).encode("utf-8", "replace"), _BAD
    sys.stdout.buffer.write(said)
    return code


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], int(sys.argv[2])))
