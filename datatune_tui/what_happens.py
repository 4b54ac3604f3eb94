"""What a run of a task will do and what it costs, told before it is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datatune_tui.task_form import Form
from engine.config import stage_options
from engine.errors import BadInput
from engine.plain_text import clean
from engine.roles import DEFAULT_EMBEDDER, DEFAULT_LANGUAGE_MODEL
from engine.stages import STAGE_NAMES, stage, stages_left_out
from engine.store.runs import RunSettings

SKIPPED = ("retrieve", "rerank")
"""Where a data set is named."""


def told(form: Form, roles: Mapping[str, str], models: Sequence[Mapping[str, Any]]) -> str:
    """A few lines: the stages, which model they ask and how fast it is here, how many examples are wanted.

    `roles` are specs by role after all that is set; `models` what `models list` found.
    """
    default = roles.get("default", DEFAULT_LANGUAGE_MODEL)
    settings = RunSettings(options={name: dict(of) for name, of in form.rest.items() if name in STAGE_NAMES})
    left_out = {*stages_left_out(settings, bool(form.test)), *(SKIPPED if form.marks.dataset else ())}
    names = [name for name in STAGE_NAMES if name not in left_out]
    asked: dict[str, list[str]] = {}
    for name in names:
        if name == "retrieve" and not form.rest.get(name, {}).get("name_task"):
            continue  # it searches by itself unless it is told to ask
        for role in stage(name).roles[:1]:
            asked.setdefault(roles.get(role, default), []).append(name)
    lines = [", ".join(names)]
    lines += [f"{clean(_short(spec))} is asked in {', '.join(stages)}; {_speed(spec, models)}" for spec, stages in asked.items()]
    if form.marks.dataset:
        lines.append(f"Data: {clean(form.marks.dataset)}, and no other.")
    else:
        lines.append(f"Data: what fits in your catalog, by meaning with {clean(roles.get('embed', DEFAULT_EMBEDDER))}.")
    lines.append(_examples(form))
    lines.append("Rows cost model time only where the plan has a model write or check. It goes on when you close this; c stops it.")
    return "\n".join(lines)


def told_comparison(form: Form, roles: Mapping[str, str], yours: Mapping[str, Any]) -> str:
    """A few lines: the arms of the comparison, and what each of them costs; `yours` are its options in the settings."""
    from engine.stages.compare import UNTRAINED, Options

    options: Options = stage_options("compare", {**yours, **dict(form.rest.get("compare", {}))})
    default = roles.get("default", DEFAULT_LANGUAGE_MODEL)
    trainings = options.seeds * sum(arm not in UNTRAINED for arm in options.arms)
    lines = [
        f"Arms: {', '.join(options.arms)}.",
        f"{options.examples:,} examples an arm; {clean(_short(roles.get('base', default)))} is trained {trainings} times "
        "and asked the test each time.",
        f"{clean(_short(default))} plans, and writes what is written.",
        "Arms, examples and seeds: [compare] in the task file, or 7, Settings. It goes on when you close this; c stops it.",
    ]
    return "\n".join(lines)


def _examples(form: Form) -> str:
    try:
        wanted = stage_options("execute", dict(form.rest.get("execute", {}))).examples
    except BadInput:
        return ""
    return f"It ends with {wanted:,} examples, or when no data set is left."


def _speed(spec: str, models: Sequence[Mapping[str, Any]]) -> str:
    known = next((one for one in models if spec in (one["spec"], one["path"])), None)
    rates = known and known.get("rates")
    if rates:
        return f"it reads {rates['read']:,.0f} and writes {rates['write']:,.0f} tokens a second here"
    return "how fast it is here was not measured yet (6, b)"


def _short(spec: str) -> str:
    return spec.rpartition("/")[2] if spec.startswith("/") else spec
