"""datatune compare: several ways to come to a model for one task, trained on as many examples and asked the same test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from engine.cli.run import check_models, making_options, run_options, run_settings, start
from engine.errors import BadInput

ARMS = "few-shot,existing,synthetic,transformed,mix"


@click.command()
@making_options
@click.option(
    "--arms",
    default="",
    metavar="NAME,NAME…",
    help=f"Ways to a model, else {ARMS}; controls are shuffled, own and prose. What each is: datatune options compare.",
)
@click.option("--examples", type=click.IntRange(min=10), metavar="N", help="Examples each arm has, validation included; else 600.")
@click.option("--seeds", type=click.IntRange(1, 20), metavar="N", help="Trainings of each arm, another seed each; else one.")
@click.option("--base", default="", metavar="SPEC", help="The model that is prompted and trained: smollm2, a .gguf path.")
@run_options
def compare(
    task: Path,
    arms: str,
    examples: int | None,
    seeds: int | None,
    base: str,
    dataset: str,
    plans: tuple[str, ...],
    settings: tuple[str, ...],
    models: tuple[str, ...],
    seed: int,
    budget: str,
    detach: bool,
    as_json: bool,
) -> int:
    """Is training worth it, and on which data? Trains TASK's base model once for each arm and asks all of them its test.

    Every arm has as many examples, steps and settings; what they share is done once; all data passes one decontamination against the test
    before anything is trained. Stopped, it goes on with `datatune resume RUN`; see it again: datatune show RUN compare.
    """
    from engine.config import read_task

    file = read_task(task)
    if not file.task.test:
        raise BadInput(f"{task} names no test", "a comparison needs one: test = … under [task], with input and output in each row")
    named = [arm.strip() for arm in arms.split(",") if arm.strip()] if arms else None
    given: dict[str, Any] = {"arms": named, "examples": examples, "seeds": seeds}
    wanted = tuple(f"compare.{name}={json.dumps(value)}" for name, value in given.items() if value is not None)
    models = (*models, *([f"base={base}"] if base else ()))
    made = run_settings(file, task.parent, dataset, plans, "", (*settings, *wanted), models, seed, budget, None, experiment=True)
    check_models(models, made)
    return start(file, made, detach, as_json)
