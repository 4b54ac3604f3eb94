"""Commands about plans: plan show, save, check, compare, serve, apply."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from engine.cli.output import SEED, json_option, put, table
from engine.errors import BadInput, ExitCode

if TYPE_CHECKING:
    from engine.plan.check import Problem
    from engine.plan.compare import Comparison, Pair
    from engine.plan.steps import Plan
    from engine.records import PlanChoice, Row, RowSource, Task

SAMPLE = 300
"""Sample rows a plan is tried on."""


@click.group()
def plan() -> None:
    """Show, save, check, compare and apply plans. A plan is a TOML file you can edit."""


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
    from engine.plan.check import check_plan
    from engine.plan.trial import try_plan

    chosen = _read(file)
    ground = _ground(dataset, config, task_file)
    problems = check_plan(chosen, ground.source.columns, ground.task)
    errors = [problem for problem in problems if problem.severity == "error"]
    trial = None if errors or chosen.prose else try_plan(chosen, ground.source.columns, ground.rows(), ground.task)

    def text() -> str:
        lines = [_problem_line(problem, chosen) for problem in problems]
        if trial:
            lines.append(f"score {trial.score:.2f}")
            lines.extend(f"  {reason}" for reason in trial.reasons)
            lines.extend(f"  {sample.input!r} → {sample.output!r}" for sample in trial.samples[:5])
        return "\n".join(lines) or "no problems"

    put({"problems": problems, "trial": trial}, as_json, text)
    return ExitCode.BAD_INPUT if errors else ExitCode.DONE


@plan.command()
@click.argument("plans", nargs=-1, required=True, metavar="FILE_OR_RUN[#N]…")
@click.option("--dataset", required=True, metavar="ID_OR_FOLDER", help="The data set whose rows they are tried on.")
@click.option("--task", "task_file", required=True, type=click.Path(path_type=Path), help="The task they serve.")
@click.option("--config", default="", help="Config of the data set.")
@click.option("--rows", default=SAMPLE, show_default=True, type=click.IntRange(min=1, max=100_000), help="Sample rows to try them on.")
@click.option("--seed", default=0, show_default=True, type=SEED, help="Draws the sample rows.")
@json_option
def compare(plans: tuple[str, ...], dataset: str, task_file: Path, config: str, rows: int, seed: int, as_json: bool) -> int:
    """Run plans on the same sample rows and show where they agree.

    A plan is a TOML file, or a run: RUN is the plan it chose, RUN#1 its first runner-up.
    """
    from engine.plan.compare import compare_plans

    if len(plans) < 2:
        raise BadInput(
            "there is nothing to compare with one plan", "name two or more: files, or RUN for a run's plan, RUN#1 for a runner-up"
        )
    ground = _ground(dataset, config, task_file)
    named = [(name, _named(name, ground.names)) for name in plans]
    found = compare_plans(named, ground.source.columns, ground.rows(rows, seed), ground.task)
    put(found, as_json, lambda: _side_by_side(found, dict(enumerate(plan for _, plan in named)), ground))
    failed = any(problem.severity == "error" for side in found.plans for problem in side.problems)
    return ExitCode.BAD_INPUT if failed else ExitCode.DONE


@plan.command()
@json_option
def serve(as_json: bool) -> int:
    """Preview plans for a program: {"id", "preview": {"run", "dataset", "config", "split", "plan"}} a line, JSON both ways."""
    import sys

    from engine.catalog_here import catalog_here
    from engine.cli.output import to_json
    from engine.locations import locate
    from engine.plan_preview import Previews, answer
    from engine.roles import Roles
    from engine.rows_here import RowsHere

    locations = locate()
    previews = Previews(locations, RowsHere(catalog_here(locations, Roles({}, locations)), locations.cache))
    for line in sys.stdin:
        click.echo(to_json(answer(line, previews)))
        sys.stdout.flush()
    previews.close()
    return ExitCode.DONE


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

    made: int = ctx.invoke(run, task=task, plans=(str(file),), **given)
    return made


class _Ground(NamedTuple):
    """What plans are tried on."""

    task: Task
    source: RowSource
    names: tuple[str, ...]
    """What runs may call the data set: its id, and the folder it lies in."""

    def rows(self, size: int = SAMPLE, seed: int = 0) -> list[Row]:
        """Sample rows of the split."""
        from engine.plan.sampling import sample_rows

        return sample_rows(self.source, size, seed)


def _ground(dataset: str, config: str, task_file: Path) -> _Ground:
    """The task, and the split of the data set that a run would begin with. Raises BadInput."""
    from engine.cli.catalog import open_catalog
    from engine.cli.run import _dataset
    from engine.config import read_task
    from engine.locations import locate
    from engine.rows_here import RowsHere

    task = read_task(task_file).task
    catalog = open_catalog()
    data = RowsHere(catalog, locate().cache)
    name = _dataset(dataset)
    configs = data.splits(name)
    if config and config not in configs:
        raise BadInput(f"{dataset} has no config {config!r}", f"it has: {', '.join(configs)}")
    chosen = config or next(iter(configs))
    split = next((one for one in configs[chosen] if one.startswith("train")), configs[chosen][0])
    source = data.rows(name, chosen, split)
    folders = [catalog.get(one).folder for one in (name, source.dataset) if catalog.knows(one)]
    return _Ground(task, source, (source.dataset, name, *filter(None, folders)))


def _named(name: str, datasets: tuple[str, ...]) -> Plan:
    """The plan in a file, or one a run made for the data set: chosen, or the runner-up after #. Raises BadInput."""
    if Path(name).is_file() or Path(name).suffix == ".toml":
        return _read(Path(name))
    run_id, mark, number = name.partition("#")
    if (mark and not number.isdecimal()) or not re.fullmatch(r"\w+", run_id):
        raise BadInput(f"{name}: neither a file nor a run", "name a TOML file, or RUN for a run's plan, RUN#1 for its first runner-up")
    choices = _choices(run_id, None)
    choice = next((one for one in choices if one.dataset in datasets), None)
    if choice is None:
        others = ", ".join(one.dataset for one in choices)
        raise BadInput(
            f"run {run_id} has no plan for {datasets[0]}", f"it has plans for {others}: save one with datatune plan save, and name its file"
        )
    place = int(number or 0)
    if place > len(choice.runners_up):
        raise BadInput(f"{name}: there are {len(choice.runners_up)} runners-up", f"see them: datatune plan show {run_id}")
    return choice.runners_up[place - 1].plan if place else choice.plan


def _problem_line(problem: Problem, plan: Plan) -> str:
    return f"{problem.severity}: {problem.place(plan)}: {problem.title}" + (f" ({problem.hint})" if problem.hint else "")


def _side_by_side(found: Comparison, plans: dict[int, Plan], ground: _Ground) -> str:
    source = ground.source
    lines = [f"{found.rows} sample rows of {source.dataset} ({source.config}, {source.split})", ""]
    rows = [
        (
            place,
            Path(side.name).name,
            f"{side.trial.made:,}" if side.trial else "-",
            f"{side.trial.score:.2f}" if side.trial else "-",
            side.title,
        )
        for place, side in enumerate(found.plans, 1)
    ]
    lines.append(table(("", "PLAN", "MADE", "SCORE", "NAME"), rows))
    for place, side in enumerate(found.plans):
        said = [_problem_line(problem, plans[place]) for problem in side.problems]
        said += side.trial.reasons if side.trial else ()
        if side.asks_model:
            said.append(f"asks a model, so only a run tries it: datatune plan apply {side.name} TASK --dataset …")
        lines += ["", f"{place + 1}: {side.name}", *(f"  {line}" for line in said)]
    for pair in found.pairs:
        lines += ["", f"{pair.first} and {pair.second}: {_agreement(pair)}"]
    for difference in found.differences:
        lines += ["", f"row {difference.row}: {difference.input!r}"]
        for place, (side, output) in enumerate(zip(found.plans, difference.outputs, strict=True), 1):
            lines += [f"  {place} → {output!r}" if output else f"  {place} → no example"] if side.trial else []
    return "\n".join(lines)


def _agreement(pair: Pair) -> str:
    if not pair.rows:
        return "no row became an example under both"
    return (
        f"of {pair.rows:,} rows both made examples of, the same output in {pair.agreement:.0%} ({pair.rows - pair.same_outputs:,} differ), "
        f"the same input in {pair.same_inputs / pair.rows:.0%}"
    )


def _read(file: Path) -> Plan:
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
