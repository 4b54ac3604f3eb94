"""datatune evaluate and datatune predict: how well a model does a task, and the task done on the rows of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.asked_models import asked, end, told_task, trained_by, trained_spec, watch
from engine.cli.output import SEED, json_option, note, put
from engine.cli.progress import time_left
from engine.errors import BadInput, ExitCode

if TYPE_CHECKING:
    from engine.evaluate.evaluation import Given
    from engine.records import Task

BASE = "base"
"""As the second model: the task's own."""
_STYLES = {"all": ("chat", "plain", "export"), "chat": ("chat",), "plain": ("plain",), "export": ("export",)}


@click.command()
@click.argument("task", metavar="TASK")
@click.option(
    "--model",
    "spec",
    metavar="SPEC",
    help="The model to evaluate: a .gguf path, smollm2, openai:URL. Else the one the run trained, else the task's base.",
)
@click.option(
    "--compare",
    "other",
    metavar="SPEC",
    help="A second model on the same items, with the paired difference: a spec, base, or a run for what it trained.",
)
@click.option("--test", "test_file", type=click.Path(path_type=Path), help="Items with right answers instead of the task's own test.")
@click.option("--shots", show_default="0,2,8", metavar="N,N…", help="Numbers of demonstrations to choose among.")
@click.option(
    "--style",
    type=click.Choice([*_STYLES]),
    show_default="all; export for the model the run trained",
    help="Choose, or ask only so; export: as trained.",
)
@click.option("--examples", "pool_file", type=click.Path(path_type=Path), help="More examples of the task to show and to choose on.")
@click.option("--items", type=click.IntRange(min=1), help="Ask at most so many items of the test, drawn by seed.")
@click.option(
    "--by",
    "way",
    type=click.Choice(["sum", "per_token", "prior_corrected"]),
    default="sum",
    show_default=True,
    help="How options are scored in the figure that decides; the others stand beside it.",
)
@click.option("--draws", default=1, show_default=True, type=click.IntRange(1, 20), help="Draws of demonstrations to average over.")
@click.option("--every", is_flag=True, help="Ask every setting on the test, to see them all; the choice stays the same.")
@click.option("--as-given", is_flag=True, help="Leave options in the order the file has them.")
@click.option(
    "--seed", default=0, show_default=True, type=SEED, help="Decides the order of options, which items are drawn and what is shown."
)
@json_option
def evaluate(
    task: str,
    spec: str | None,
    other: str | None,
    test_file: Path | None,
    shots: str | None,
    style: str | None,
    pool_file: Path | None,
    items: int | None,
    way: str,
    draws: int,
    every: bool,
    as_given: bool,
    seed: int,
    as_json: bool,
) -> int:
    """How well a model does TASK (a task file, a run, or a folder of BIG-bench), on items with right answers.

    Demonstrations come from the task's examples, never from the test; how many are shown, and whether as a chat, is chosen on these
    examples. A model that a run trained is asked as it was trained; to see the base beside it: --compare. Options are shuffled by seed.
    What a model answers is kept, and asked once.
    """
    from engine.cli.evaluation_table import evaluation_table
    from engine.evaluate.asking import AS_TRAINED
    from engine.evaluate.evaluation import asker_of, evaluate, expected_cost

    told = told_task(task, with_trained=spec is None)
    given = _given(task, told.task, test_file, pool_file, items, not as_given, seed)
    given = _with(given, shots=_numbers(shots or "0,2,8"), styles=_STYLES[style or "all"], way=way, draws=draws, every=every, seed=seed)
    own = trained_spec(told) if spec is None else None
    trained = {1} if own else set()
    second = [None if other == BASE else other] if other else []
    asked_as = {1: told.task}
    if other and (theirs := trained_by(other)):
        second, trained, asked_as[2] = [theirs[0]], {*trained, 2}, theirs[1]
    with asked(told, [spec or own, *second]) as models:
        askers, meters = [], []
        for place, answers in enumerate(models, 1):
            asker = asker_of(given, answers)
            if place in trained and shots is None and style is None:
                # As it was trained is also: with its own task's words.
                asker.only, asker.task = (AS_TRAINED,), asked_as[place]
            cost = expected_cost(given, asker)
            name = answers.model.identity.name
            note(_cost(name, cost.calls, answers.expected_seconds(*cost)))
            meters.append(watch(answers, f"asking {f'model {place}' if other else name}", cost.calls))
            askers.append(asker)
        found = evaluate(given, askers)
        for answers, meter in zip(models, meters, strict=True):
            end(answers, meter)
    put({"evaluation": found}, as_json, lambda: evaluation_table(found))
    return ExitCode.DONE


@click.command()
@click.argument("task", metavar="TASK_OR_RUN")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--model",
    "spec",
    metavar="SPEC",
    help="The model to ask: a .gguf path, smollm2, openai:URL. Else the one the run trained, else the task's base.",
)
@click.option("--to", "to", type=click.Path(path_type=Path), required=True, help="The file to write: .csv, .tsv, .jsonl or .xlsx.")
@click.option("--column", default="", metavar="NAME", help="Where the inputs are; else in “input”, or in the only column.")
@click.option("--into", default="output", show_default=True, metavar="NAME", help="Name of the column of answers.")
@click.option(
    "--shots",
    show_default="2; 0 for the model the run trained",
    type=click.IntRange(min=0),
    help="Examples of the task shown before each input.",
)
@click.option(
    "--style",
    type=click.Choice(["chat", "plain", "export"]),
    show_default="chat; export for the model the run trained",
    help="How to ask; export: as trained.",
)
@click.option("--longest", default=256, show_default=True, type=click.IntRange(1, 4096), help="Tokens of an answer, at most.")
@click.option("--replace", is_flag=True, help="Write over the file if it is there.")
@json_option
def predict(
    task: str,
    file: Path,
    spec: str | None,
    to: Path,
    column: str,
    into: str,
    shots: int | None,
    style: str | None,
    longest: int,
    replace: bool,
    as_json: bool,
) -> int:
    """Have a model do a task on every row of FILE (CSV, TSV, JSONL, JSON, Parquet, xlsx): the same rows come out with a column more.

    Where the task has labels, the likeliest is taken; else the answer is written. Where a run trained a model, that one is asked, as it
    was trained. Stopped, it goes on where it was when started again.
    """
    from collections import Counter

    from engine.evaluate import predict as rows_of
    from engine.evaluate.asking import Asker, Setting
    from engine.evaluate.items import example_items

    told = told_task(task, with_trained=spec is None)
    found = told.task
    rows_of.check_target(to, replace)
    rows, wanted = rows_of.read_rows(file, column)
    into = rows_of.column_out(rows, into)
    pool = example_items(found.examples, found, shuffle=False)
    own = trained_spec(told) if spec is None else None
    style = style or ("export" if own else "chat")
    wanted_shots = shots if shots is not None else 0 if own and style == "export" else 2
    if wanted_shots > len(pool):
        note(f"{len(pool)} examples are shown: the task has no more")
    setting = Setting(min(wanted_shots, len(pool)), style)  # type: ignore[arg-type]
    one_line = bool(pool) and not any("\n" in item.answer.strip() for item in pool)
    with asked(told, [spec or own]) as (answers,):
        asker = Asker(answers, found, longest=longest, one_line=one_line)
        asker.tokens = longest
        meter = watch(answers, "answering", len(rows))
        said = rows_of.predict(asker, found, rows, wanted, pool, setting)
        end(answers, meter)
    texts = [rows_of.text_of(answer, found) for answer in said]
    marked = rows_of.write_rows(to, rows, into, texts)
    outputs = Counter(text for text in texts if text is not None) if found.output.kind == "label" else Counter[str]()
    failed = Counter(answer.error for answer in said if answer.error)
    became = rows_of.Predicted(str(to), len(rows), len(rows) - failed.total(), dict(failed), dict(outputs.most_common()), marked)
    put({"predicted": became}, as_json, lambda: _told_rows(became, into))
    return ExitCode.DONE


def _given(
    named_so: str, found: Task, test_file: Path | None, pool_file: Path | None, items: int | None, shuffle: bool, seed: int
) -> Given:
    from engine.evaluate.evaluation import Given, off_the_test
    from engine.evaluate.items import example_items, read_test
    from engine.task_examples import examples_in

    named = test_file or (Path(found.test) if found.test else None)
    if named is None:
        raise BadInput(f"{named_so} has no test", "give one: --test FILE, with input and output in each row, or test = … in the task file")
    test = read_test(named, found, shuffle=shuffle, seed=seed)
    examples = [*found.examples, *(examples_in(pool_file) if pool_file else ())]
    pool = example_items(examples, found, shuffle=shuffle, seed=seed)
    if items is not None:
        test, rest = test.drawn(items, seed)
        # A published task has no examples of its own: those that are not asked serve.
        pool = pool or rest
    kept = off_the_test(pool, test)
    if len(kept) < len(pool):
        note(f"{len(pool) - len(kept)} examples are items of the test: they are not shown")
    return Given(found, test, kept)


def _with(given: Given, **fields: Any) -> Given:
    import msgspec

    return msgspec.structs.replace(given, **fields)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        found = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        found = (-1,)
    if min(found) < 0 or max(found) > 64:
        raise BadInput(f"--shots {text}: not numbers from 0 to 64 with commas between", "for example --shots 0,2,8")
    return found


def _cost(model: str, calls: int, seconds: float | None) -> str:
    time = f"about {time_left(seconds)} at the rate measured here" if seconds is not None else "its rate on this machine is not known yet"
    return f"{model}: at most {calls:,} calls, {time}; what it answered before is not asked again"


def _told_rows(told: Any, into: str) -> str:
    lines = [f"{told.file}: {told.rows:,} rows, {told.answered:,} with an answer in {into!r}"]
    lines += [f"{count:,} without: {reason}" for reason, count in told.failed.items()]
    if told.outputs:
        lines.append(", ".join(f"{label} {count:,}" for label, count in told.outputs.items()))
    if told.guarded:
        lines.append(f"{told.guarded:,} cells begin like formulas and got an apostrophe; in JSONL every text stays as it is")
    return "\n".join(lines)
