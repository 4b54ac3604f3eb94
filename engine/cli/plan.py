"""Commands about plans: plan show, save, check, apply."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.output import json_option, put
from engine.errors import BadInput, ExitCode

if TYPE_CHECKING:
    from engine.records import PlanChoice


@click.group()
def plan() -> None:
    """Show, save, check and apply plans. A plan is a TOML file you can edit."""


@plan.command("show")
@click.argument("run_id", metavar="RUN")
@click.argument("dataset", required=False)
@json_option
def show_(run_id: str, dataset: str | None, as_json: bool) -> int:
    """Show a run's plans with what speaks for them, sample rows and runners-up."""
    from engine.cli.show import _plan_text

    choices = _choices(run_id, dataset)
    put(choices, as_json, lambda: "\n\n".join(_plan_text(choice, runners_up=True) for choice in choices))
    return ExitCode.DONE


@plan.command()
@click.argument("run_id", metavar="RUN")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dataset", help="Which data set's plan, where the run has several.")
@click.option("--runner-up", default=0, help="Save this runner-up, counted from 1, instead of the chosen plan.")
@click.option("--force", is_flag=True, help="Replace the file.")
@json_option
def save(run_id: str, file: Path, dataset: str | None, runner_up: int, force: bool, as_json: bool) -> int:
    """Write a run's plan to FILE, to be edited and applied."""
    from engine.plan.file import write_plan

    choice = _choices(run_id, dataset)[0]
    if runner_up > len(choice.runners_up) or runner_up < 0:
        raise BadInput(f"there are {len(choice.runners_up)} runners-up", "see them: datatune plan show RUN")
    chosen = choice.runners_up[runner_up - 1].plan if runner_up else choice.plan
    if file.exists() and not force:
        raise BadInput(f"{file} is there already", "replace it with --force")
    try:
        file.write_text(write_plan(chosen), encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{file}: cannot be written: {error.strerror}", "choose another place") from error
    put(
        {"file": str(file), "plan": chosen},
        as_json,
        lambda: f"saved; apply it: datatune plan apply {file} TASK.toml --dataset {choice.dataset}",
    )
    return ExitCode.DONE


@plan.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dataset", required=True, metavar="ID_OR_FOLDER", help="The data set whose columns it reads.")
@click.option("--task", "task_file", required=True, type=click.Path(path_type=Path), help="The task it serves.")
@click.option("--config", default="", help="Config of the data set.")
@json_option
def check(file: Path, dataset: str, task_file: Path, config: str, as_json: bool) -> int:
    """Check a plan against a data set's columns and try it on sample rows."""
    from engine.cli.catalog import open_catalog
    from engine.cli.run import _dataset
    from engine.config import read_task
    from engine.locations import locate
    from engine.plan.check import check_plan
    from engine.plan.sampling import sample_rows
    from engine.plan.trial import try_plan
    from engine.rows_here import RowsHere

    chosen = _read(file)
    task = read_task(task_file).task
    data = RowsHere(open_catalog(), locate().cache)
    name = _dataset(dataset)
    configs = data.splits(name)
    if config and config not in configs:
        raise BadInput(f"{dataset} has no config {config!r}", f"it has: {', '.join(configs)}")
    splits = configs[config or next(iter(configs))]
    split = next((s for s in splits if s.startswith("train")), splits[0])
    source = data.rows(name, config or next(iter(configs)), split)
    problems = check_plan(chosen, source.columns, task)
    errors = [problem for problem in problems if problem.severity == "error"]
    trial = None if errors or chosen.prose else try_plan(chosen, source.columns, sample_rows(source, 300, 0), task)

    def text() -> str:
        lines = [f"{p.severity}: {p.place(chosen)}: {p.title}" + (f" ({p.hint})" if p.hint else "") for p in problems]
        if trial:
            lines.append(f"score {trial.score:.2f}")
            lines.extend(f"  {reason}" for reason in trial.reasons)
            lines.extend(f"  {sample.input!r} → {sample.output!r}" for sample in trial.samples[:5])
        return "\n".join(lines) or "no problems"

    put({"problems": problems, "trial": trial}, as_json, text)
    return ExitCode.BAD_INPUT if errors else ExitCode.DONE


@plan.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("task", type=click.Path(path_type=Path))
@click.option("--dataset", required=True, metavar="ID_OR_FOLDER", help="The data set to apply it to.")
@click.option("--set", "settings", multiple=True, metavar="STAGE.OPTION=VALUE", help="Set a stage's option.")
@click.option("--model", "models", multiple=True, metavar="[ROLE=]SPEC", help="Model for a role.")
@click.option("--to", "to", type=click.Path(path_type=Path), help="Folder for the export.")
@click.option("--detach", is_flag=True, help="Start it and return at once.")
@json_option
@click.pass_context
def apply(ctx: click.Context, /, file: Path, task: Path, **given: Any) -> int:
    """Apply a plan to all rows of a data set: `datatune run TASK --dataset … --plan FILE`."""
    from engine.cli.run import run

    made: int = ctx.invoke(run, task=task, plan_file=file, **given)
    return made


def _read(file: Path) -> Any:
    from engine.plan.file import read_plan

    try:
        return read_plan(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: cannot be read: {error}", "save one with: datatune plan save RUN FILE") from None


def _choices(run_id: str, dataset: str | None) -> list[PlanChoice]:
    import msgspec

    from engine.cli.find import find_run
    from engine.locations import locate
    from engine.records import PlanChoice
    from engine.store.database import open_reader
    from engine.store.steps import steps_of_run

    connection = open_reader(locate().database)
    found = find_run(connection, run_id)
    steps = [
        step for step in steps_of_run(connection, found.id) if step.stage == "plan" and step.record and dataset in (None, step.candidate)
    ]
    if not steps:
        of = f" for {dataset}" if dataset else ""
        raise BadInput(f"run {found.id} has no plan{of}", f"see why: datatune show {found.id}")
    return [msgspec.json.decode(step.record, type=PlanChoice) for step in steps]
