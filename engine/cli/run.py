"""Commands that make training sets: demo, run, resume, cancel, export."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.choose import other_settings
from engine.cli.find import find_run
from engine.cli.output import SEED, complain, json_option, note, put, to_json
from engine.errors import BadInput, Busy, ExitCode, StoreUnusable
from engine.plain_text import clean
from engine.stages import STAGE_NAMES

if TYPE_CHECKING:
    from engine.config import TaskFile
    from engine.locations import Locations
    from engine.records import Task
    from engine.store.runs import Run, RunSettings

DEMO_TASK = "cause-effect"
DEMO_EXAMPLES = 100


def run_options(command: Any) -> Any:
    """What run and resume share."""
    command = click.option("--detach", is_flag=True, help="Start it and return at once; follow it with `datatune show RUN`.")(command)
    return json_option(command)


def making_options(command: Any) -> Any:
    """What run and compare share: a task, what its examples are made of, and how."""
    options = (
        click.argument("task", type=click.Path(path_type=Path)),
        click.option(
            "--dataset",
            default="",
            metavar="ID_OR_FOLDER",
            help="Use this data set instead of finding one; a folder need not be catalogued; none uses none.",
        ),
        click.option(
            "--plan",
            "plans",
            multiple=True,
            metavar="[ID=]FILE",
            help="Apply this plan file instead of searching for one, to the data set of that id, which then comes first, or to --dataset.",
        ),
        click.option(
            "--set", "settings", multiple=True, metavar="STAGE.OPTION=VALUE", help="Set a stage's option; see `datatune options`."
        ),
        click.option(
            "--model",
            "models",
            multiple=True,
            metavar="[ROLE=]SPEC",
            help="Model for a role, or for all: a .gguf path, smollm2, openai:URL.",
        ),
        click.option("--seed", default=0, show_default=True, type=SEED, help="Decides which rows are drawn and how ties fall."),
        click.option(
            "--budget",
            default="",
            metavar="TIME",
            help="End in this time with what there is; a comparison stops: 90s, 30m, 2h.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@making_options
@click.option(
    "--until",
    default="",
    metavar="STAGE",
    help=f"Stop after this stage: {' '.join(STAGE_NAMES)}.",
)
@click.option(
    "--synthetic", type=click.IntRange(min=0), metavar="N", help="Have a model write so many examples from the task alone as well."
)
@click.option("--finetune", default="", metavar="SPEC", help="Train this model on the result: smollm2, a .gguf path, a safetensors folder.")
@click.option("--to", "to", type=click.Path(path_type=Path), help="Folder for the export instead of one under DATATUNE_HOME.")
@run_options
def run(
    task: Path,
    dataset: str,
    plans: tuple[str, ...],
    until: str,
    settings: tuple[str, ...],
    models: tuple[str, ...],
    synthetic: int | None,
    finetune: str,
    seed: int,
    budget: str,
    to: Path | None,
    detach: bool,
    as_json: bool,
) -> int:
    """Make a training set for TASK, a TOML file.

    Finds data sets in the catalog that fit, plans how their rows become examples, executes the plan and exports the result.
    What is done stays done: `datatune resume RUN` goes on after a stop of any kind.
    """
    from engine.config import read_task

    file = read_task(task)
    if synthetic is not None:
        settings = (*settings, f"generate.examples={synthetic}")
    if finetune:
        settings, models = (*settings, "finetune.train=true"), (*models, f"base={finetune}")
    to = _target(to)
    made = run_settings(file, task.parent, dataset, plans, until, settings, models, seed, budget, to)
    check_models(models, made)
    return start(file, made, detach, as_json)


@click.command()
@click.option("--show-task", is_flag=True, help="Print the demo's task file, a start for your own, and do nothing else.")
@run_options
def demo(show_task: bool, detach: bool, as_json: bool) -> int:
    """Try the whole path on the data and the small model that come with DataTune."""
    from engine.catalog import starter_tasks
    from engine.config import read_task
    from engine.locations import locate

    task = next(path for path in starter_tasks() if path.stem == DEMO_TASK)
    if show_task:
        text = task.read_text(encoding="utf-8")
        put({"task": text}, as_json, lambda: text.rstrip("\n"))
        return ExitCode.DONE
    locations = locate().ensure()
    _add_starter(locations)
    file = read_task(task)
    settings = run_settings(file, task.parent, "", (), "", (f"execute.examples={DEMO_EXAMPLES}",), (), 0, "", None)
    return start(file, settings, detach, as_json, examples_shown=5)


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--budget", default="", metavar="TIME", help="End in this time with what there is; a comparison stops: 90s, 30m, 2h.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="[ROLE=]SPEC",
    help="Another model for a role, or for all, such as for one that is not here.",
)
@run_options
def resume(run_id: str, budget: str, models: tuple[str, ...], detach: bool, as_json: bool) -> int:
    """Go on with a run that was stopped, cancelled or failed; what it finished is not done again."""
    import msgspec

    from engine.locations import locate
    from engine.store.database import open_writer
    from engine.store.runs import change_settings

    locations = locate().ensure()
    connection = open_writer(locations.database)
    found = find_run(connection, run_id)
    changed = found.settings
    if models:
        changed = msgspec.structs.replace(changed, models=changed.models | _specs(models))
    if budget:
        changed = msgspec.structs.replace(changed, budget_seconds=seconds(budget))
    if changed != found.settings and not change_settings(connection, found.id, changed):
        raise Busy(f"run {found.id} is at work", f"stop it first: datatune cancel {found.id}")
    return _drive(found.id, locations, detach, as_json, 0)


@click.command()
@click.argument("run_id", metavar="RUN")
@json_option
def cancel(run_id: str, as_json: bool) -> int:
    """Ask a run to stop after the unit it is at; what it made stays."""
    from engine.locations import locate
    from engine.store import runs
    from engine.store.database import open_writer

    locations = locate()
    connection = open_writer(locations.database)
    found = find_run(connection, run_id)
    if found.state != "running":
        raise BadInput(f"run {found.id} is not at work; it is {found.state}", "see: datatune runs")
    runs.send_command(connection, found.id, "cancel")
    put({"run": found.id, "state": "cancelling"}, as_json, lambda: f"run {found.id} will stop after the unit it is at")
    return ExitCode.DONE


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--to", "folder", required=True, type=click.Path(path_type=Path), help="Folder to write; new, empty or an earlier export.")
@json_option
def export(run_id: str, folder: Path, as_json: bool) -> int:
    """Write a run's examples as JSONL, Parquet, chat messages, Alpaca and prompt/completion files with a data card.

    Where the run finetuned a model, the folder gets it too: the adapter, the merged model as GGUF, a Modelfile and a card.
    """
    from engine.cli.progress import Meter
    from engine.export.model_files import told_model
    from engine.export_run import export_run
    from engine.locations import locate
    from engine.store.database import open_writer

    locations = locate().ensure()
    connection = open_writer(locations.database)
    meters: dict[tuple[str, str], Meter] = {}

    def watch(stage: str, done: int, total: int | None, unit: str) -> None:
        meters.setdefault((stage, unit), Meter(stage, sys.stderr.isatty())).show(done, total, unit)

    exported = export_run(connection, find_run(connection, run_id), locations, folder.expanduser().absolute(), watch)
    for meter in meters.values():
        meter.end()
    put(exported, as_json, lambda: "\n".join((f"{exported.examples:,} examples in {exported.folder}", *told_model(exported))))
    return ExitCode.DONE


def seconds(text: str) -> float:
    """A time such as 90s, 30m, 2h, in seconds. Raises BadInput."""
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], text[-1:]) if text[-1:] in units else (text, "m")
    try:
        value = float(number) * units[unit]
    except ValueError:
        value = 0
    if not 0 < value < 1e9:
        raise BadInput(f"--budget {text}: not a time", "write 90s, 30m or 2h")
    return value


def run_settings(
    file: TaskFile,
    base: Path,
    dataset: str,
    plans: tuple[str, ...],
    until: str,
    given: tuple[str, ...],
    models: tuple[str, ...],
    seed: int,
    budget: str,
    to: Path | None,
    experiment: bool = False,
) -> RunSettings:
    """Everything the command line, the task file and the settings say, in this order, checked before a run is made. Raises BadInput."""
    import difflib

    from engine.config import NO_DATASET, parse_setting, stage_options
    from engine.locations import locate
    from engine.roles import absolute_spec
    from engine.settings import merged, read_settings
    from engine.stages import compares, generates
    from engine.store.runs import RunSettings

    if until and until not in STAGE_NAMES:
        near = difflib.get_close_matches(until, STAGE_NAMES, n=1)
        raise BadInput(
            f"--until {until}: no such stage" + (f"; did you mean {near[0]!r}?" if near else ""), f"stages: {', '.join(STAGE_NAMES)}"
        )
    plan, of_ids = _plans(plans, dataset or file.dataset)
    yours = read_settings(locate())
    specs = yours.models | {role: absolute_spec(spec, base) for role, spec in file.models.items()} | _specs(models)
    options = merged(yours, file.options)
    for text in given:
        stage, option, value = parse_setting(text)
        options.setdefault(stage, {})[option] = value
    if of_ids:
        retrieve = options.setdefault("retrieve", {})
        retrieve["prefer"] = [*dict.fromkeys((*of_ids, *stage_options("retrieve", retrieve).prefer))]
    for stage, values in options.items():
        stage_options(stage, values)
    made = RunSettings(
        models=specs,
        options=options,
        dataset=_dataset(dataset) if dataset else _dataset_named(file, base),
        plan=plan,
        plans=of_ids,
        until=until,
        seed=seed,
        budget_seconds=seconds(budget) if budget else 0,
        export_to=str(to.absolute()) if to else "",
        experiment=experiment,
    )
    if made.dataset == NO_DATASET and not generates(made) and not compares(made):
        raise BadInput("dataset none leaves nothing to make examples of", "say how many a model should write: --synthetic 500")
    return made


def _target(to: Path | None) -> Path | None:
    """The folder of an export, absolute. Raises BadInput where it may not be written, StoreUnusable where it cannot be."""
    if to is None:
        return None
    from engine.export.folder import check_target

    to = to.expanduser().absolute()
    check_target(to)
    return to


def _specs(models: tuple[str, ...]) -> dict[str, str]:
    """Role → spec as --model says it. Raises BadInput for a role nobody asks for."""
    from engine.config import ROLES, check_role
    from engine.roles import absolute_spec

    specs = {}
    for text in models:
        role, equals, spec = text.partition("=")
        if not equals or (role not in ROLES and set(role) & set("/:#.")):
            role, spec = "default", text
        check_role(role, "--model")
        specs[role] = absolute_spec(spec, Path.cwd())
    return specs


def _dataset_named(file: TaskFile, base: Path) -> str:
    """The data set a task file names; a folder's path counts from the task file's own. Raises BadInput."""
    from engine.catalog.scan import ENDINGS

    folder = base / Path(file.dataset).expanduser()
    if file.dataset and folder.is_dir():
        return str(folder.resolve())
    if file.dataset and folder.is_file() and folder.suffix.lower() in ENDINGS:
        raise BadInput(f"task.dataset: {file.dataset} is a file", "give the folder it lies in; all data files in it are one data set")
    if file.dataset.startswith(("/", "./", "../", "~")):
        raise BadInput(f"task.dataset: no folder {file.dataset}", "give a folder with data files, or an id from `datatune catalog search`")
    return file.dataset


def _dataset(given: str) -> str:
    """A folder as an absolute path, an id as it is. Raises BadInput for what is neither."""
    from engine.catalog.scan import ENDINGS

    if not given:
        return ""
    path = Path(given).expanduser()
    if path.is_dir():
        return str(path.resolve())
    if path.is_file() and path.suffix.lower() in ENDINGS:
        raise BadInput(f"--dataset {given}: a file", "give the folder it lies in; all data files in it are one data set")
    if path.is_absolute() or given.startswith(("./", "../", "~")):
        raise BadInput(f"--dataset {given}: no such folder", "give a folder with data files, or an id from `datatune catalog search`")
    return given


def _plans(given: tuple[str, ...], dataset: str) -> tuple[str, dict[str, str]]:
    """The plan of the data set that is named, "" for none, and those of others by id. Raises BadInput."""
    from engine.config import NO_DATASET

    alone, of_ids = [], {}
    for text in given:
        name, equals, file = text.partition("=")
        if not equals or Path(text).exists():
            alone.append(_plan_text(Path(text)))
        elif dataset:
            raise BadInput(f"--plan {text} goes with data sets that are found, and {dataset} is named", "give the plan alone: --plan FILE")
        elif Path(name).is_dir():
            raise BadInput(f"--plan {text}: a folder has no id here", "name it with --dataset, or first: datatune catalog add FOLDER")
        else:
            of_ids[name] = _plan_text(Path(file))
    if alone and dataset in ("", NO_DATASET):
        raise BadInput("--plan FILE needs --dataset", "a plan names the columns of one data set; say which: --dataset, or --plan ID=FILE")
    if len(alone) > 1:
        raise BadInput("two plans for one data set", "name the data set of each: --plan ID=FILE")
    return (alone[0] if alone else ""), of_ids


def _plan_text(file: Path) -> str:
    from engine.plan.file import read_plan

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--plan {file}: cannot be read: {error}", "save one with: datatune plan save RUN FILE") from None
    read_plan(text)
    return text


def _add_starter(locations: Locations) -> None:
    from engine.catalog import STARTER_PREFIX, starter_folders
    from engine.catalog_here import catalog_here
    from engine.roles import Roles
    from engine.settings import read_settings

    note("cataloguing the starter data")
    catalog = catalog_here(locations, Roles(read_settings(locations).models, locations))
    folders = starter_folders()
    for number, folder in enumerate(folders, 1):
        catalog.add_folder(folder, prefix=STARTER_PREFIX, embed=number == len(folders))


def check_models(given: tuple[str, ...], settings: RunSettings) -> None:
    """Look for the models that the command line names: one that nobody asks until the last stage would be missed after hours.

    Raises Unavailable or BadInput.
    """
    from engine.config import stage_options
    from engine.locations import locate
    from engine.roles import check_spec

    trains = settings.experiment or stage_options("finetune", settings.options.get("finetune", {})).train
    for role in _specs(given):
        if role != "base" or trains:
            check_spec(role, settings.models[role], locate())


def start(file: TaskFile, settings: RunSettings, detach: bool, as_json: bool, examples_shown: int = 0) -> int:
    from engine.locations import locate

    return _start_run(file.task, settings, locate().ensure(), detach, as_json, examples_shown)


def _start_run(task: Task, settings: RunSettings, locations: Locations, detach: bool, as_json: bool, examples_shown: int) -> int:
    from engine.store import runs
    from engine.store.database import open_writer

    connection = open_writer(locations.database)
    made = runs.create_run(connection, task, settings)
    connection.close()
    return _drive(made, locations, detach, as_json, examples_shown)


def _drive(run_id: str, locations: Locations, detach: bool, as_json: bool, examples_shown: int) -> int:
    from engine.cli.follow import follow
    from engine.cli.show import show_result
    from engine.process import start_engine
    from engine.store.database import check, open_reader
    from engine.store.runs import read_run

    found = read_run(open_reader(locations.database), run_id)
    assert found is not None
    engine = start_engine(found, locations)
    if detach:
        put(
            _line(found, "started", "follow it with: datatune show"),
            as_json,
            lambda: f"run {run_id} started; follow it: datatune show {run_id}",
        )
        return ExitCode.DONE
    note(f"run {run_id}")
    ended = follow(run_id, locations, engine)
    code = engine.wait()
    if code == ExitCode.STORE_UNUSABLE and ended.exit_code != code:
        # The engine could not even record that it failed; what the database says is from an earlier time.
        told = check(locations.database) or f"{locations.database}: the engine could not write it"
        raise StoreUnusable(told, f"free space or check permissions, then: datatune resume {run_id}")
    if code == ExitCode.BUSY and ended.state == "running":
        raise Busy(f"run {run_id} is at work in another process", f"follow it: datatune show {run_id}")
    if as_json:
        click.echo(to_json(_line(ended, ended.state, ended.reason)))
    elif ended.state == "done":
        click.echo(clean(show_result(open_reader(locations.database), ended, examples_shown)))
    if ended.state != "done":
        complain(f"run {run_id} {ended.state}: {ended.reason}", _hint(locations, run_id))
    elif not as_json and (settings := other_settings(ended, locations)) is not None:
        return _start_run(ended.task, settings, locations, detach, as_json, examples_shown)
    return code


def _line(found: Run, state: str, reason: str) -> dict[str, Any]:
    return {"run": found.id, "state": state, "examples": found.examples, "reason": reason}


def _hint(locations: Locations, run_id: str) -> str:
    from engine.store.database import open_reader
    from engine.store.events import events_after

    hints = [event.data.get("hint", "") for event in events_after(open_reader(locations.database), run_id, 0) if event.data.get("hint")]
    return str(hints[-1]) if hints else f"look at it: datatune show {run_id}; go on: datatune resume {run_id}"
