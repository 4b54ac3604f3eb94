"""README.md of the folder model: the card of a finetuned model, with its data, its training, its scores and what each file answered."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from engine.evaluate.evaluated import Evaluated
from engine.export.card import licence_of, sources_table, stated_licences
from engine.export.facts import Facts, portable
from engine.export.markdown import fenced, inline, one_line
from engine.export.model_files import FOLDER, MODELFILE, Model, stem_of
from engine.export.model_scores import scores
from engine.finetuned_model import TRIED_TOKENS
from engine.records import Example, Finetuned, Mixed, Split, Task

SHOWN_CHARS = 2000
"""Longest input that is shown whole."""
SETTINGS = {
    "rank": "rank",
    "alpha": "alpha",
    "dropout": "dropout",
    "learning_rate": "highest learning rate, falling to 0 in a straight line",
    "warm_up": "share of the steps in which it rises",
    "epochs": "epochs",
    "batch": "examples in a batch",
    "accumulation": "batches in a step",
    "max_length": "tokens of the longest example",
}
"""What of a training's options the card has, in words."""


def model_card(
    task: Task,
    mixed: Mixed,
    facts: Facts,
    finetuned: Finetuned,
    settings: Mapping[str, Any],
    model: Model,
    evaluated: Evaluated | None,
    tried: tuple[Example, Split],
    *,
    mixed_anew: bool,
    seed: int,
) -> str:
    """The whole card. `tried` is the example every file was asked; `mixed_anew` says that the examples beside are not quite those it was
    trained on."""
    base = inline(portable(finetuned.base.name))
    method = "QLoRA (the base in 4 bits)" if finetuned.precision == "nf4" else "LoRA"
    blocks = [
        _front_matter(task, facts, finetuned, model),
        f"# {inline(task.name)}, finetuned",
        inline(task.description, 4000),
        f"{base}, finetuned by DataTune with {method} on {finetuned.examples:,} examples of this task. It does this task and no other.",
        "## Files",
        *_files(model),
        "## How to use it",
        *_use(task, finetuned, model),
        "## What it was trained on",
        *_data(facts, finetuned, mixed_anew),
        "## Training",
        *_training(finetuned, settings, seed),
        "## Scores",
        *(scores(evaluated, mixed) if evaluated else (NOT_EVALUATED,)),
        "## What every file was asked",
        *_trial(model, *tried),
        "## Licences",
        *_licences(facts, finetuned, model),
        "## Known weaknesses",
        "\n".join(f"- {line}" for line in _weaknesses(facts, finetuned, model, evaluated)),
    ]
    return "\n\n".join(blocks) + "\n"


NOT_EVALUATED = (
    "It was not evaluated on a test. The losses above say how well it fits examples like its own, not how well it does the task."
)


def _front_matter(task: Task, facts: Facts, finetuned: Finetuned, model: Model) -> str:
    import yaml

    stated = {*stated_licences(facts), (f"base model {portable(finetuned.base.name)}", model.licence.strip())}
    content: dict[str, Any] = {
        "language": [re.split("[-_]", task.language)[0].lower()],
        "license": licence_of({licence.lower() for _, licence in stated}),
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["datatune", "lora", *(["gguf"] if model.base_file else []), *(["synthetic"] if facts.synthetic else [])],
    }
    if content["license"] == "other":
        content["license_name"] = "base-and-several-sources"
        content["license_details"] = one_line("; ".join(sorted(f"{name}: {licence or 'not stated'}" for name, licence in stated)))
    if published := _published(facts):
        content["datasets"] = published
    return "---\n" + yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=10**9) + "---"


def _published(facts: Facts) -> list[str]:
    """Ids of data sets of the Hub: their revisions are commits, those of local folders are longer."""
    named = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
    return sorted(
        {
            part.dataset
            for part in facts.parts
            for use in part.splits
            if named.fullmatch(part.dataset) and re.fullmatch(r"[0-9a-f]{40}", use.revision)
        }
    )


def _files(model: Model) -> Iterator[str]:
    rows = [f"| `{file.path.removeprefix(f'{FOLDER}/')}` | {file.what} | {file.size:,} | `{file.digest}` |" for file in model.files]
    yield "\n".join(["| File | What it is | Bytes | SHA-256 |", "| --- | --- | --- | --- |", *rows])
    if model.left_out:
        yield "Left out, with why:\n\n" + "\n".join(f"- {inline(line)}" for line in model.left_out)


def _use(task: Task, finetuned: Finetuned, model: Model) -> Iterator[str]:
    yield (
        "It was trained on chats of a system text and one input; ask it in the same way, for the likeliest answer (temperature 0). "
        "The system text:"
    )
    yield fenced(task.description)
    system = shlex.quote(task.description)
    if model.merged:
        yield "With DataTune, for the rows of a file:"
        yield fenced(f"datatune predict TASK.toml ROWS.csv --to ANSWERS.csv --model {model.merged} --style export --shots 0", "sh")
        yield "With llama.cpp:"
        yield fenced(f"llama-cli -m {model.merged} --temp 0 --single-turn -sys {system} -p 'INPUT'", "sh")
    if any(file.path == f"{FOLDER}/{MODELFILE}" for file in model.files):
        yield f"With Ollama; `{MODELFILE}` holds the system text and the temperature:"
        yield fenced(f"ollama create {stem_of(task)} -f {MODELFILE}\nollama run {stem_of(task)} 'INPUT'", "sh")
    if any(file.path == f"{FOLDER}/adapter.gguf" for file in model.files):
        yield f"The adapter alone, on the very file it was trained for, {inline(model.base_file)}:"
        base = shlex.quote(model.base_file)
        yield fenced(f"llama-cli -m {base} --lora adapter.gguf --temp 0 --single-turn -sys {system} -p 'INPUT'", "sh")
    name = inline(portable(finetuned.base.name))
    which = f"the model of which {name} was made" if model.base_file else f"the base, {name}"
    yield f"With transformers and peft, where BASE is {which}, as a safetensors folder or an id of the Hub:"
    yield fenced(_PYTHON.format(system=repr(task.description)), "python")


_PYTHON = """from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("BASE")
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("BASE"), "adapter")
system = {system}
chat = [{{"role": "system", "content": system}}, {{"role": "user", "content": "INPUT"}}]
prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
answer = model.generate(**prompt, do_sample=False, max_new_tokens=256)
print(tokenizer.decode(answer[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True))"""


def _data(facts: Facts, finetuned: Finetuned, mixed_anew: bool) -> Iterator[str]:
    yield sources_table(facts)
    percent = round(100 * facts.synthetic / facts.examples)
    share = f"{facts.synthetic:,} of them ({percent} %) synthetic" if facts.synthetic else "none synthetic"
    yield (
        f"{facts.examples:,} examples, {share}; {finetuned.validation:,} were held out for the validation loss. "
        "[The card of the training set](../README.md) tells how they were made and what was left out; [the manifest](../manifest.json) "
        "holds what making them again needs, and the SHA-256 of every file."
    )
    if mixed_anew:
        yield (
            "The examples beside were mixed anew since the model was trained, as after reviews: they are not quite those it was trained on."
        )


def _training(finetuned: Finetuned, settings: Mapping[str, Any], seed: int) -> Iterator[str]:
    ended = {"epochs"} if settings.get("steps") else set()
    rows = [(words, settings[name]) for name, words in SETTINGS.items() if name in settings and name not in ended]
    rows += [("steps", f"{finetuned.steps:,}"), ("base held in", finetuned.precision), ("device", finetuned.device), ("seed", seed)]
    yield "\n".join(["| Setting | Value |", "| --- | --- |", *(f"| {words} | {inline(str(value))} |" for words, value in rows)])
    name, digest = inline(portable(finetuned.base.name)), finetuned.base.digest
    yield f"The base is {name}, SHA-256 `{digest}`. The loss is that of the outputs alone, in nats a token."
    first, best = finetuned.first_validation_loss, finetuned.best_validation_loss
    yield f"Loss of the last step: {finetuned.loss:.3f}, of {finetuned.examples:,} training examples." + (
        f" Validation loss on {finetuned.validation:,} examples: {first:.3f} before, {best:.3f} at step {finetuned.best_step:,}, "
        "from which the adapter is."
        if first is not None and best is not None
        else " There was no validation, so the adapter is from the last step."
    )
    if finetuned.left_out:
        yield f"{finetuned.left_out:,} examples were too long to be trained on."


def _trial(model: Model, example: Example, split: Split) -> Iterator[str]:
    whose = "a validation example" if split == "validation" else "an example it was trained on, since there is no other"
    yield f"Each file was loaded and asked {whose}, with the system text above, for at most {TRIED_TOKENS} tokens. Input:"
    yield fenced(example.input if len(example.input) <= SHOWN_CHARS else f"{example.input[:SHOWN_CHARS]}\n…")
    yield f"The right output is: {inline(example.output)}"
    asked = [file for file in model.files if file.answer is not None]
    rows = [f"| `{file.path.removeprefix(f'{FOLDER}/')}` | {inline(file.answer or '') or '(an empty answer)'} |" for file in asked]
    if not rows:
        yield "None could be asked here; see the files left out."
        return
    yield "\n".join(["| File | Answer |", "| --- | --- |", *rows])
    if model.base_file:
        yield "The safetensors were asked as `adapter.gguf`, which is made of them."


def _licences(facts: Facts, finetuned: Finetuned, model: Model) -> Iterator[str]:
    name = inline(portable(finetuned.base.name))
    stated = sorted({f"{inline(source)}: {inline(licence) or 'not stated'}" for source, licence in stated_licences(facts)})
    lines = [f"the base model, {name}: {inline(model.licence) or 'not stated in its file; see where you have it from'}", *stated]
    yield "\n".join(f"- {line}" for line in lines)
    yield "They are as base and sources state them. Whether the licence of data reaches a model trained on it is for you to judge."


def _weaknesses(facts: Facts, finetuned: Finetuned, model: Model, evaluated: Evaluated | None) -> Iterator[str]:
    yield "Whatever is wrong or one-sided in its examples it has learnt: see the weaknesses in the card of the training set."
    if facts.synthetic:
        yield f"{facts.synthetic:,} of {facts.examples:,} examples are synthetic; a model learns the mistakes of the one that wrote them."
    if evaluated is None:
        yield "How well it does the task was not measured."
    first, best = finetuned.first_validation_loss, finetuned.best_validation_loss
    if first is None or best is None:
        yield "Nothing was held out while it was trained, so it may have learnt its examples by heart."
    elif best >= first:
        yield f"Training did not lower the validation loss ({first:.3f} before, {best:.3f} at best): it may be no better than its base."
    if model.merged:
        yield "Merged files are rounded once more than the base's file: their answers can differ from the adapter's."
