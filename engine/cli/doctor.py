"""The command doctor: whether the main job can run on this machine, and what to do where it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.output import json_option, to_json
from engine.plain_text import clean

if TYPE_CHECKING:
    from engine.doctor import Finding

WORDS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


@click.command()
@click.option("--model", default="", metavar="SPEC", help="Weights to try; what new runs use unless they say otherwise.")
@click.option("--embedder", default="", metavar="SPEC", help="Embedder to try; what new runs use unless they say otherwise.")
@json_option
def doctor(model: str, embedder: str, as_json: bool) -> int:
    """Examine Python, llama.cpp with a real decode, weights, memory, disk, embedder and database."""
    from engine.doctor import examine, exit_code
    from engine.locations import locate

    def tell(finding: Finding) -> None:
        if not as_json:
            click.echo(clean(f"{WORDS[finding.state]}  {finding.name}: {finding.detail}"))
            if finding.cure:
                click.echo(clean(f"      {finding.cure}"))

    findings = examine(locate(), model=model, embedder=embedder, report=tell)
    code = exit_code(findings)
    if as_json:
        click.echo(to_json({"findings": findings, "can_run": code == 0}))
    else:
        click.echo("the main job can run" if code == 0 else "the main job cannot run")
    return code
