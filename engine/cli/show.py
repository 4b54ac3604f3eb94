"""Commands that look: runs, show, options."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.choose import second_reading
from engine.cli.output import json_option, put, table
from engine.errors import BadInput, ExitCode

if TYPE_CHECKING:
    from engine.records import Example, Exported, PlanChoice
    from engine.store.database import Connection
    from engine.store.runs import Run
    from engine.store.steps import Step


@click.command()
@json_option
def runs(as_json: bool) -> int:
    """List runs, newest first."""
    from engine.locations import locate
    from engine.store.runs import list_runs

    path = locate().database
    found: list[Run] = []
    if path.exists():
        from engine.store.database import open_reader

        found = list_runs(open_reader(path))
    value = [
        {"run": r.id, "task": r.task.name, "state": r.state, "examples": r.examples, "reason": r.reason, "created": r.created}
        for r in found
    ]

    def text() -> str:
        if not found:
            return "no runs yet; start with: datatune demo"
        rows = [(r.id, r.state, f"{r.examples:,}", _ago(r.created), r.task.name, r.reason) for r in found]
        return table(("RUN", "STATE", "EXAMPLES", "STARTED", "TASK", "WHAT CAME OF IT"), rows)

    put(value, as_json, text)
    return ExitCode.DONE


@click.command()
@click.argument("run_id", metavar="RUN")
@click.argument("stage", required=False)
@click.option("--events", "with_events", is_flag=True, help="Print the run's whole story.")
@click.option("--follow", "following", is_flag=True, help="Stay until the run ends.")
@click.option("--failures", is_flag=True, help="Print units that did not become examples, with reason and trace.")
@click.option("-n", "count", default=20, show_default=True, help="How many failures to print.")
@json_option
def show(run_id: str, stage: str | None, with_events: bool, following: bool, failures: bool, count: int, as_json: bool) -> int:
    """Show a run, or what one stage made (expand retrieve rerank schema plan execute generate mix finetune evaluate export compare)."""
    from engine.cli.find import find_run
    from engine.locations import locate
    from engine.stages import STAGE_NAMES
    from engine.store.database import open_reader
    from engine.store.steps import steps_of_run

    connection = open_reader(locate().database)
    found = find_run(connection, run_id)
    if following:
        _wait(connection, found.id)
        found = find_run(connection, run_id)
    taken = steps_of_run(connection, found.id)
    if with_events:
        return _events(connection, found, as_json)
    if failures:
        return _failures(connection, taken, count, as_json)
    if stage is None:
        put(_run_value(connection, found, taken), as_json, lambda: _run_text(connection, found, taken))
        return ExitCode.DONE
    if stage not in STAGE_NAMES:
        raise BadInput(f"no stage {stage!r}", f"stages: {', '.join(STAGE_NAMES)}")
    if stage == "export":
        return _exported(connection, found, as_json)
    chosen = [step for step in taken if step.stage == stage]
    if not chosen:
        raise BadInput(
            f"run {found.id} has not reached {stage}", f"it has: {', '.join(dict.fromkeys(step.stage for step in taken)) or 'nothing yet'}"
        )
    put([_step_value(step) for step in chosen], as_json, lambda: "\n\n".join(_step_text(step) for step in chosen))
    return ExitCode.DONE


@click.command()
@click.argument("stage", required=False)
@json_option
def options(stage: str | None, as_json: bool) -> int:
    """List what can be set with --set, in a task file or in the settings, with its value for new runs and where that comes from."""
    from engine.locations import locate
    from engine.options import options_of, written
    from engine.settings import read_settings
    from engine.stages import STAGE_NAMES

    if stage is not None and stage not in STAGE_NAMES:
        raise BadInput(f"no stage {stage!r}", f"stages: {', '.join(STAGE_NAMES)}")
    yours = read_settings(locate()).options
    listed, rows = [], []
    for option in (one for name in STAGE_NAMES if stage in (None, name) for one in options_of(name)):
        mine = option.name in yours.get(option.stage, {})
        value = yours[option.stage][option.name] if mine else option.default
        listed.append(
            {
                "stage": option.stage,
                "option": option.name,
                "default": option.default,
                "value": value,
                "from": "settings" if mine else "default",
                "help": option.help,
            }
        )
        source = f"settings (default {written(option.default) or 'none'})" if mine else "default"
        rows.append((option.key, written(value) or "-", source, option.help))
    put(listed, as_json, lambda: table(("OPTION", "VALUE", "FROM", "WHAT IT DOES"), rows, widest=110))
    return ExitCode.DONE


def show_result(connection: Connection, found: Run, examples_shown: int) -> str:
    """What a finished run came to, for people."""
    from engine.store.steps import steps_of_run

    taken = steps_of_run(connection, found.id)
    if compared := [step for step in taken if step.stage == "compare" and step.record]:
        return f"{_evaluated(compared[-1])}\n\nrun {found.id}: {found.reason}"
    parts = [_chosen(taken)]
    parts.extend(_plan_text(choice) for choice in _choices(taken))
    examples = _first_examples(connection, taken, examples_shown)
    for number, example in enumerate(examples, 1):
        source = example.source
        origin = f"synthetic, by {source.model}" if source.synthetic else f"{source.dataset}, row {source.row}"
        head = f"example {number} ({origin}, output {example.output_origin})"
        parts.append(f"{head}\n{_block(example.input)}\n  → {example.output}")
    parts.extend(_evaluated(step, whole=False) for step in taken if step.stage == "evaluate" and step.record)
    parts.append(f"run {found.id}: {found.reason}")
    return "\n\n".join(part for part in parts if part)


def _run_value(connection: Connection, found: Run, taken: list[Step]) -> dict[str, Any]:
    from engine.store.events import read_progress

    return {
        "run": found.id,
        "state": found.state,
        "examples": found.examples,
        "reason": found.reason,
        "exit_code": found.exit_code,
        "task": found.task,
        "settings": found.settings,
        "progress": read_progress(connection, found.id),
        "steps": [_step_value(step) for step in taken],
    }


def _run_text(connection: Connection, found: Run, taken: list[Step]) -> str:
    from engine.cli.progress import line
    from engine.store.events import read_progress

    head = f"run {found.id}  {found.task.name}  {found.state}" + (f": {found.reason}" if found.reason else "")
    rows = [(s.stage, s.candidate, "reused" if s.reused else s.state, f"{s.seconds:.1f} s", s.reason) for s in taken]
    parts = [head, table(("STAGE", "DATA SET", "STATE", "TOOK", "WHY"), rows)]
    progress = read_progress(connection, found.id)
    if found.state == "running" and progress:
        parts.append(line(progress.stage, progress.done, progress.total, progress.rate, progress.unit, False))
    parts.extend(_plan_text(choice) for choice in _choices(taken))
    return "\n\n".join(parts)


def _step_value(step: Step) -> dict[str, Any]:
    import msgspec

    from engine.stages import stage

    record = msgspec.json.decode(step.record, type=stage(step.stage).record) if step.record else None
    return {
        "stage": step.stage,
        "candidate": step.candidate,
        "state": step.state,
        "reason": step.reason,
        "seconds": step.seconds,
        "record": record,
    }


def _step_text(step: Step) -> str:
    import json

    head = f"{step.stage}{' ' + step.candidate if step.candidate else ''}: {step.state}" + (f", {step.reason}" if step.reason else "")
    if not step.record:
        return head
    record = json.loads(step.record)
    if step.stage in ("retrieve", "rerank"):
        rows = [(c["rank"], f"{c['score']:.3f}", c["dataset"], "; ".join(c.get("reasons", ()))) for c in record.get("candidates", ())]
        reason = f"\n{record['reason']}" if record.get("reason") else ""
        return f"{head}{reason}\n{table(('RANK', 'SCORE', 'DATA SET', 'WHY'), rows, widest=100)}"
    if step.stage == "schema":
        place = f"config {record['config']}, splits {', '.join(record['splits'])}: {record.get('reason', '')}"
        return f"{head}\n{place}\n{table(('COLUMN', 'ROLE'), list(record['roles'].items()))}"
    if step.stage == "plan":
        return f"{head}\n" + "\n\n".join(_plan_text(choice, runners_up=True) for choice in _choices([step]))
    if step.stage == "execute":
        reasons = "\n".join(f"{count:8,}  {reason}" for reason, count in record.get("reasons", {}).items())
        counts = "  ".join(f"{name} {record.get(name, 0):,}" for name in ("units", "examples", "rejected", "failed", "skipped", "surplus"))
        return f"{head}\n{counts}" + (f"\n{reasons}" if reasons else "")
    if step.stage == "generate":
        return f"{head}\n{_generated(record)}"
    if step.stage == "mix":
        return f"{head}\n{_mixed(step)}"
    if step.stage in ("evaluate", "compare"):
        return f"{head}\n{_evaluated(step)}"
    return f"{head}\n" + "\n".join(f"{key}: {value}" for key, value in record.items())


def _exported(connection: Connection, found: Run, as_json: bool) -> int:
    """The latest export: files are written anew each time, so it is told of, and no step of the run."""
    import msgspec

    from engine.records import Exported
    from engine.store.events import events_after

    told = [event for event in events_after(connection, found.id, 0) if event.kind == "exported"]
    if not told:
        raise BadInput(f"run {found.id} was not exported yet", f"export it: datatune export {found.id} --to FOLDER")
    exported = msgspec.convert({"examples": found.examples, "train": 0, "validation": 0, "digest": "", **told[-1].data}, Exported)
    put(exported, as_json, lambda: _exported_text(exported))
    return ExitCode.DONE


def _exported_text(exported: Exported) -> str:
    lines = [f"{exported.examples:,} examples in {exported.folder}"]
    if exported.model:
        rows = [
            (file.path, file.what, f"{file.size / 1e6:,.1f} MB", "-" if file.answer is None else file.answer or "(nothing)")
            for file in exported.model
        ]
        lines.append(table(("FILE", "WHAT IT IS", "SIZE", "IT ANSWERED"), rows))
    return "\n".join([*lines, *(f"left out: {line}" for line in exported.left_out)])


def _mixed(step: Step) -> str:
    import msgspec

    from engine.mix.table import found_words, mix_table
    from engine.records import Mixed

    mixed = msgspec.json.decode(step.record, type=Mixed)
    heads, rows = mix_table(mixed)
    lines = [table(tuple(head.upper() for head in heads), rows), found_words(mixed)]
    if mixed.edited:
        lines.append(f"{mixed.edited:,} have an output that you put right")
    if mixed.outputs:
        lines.append("outputs: " + ", ".join(f"{output} {count:,}" for output, count in mixed.outputs.items()))
    if mixed.largest_group > 1:
        lines.append(f"{mixed.groups:,} groups of connected examples, the largest of {mixed.largest_group:,}; none is in both splits")
    return "\n".join(filter(None, lines))


def _evaluated(step: Step, whole: bool = True) -> str:
    import msgspec

    from engine.cli.compare_table import compared_table, evaluated_summary, evaluated_table
    from engine.evaluate.evaluated import Compared, Evaluated

    if step.stage == "compare":
        return compared_table(msgspec.json.decode(step.record, type=Compared))
    found = msgspec.json.decode(step.record, type=Evaluated)
    return evaluated_table(found) if whole else evaluated_summary(found)


def _generated(record: dict[str, Any]) -> str:
    lines = [
        f"model {record['model']}",
        "  ".join(f"{name} {record.get(name, 0):,}" for name in ("units", "examples", "rejected", "failed", "skipped")),
        *(f"{count:8,}  {reason}" for reason, count in record.get("reasons", {}).items()),
    ]
    if record.get("outputs"):
        lines.append("outputs: " + ", ".join(f"{output} {count:,}" for output, count in record["outputs"].items()))
    if record.get("topics"):
        lines.append(f"topics: {'; '.join(record['topics'])}")
    if record.get("saturated"):
        lines.append(f"ended early: {record['saturated']}")
    return "\n".join(lines)


def _choices(taken: list[Step]) -> list[PlanChoice]:
    import msgspec

    from engine.records import PlanChoice

    return [msgspec.json.decode(step.record, type=PlanChoice) for step in taken if step.stage == "plan" and step.record]


def _chosen(taken: list[Step]) -> str:
    import json

    rows = []
    for step in taken:
        if step.stage == "execute" and step.record:
            made = json.loads(step.record)
            rows.append((step.candidate, made["config"], f"{made['examples']:,}", f"{made['units']:,}"))
        if step.stage == "generate" and step.record:
            made = json.loads(step.record)
            rows.append((f"synthetic, by {made['model']}", "", f"{made['examples']:,}", f"{made['units']:,}"))
    made_of = table(("DATA SET", "CONFIG", "EXAMPLES", "OF UNITS"), rows) if rows else ""
    mixes = [_mixed(step) for step in taken if step.stage == "mix" and step.record]
    return "\n\n".join(filter(None, (made_of, *mixes)))


def _plan_text(choice: PlanChoice, runners_up: bool = False) -> str:
    from engine.plan.file import write_plan

    path = Path(choice.dataset)
    name = path.name if path.is_absolute() else choice.dataset
    judged = f", {choice.verdict}" if choice.verdict else ""
    lines = [f"plan for {name} (from {choice.plan.origin}, score {choice.score:.2f}{judged}, output {choice.output_origin})"]
    if choice.evidence:
        lines.append(f"  {choice.evidence}")
    lines.append(_block(write_plan(choice.plan).strip()))
    if runners_up:
        lines.extend(f"  {sample.input!r} → {sample.output!r}" for sample in choice.samples)
        for other in choice.runners_up:
            judged = f", {other.verdict}: {other.evidence}" if other.verdict else ""
            lines.append(f"runner-up, score {other.score:.2f}: {'; '.join(other.plan.reasons[:2])}{judged}")
            lines.extend(f"  {sample.input!r} → {sample.output!r}" for sample in other.samples)
    elif place := second_reading(choice):
        lines.append(f"  a second reading is not ruled out, runner-up {place}: `datatune plan show RUN` and `plan compare` show both")
    return "\n".join(lines)


def _first_examples(connection: Connection, taken: list[Step], count: int) -> list[Example]:
    import msgspec

    from engine.records import Example
    from engine.store.items import items_in_order

    found: list[Example] = []
    for step in taken:
        if step.stage in ("execute", "generate"):
            for item in items_in_order(connection, step.fingerprint, "accepted", count - len(found) if count > len(found) else 0):
                found.append(msgspec.json.decode(item.result, type=Example))
    return found[:count]


def _events(connection: Connection, found: Run, as_json: bool) -> int:
    from engine.store.events import events_after

    story = events_after(connection, found.id, 0)
    lines = [f"{time.strftime('%H:%M:%S', time.localtime(e.at))}  {e.stage or '-':9} {e.candidate or '-':24} {e.text}" for e in story]
    put(story, as_json, lambda: "\n".join(lines))
    return ExitCode.DONE


def _failures(connection: Connection, taken: list[Step], count: int, as_json: bool) -> int:
    import msgspec

    from engine.records import MixUnit
    from engine.store.items import items_in_order

    listed: list[dict[str, Any]] = []
    for step in taken:
        for state in ("failed", "rejected", "skipped"):
            for item in items_in_order(connection, step.fingerprint, state, max(0, count - len(listed))):
                name, reason, trace = step.candidate or step.stage, item.reason, item.result
                if step.stage == "mix":
                    unit = msgspec.json.decode(trace, type=MixUnit)
                    reason, trace = f"{reason}: {unit.detail}" if unit.detail else reason, ""
                listed.append({"data_set": name, "unit": item.key, "state": item.state, "reason": reason, "trace": trace})
    put(
        listed,
        as_json,
        lambda: "\n".join(f"{f['data_set']} {f['unit']}  {f['state']}: {f['reason']}  {f['trace'][:200]}" for f in listed) or "none",
    )
    return ExitCode.DONE


def _wait(connection: Connection, run_id: str) -> None:
    from engine.cli.progress import Meter
    from engine.store.events import read_progress
    from engine.store.runs import read_run

    meter: Meter | None = None
    while (found := read_run(connection, run_id)) and (found.state == "running" or _starting(found)):
        progress = read_progress(connection, run_id)
        if progress:
            meter = meter or Meter(progress.stage, sys.stderr.isatty())
            meter.show(progress.done, progress.total, progress.unit)
        time.sleep(0.2)
    if meter:
        meter.end()


def _starting(found: Run) -> bool:
    """Made just now, so that its engine may not have claimed it yet."""
    return found.state == "new" and time.time() - found.created < STARTING_SECONDS


STARTING_SECONDS = 20


def _block(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _ago(at: float) -> str:
    passed = time.time() - at
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if passed >= size:
            return f"{int(passed // size)} {unit} ago"
    return "now"
