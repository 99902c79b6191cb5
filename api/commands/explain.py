"""`parcours explain`: what an error code means, with an example and the mended one."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["explain"]


def explain(
    code: Annotated[str | None, typer.Argument(help="A code, as J105; without it all of them are listed.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All explanations, as docs/errors.md has them.")] = False,
) -> None:
    """Explain an error code: what it means, why it is refused, a bad example, and the mended one."""
    from dsl.explanations import catalogue, explanation
    from dsl.problems import CODES, meant

    if every:
        typer.echo(catalogue(), nl=False)
    elif code is None:
        for each, title in CODES.items():
            typer.echo(f"{each}  {title}")
    elif code.upper() in CODES:
        typer.echo(explanation(code.upper()), nl=False)
    else:
        hint = meant(code.upper(), CODES)
        hint = hint if hint.startswith("did") else "`parcours explain` lists them all"
        raise typer.BadParameter(f"there is no error code {code!r}; {hint}")
