"""datatune try: an input typed, and what the model that a run trained makes of it, beside its base."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from engine.cli.asked_models import asked, told_task, trained_spec
from engine.cli.output import json_option, note, to_json
from engine.errors import ExitCode
from engine.plain_text import clean, one_line

if TYPE_CHECKING:
    from engine.evaluate.items import Item
    from engine.evaluate.one_input import Said, Side
    from engine.records import Task

BAR = 20
MOST_CHARACTERS = 200_000
"""Of one input."""
SHOWN_CHARACTERS = 1_000
"""Of an input that is too long."""
_NAME = 9
_HELP = """\
Type an input; an empty line ends it. What begins with a colon is a command (an input that does gets a blank before it):
  :base      with or without the base's answer
  :examples  the task's examples
  :help      this
  :quit      end, as Ctrl-D does"""


@click.command("try")
@click.argument("task", metavar="RUN_OR_TASK")
@click.option("--model", "spec", metavar="SPEC", help="The model to try: a .gguf path, smollm2, openai:URL. Else the one the run trained.")
@click.option("--base", "base_spec", metavar="SPEC", help="The model beside it. Else the task's base.")
@click.option("--no-base", is_flag=True, help="Ask no second model.")
@click.option("--shots", default=2, show_default=True, type=click.IntRange(0, 64), help="Examples shown to a model that was not trained.")
@click.option("--longest", default=256, show_default=True, type=click.IntRange(1, 4096), help="Tokens of an answer, at most.")
@json_option
def try_(task: str, spec: str | None, base_spec: str | None, no_base: bool, shots: int, longest: int, as_json: bool) -> int:
    """Type inputs, see answers: of the model a run trained, and of its base, which is shown two examples first.

    Where the task has labels, each has a bar for how likely it is. Without a trained model the base answers alone. Standard input that is
    no terminal has an input in each line; with --json each gets one line of JSON.
    """
    from engine.evaluate.items import example_items

    told = told_task(task, with_trained=spec is None)
    pool = example_items(told.task.examples, told.task, shuffle=False)
    own = trained_spec(told) if spec is None else None
    first = spec or own
    names = [*(["trained"] if own else ["model"] if spec else []), *([] if no_base and first else ["base"])]
    wanted = [*([first] if first else []), *([] if no_base and first else [base_spec])]
    with asked(told, wanted) as models:
        sides = [_side(name, answers, told.task, pool, shots, longest) for name, answers in zip(names, models, strict=True)]
        for side in sides:
            note(f"{side.name}: {side.asker.answers.model.identity.name}, {side.setting}")
        loop = _Loop(sides, told.task, as_json)
        if sys.stdin.isatty():
            loop.typed()
        else:
            loop.piped()
    return ExitCode.DONE


def _side(name: str, answers: Any, task: Task, pool: Sequence[Item], shots: int, longest: int) -> Side:
    from engine.evaluate.asking import AS_TRAINED, Asker, Setting
    from engine.evaluate.one_input import Side

    one_line = bool(pool) and not any("\n" in item.answer.strip() for item in pool)
    asker = Asker(answers, task, one_line=one_line)
    asker.tokens = longest
    return Side(name, asker, AS_TRAINED if name == "trained" else Setting(min(shots, len(pool)), "chat"), pool)


class _Loop:
    """Input after input, to the end."""

    def __init__(self, sides: Sequence[Side], task: Task, as_json: bool) -> None:
        self._sides = sides
        self._task = task
        self._as_json = as_json
        self._with_base = True

    def typed(self) -> None:
        """At a terminal."""
        with suppress(ImportError):
            import readline  # noqa: F401  lines can be edited, and earlier ones come back

        note(_HELP)
        while True:
            lines: list[str] = []
            ended = False
            while True:
                try:
                    line = input("… " if lines else "› ")
                except EOFError:
                    ended = True
                    break
                if not lines and line.startswith(":"):
                    if self._quits(line[1:].strip()):
                        return
                    continue
                if not line.strip():
                    break
                lines.append(line)
            if lines:
                self._answer("\n".join(lines))
            if ended:
                return

    def piped(self) -> None:
        """From a file or a program: a line, an input."""
        for line in _lines():
            if line.strip():
                self._answer(line)

    def _quits(self, command: str) -> bool:
        if command in ("quit", "q", "exit"):
            return True
        if command == "base":
            self._with_base = not self._with_base
            note("the base answers too" if self._with_base else "without the base")
        elif command == "examples":
            shown = [f"{_block(one.input, '')}\n  → {_block(one.output, '    ').strip()}" for one in self._task.examples]
            note("\n".join(shown) or "the task has no examples")
        else:
            note(_HELP if command in ("help", "h", "?") else f"no command :{one_line(command, 20)}\n{_HELP}")
        return False

    def _answer(self, text: str) -> None:
        from engine.evaluate.one_input import say

        text = text.encode("utf-8", "replace").decode()  # a terminal may hand over bytes that are no text
        if len(text) > MOST_CHARACTERS:
            long = f"an input of {len(text):,} characters is too long"
            note(long)
            if self._as_json:
                # A line for each, so that a program stays in step.
                click.echo(to_json({"input": text[:SHOWN_CHARACTERS], "answers": [], "error": long}))
            return
        sides = [side for side in self._sides if self._with_base or side.name != "base" or len(self._sides) == 1]
        found = [say(side, text) for side in sides]
        if self._as_json:
            click.echo(to_json({"input": text, "answers": found}))
            return
        if not sys.stdin.isatty():
            click.echo(clean(f"› {text}"))
        click.echo(clean("\n".join(map(_told, found))))


def _told(said: Said) -> str:
    if said.answer is None:
        return f"{said.side:{_NAME}}no answer: {one_line(said.error, 160)}"
    lines = [f"{said.side:{_NAME}}{_block(said.answer, ' ' * _NAME).strip()}"]
    width = max((len(one_line(one.label, 24)) for one in said.weighed), default=0)
    for one in said.weighed:
        full = round(one.share * BAR)
        bar = "█" * full + "░" * (BAR - full)
        lines.append(f"{'':{_NAME}}{one_line(one.label, 24):{width}}  {bar}  {one.share:5.1%}  log-probability {one.log_probability:.2f}")
    if said.only_order:
        lines.append(f"{'':{_NAME}}a server: the numbers order the labels, and say no more")
    return "\n".join(lines)


def _block(text: str, indent: str) -> str:
    return "\n".join(f"{indent}{line}" for line in clean(text).splitlines()) or indent


def _lines() -> Iterator[str]:
    reconfigure = getattr(sys.stdin, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8", errors="replace")
    for line in sys.stdin:
        yield line.rstrip("\r\n")
