"""README.md: the card of an export, for people first and for `datasets.load_dataset` in its front matter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from engine.export.facts import Facts, PartFacts, portable
from engine.export.markdown import fenced, inline, one_line
from engine.export.plan_words import plan_in_words
from engine.mix.offered import AnyPart
from engine.mix.table import found_words, mix_table
from engine.records import Example, Generated, Made, Mixed, Part, SyntheticPart, Task
from models.language import Identity

ORIGINS = {
    "copied": "taken from a row as it stands",
    "derived": "computed from a row by deterministic steps",
    "written": "written by a model",
    "edited": "put right by a person",
}
PLAN_ORIGINS = {
    "structure": "found from the structure of the columns",
    "model": "written by a model, checked and tried on rows",
    "user": "written or edited by the user",
    "prose": "prose that a model followed row by row",
}
SHOWN_CHARS = 1500
"""Longest text of an example that is shown whole."""
ONE_SIDED = 0.8
"""Share of one output from which the card warns."""


def card(
    task: Task,
    parts: tuple[AnyPart, ...],
    plan_files: Sequence[str],
    mixed: Mixed,
    facts: Facts,
    shown: Sequence[Example],
    *,
    models: Mapping[str, Identity],
    seed: int,
    batched: bool,
    data_files: Mapping[str, str],
    layouts: Mapping[str, str],
) -> str:
    """The whole README. `data_files` maps split → the file that is loaded, `layouts` other files → what they hold."""
    blocks = [
        _front_matter(task, facts, data_files),
        f"# {inline(task.name)}",
        inline(task.description, 4000),
        f"Training examples for this task, made by DataTune {_from(facts)}: {facts.examples:,} examples, {facts.train:,} for "
        f"training and {facts.validation:,} for validation. Examples of one row, one input or one long passage are in one of the two only.",
        "## Sources",
        *_sources(facts),
        "## How the examples were made",
        *_making(parts, plan_files, facts),
        "## The mix",
        *_mix(mixed),
        "## Outputs",
        *_outputs(facts),
        "## Files",
        "\n".join(f"- `{path}`: {what}" for path, what in layouts.items()),
        "## Making it again",
        _again(models, seed, batched),
        "## Known weaknesses",
        "\n".join(f"- {line}" for line in _weaknesses(task, parts, facts)),
        f"## {len(shown)} examples" if len(shown) != 1 else "## An example",
        *_examples(shown),
    ]
    return "\n\n".join(blocks) + "\n"


def _front_matter(task: Task, facts: Facts, data_files: Mapping[str, str]) -> str:
    import yaml

    licences = {licence for _, licence in stated_licences(facts)}
    content = {
        "language": [re.split("[-_]", task.language)[0].lower()],
        "license": licence_of(licences),
        "pretty_name": one_line(task.name),
        "size_categories": [_size(facts.examples)],
        "configs": [{"config_name": "default", "data_files": [{"split": split, "path": path} for split, path in data_files.items()]}],
        "tags": ["datatune", *(["synthetic"] if facts.synthetic or facts.origins.get("written") else [])],
    }
    if content["license"] == "other":
        stated = sorted({f"{name}: {licence or 'not stated'}" for name, licence in stated_licences(facts)})
        content["license_name"] = "several-sources"
        content["license_details"] = one_line("; ".join(stated))
    # Without wrapping no line can begin with what a source says, such as the mark that ends the front matter.
    return "---\n" + yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=10**9) + "---"


def stated_licences(facts: Facts) -> set[tuple[str, str]]:
    """Each source with the licence it states; what a model wrote has none of its own."""
    sources = {(part.dataset, use.licence.strip()) for part in facts.parts for use in part.splits}
    return sources | {(f"synthetic, by {part.model}", "") for part in facts.parts if part.model}


def _from(facts: Facts) -> str:
    """Where the examples are from, in a few words."""
    if not facts.synthetic:
        return "from existing data sets"
    models = ", ".join(inline(part.model) for part in facts.parts if part.model)
    if facts.synthetic == facts.examples:
        return f"from the task's description alone, all of them synthetic, written by {models}"
    return f"from existing data sets and, {facts.synthetic:,} of them synthetic, by {models} from the task's description alone"


def licence_of(stated: set[str]) -> str:
    """The one licence all sources share, where it can stand as an identifier of the Hub's; else "unknown" or "other"."""
    if stated == {""}:
        return "unknown"
    only = next(iter(stated)).lower() if len(stated) == 1 else ""
    return only if re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", only) else "other"


def _size(examples: int) -> str:
    bounds = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    return next((name for bound, name in bounds if examples < bound), "1M<n<10M")


def sources_table(facts: Facts) -> str:
    """Every source with its revision, its licence and what came of it."""
    synthetic = [
        (f"synthetic, by {part.model}", "", "", "", "the model's terms", "none", f"{part.examples:,}") for part in facts.parts if part.model
    ]
    rows = [
        (part.dataset, part.config, use.split, use.revision[:12], use.licence or "not stated", f"{use.rows:,}", f"{use.examples:,}")
        for part in facts.parts
        for use in part.splits
    ] + synthetic
    head = ("Data set", "Config", "Split", "Revision", "Licence", "Rows used", "Examples")
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(inline(cell) for cell in row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)


def _sources(facts: Facts) -> Iterator[str]:
    yield sources_table(facts)
    synthetic = any(part.model for part in facts.parts)
    rows_named = "Each line of `examples.jsonl` names its row" + (", a synthetic one the model instead." if synthetic else ".")
    yield f"{rows_named} The licences are those the sources state; each holds for what came from it."


def _making(parts: Sequence[AnyPart], plan_files: Sequence[str], facts: Facts) -> Iterator[str]:
    if any(isinstance(part, Part) for part in parts):
        yield "Rows were drawn in seeded order over the whole split and turned into examples by a plan, a short program over columns."
    for part, plan_file, part_facts in zip(parts, plan_files, facts.parts, strict=True):
        if isinstance(part, SyntheticPart):
            yield from _writing(part, part_facts)
            continue
        choice, made = part.choice, part.made
        yield f"### {inline(part_facts.dataset)}" + (f" ({inline(part_facts.config)})" if part_facts.config else "")
        score = f"its score is {choice.score:.2f}" if choice.score or choice.plan.origin != "user" else "it was not scored"
        yield f"Plan `{plan_file}`, {PLAN_ORIGINS[choice.plan.origin]}; {score}."
        yield "\n".join(f"{number}. {inline(sentence)}" for number, sentence in enumerate(plan_in_words(choice.plan), 1))
        if choice.reasons:
            yield "What speaks for it:\n\n" + "\n".join(f"- {inline(reason)}" for reason in choice.reasons)
        yield _counts(part.made, part_facts)
        yield from _reasons(made)


def _writing(part: SyntheticPart, facts: PartFacts) -> Iterator[str]:
    """How the synthetic examples came about."""
    generated = part.generated
    yield "### Synthetic examples"
    yield (
        f"{inline(facts.model)} wrote inputs and outputs from the task's description and examples, shown given and earlier accepted ones, "
        "at a temperature that rises over the run. What was empty, cut off, in another language or form, or nearly an earlier input was "
        "rejected."
    )
    if generated.topics:
        yield f"Topics it listed first: {'; '.join(inline(topic, 60) for topic in generated.topics[:100])}."
    if generated.saturated:
        yield f"It ended early: {inline(generated.saturated)}."
    yield _counts(generated, facts)
    yield from _reasons(generated)


def _reasons(made: Made | Generated) -> Iterator[str]:
    if made.reasons:
        most = sorted(made.reasons.items(), key=lambda pair: (-pair[1], pair[0]))[:8]
        yield "Why units did not become examples:\n\n" + "\n".join(f"- {count:,}: {inline(reason)}" for reason, count in most)


def _counts(made: Made | Generated, facts: PartFacts) -> str:
    surplus = f", {made.surplus:,} were more than needed" if isinstance(made, Made) else ""
    return (
        f"{made.units:,} units were looked at: {made.examples:,} became examples, {made.rejected:,} were rejected, {made.failed:,} failed, "
        f"{made.skipped:,} were skipped{surplus}. {facts.mix.offered:,} were offered to the mix; {facts.examples:,} are in it."
    )


def _mix(mixed: Mixed) -> Iterator[str]:
    """What was left out of all examples, and why."""
    heads, rows = mix_table(mixed)
    lines = [" | ".join(heads), " | ".join("---" for _ in heads), *(" | ".join(inline(cell) for cell in row) for row in rows)]
    yield "\n".join(f"| {line} |" for line in lines)
    counts = mixed.counts
    said = [
        f"{counts.rejected:,} were rejected by a person." if counts.rejected else "",
        f"{mixed.edited:,} have an output that was put right by a person." if mixed.edited else "",
        found_words(mixed),
    ]
    yield " ".join(filter(None, ("Every example offered is in training, in validation, or left out for one reason.", *said)))


def _outputs(facts: Facts) -> Iterator[str]:
    yield "\n".join(f"- {count:,} {origin}: {ORIGINS[origin]}" for origin, count in facts.origins.items())
    if facts.outputs:
        yield "How often each occurs:\n\n" + "\n".join(
            f"- {inline(output, 100)}: {count:,}" for output, count in list(facts.outputs.items())[:30]
        )


def _again(models: Mapping[str, Identity], seed: int, batched: bool) -> str:
    used = "; ".join(f"{role}: {inline(portable(model.name))} ({inline(model.runtime)})" for role, model in sorted(models.items()))
    return (
        "`manifest.json` holds what a replay needs: the task, the revision of each source, plans, options, the hash of every model file "
        f"and of the prompts, the versions of the software, and the SHA-256 of every file here. The seed is {seed}. "
        + (f"Models: {used}. " if used else "No model was used. ")
        + "A plan in `plans/` can be applied again, to these sources or others, with `datatune plan apply`."
        + (" Model answers were decoded in batches, so a replay from nothing may word some of them differently." if batched else "")
    )


def _weaknesses(task: Task, parts: Sequence[AnyPart], facts: Facts) -> Iterator[str]:
    if facts.synthetic < facts.examples:
        yield "Whatever is wrong, one-sided or offensive in the sources is in the examples too; nobody has read them all."
    if facts.synthetic:
        yield (
            f"{facts.synthetic:,} of {facts.examples:,} examples are synthetic: a model made up input and output. They may be wrong, "
            "and are more alike than real ones."
        )
    written, all_ = facts.origins.get("written", 0) - facts.synthetic, facts.examples
    if written:
        of = f"{written:,} of {all_:,} outputs" if not facts.synthetic else f"{written:,} outputs of rows"
        yield f"{of} were written by a model and not verified by a person."
    if facts.contested_inputs:
        yield f"{facts.contested_inputs:,} inputs occur with different outputs ({facts.contested_examples:,} examples); all are kept."
    if facts.exploded:
        yield f"{facts.exploded:,} examples are pieces of rows that gave several, and share what the row says."
    unstated = sorted({part.dataset for part in facts.parts for use in part.splits if not use.licence})
    if unstated:
        yield f"No licence is stated by: {', '.join(inline(name) for name in unstated)}."
    if len(parts) == 1 and not facts.synthetic:
        yield "All examples come from one data set and share its style."
    output, most = next(iter(facts.outputs.items()), ("", 0))
    if most > ONE_SIDED * all_:
        yield f"{most:,} of {all_:,} outputs are {inline(output, 100)}."
    absent = [label for label in task.output.labels if label not in facts.outputs]
    if absent:
        yield f"No example has the output: {', '.join(inline(label, 100) for label in absent)}."
    failed = [
        (facts_.dataset, part.made)
        for part, facts_ in zip(parts, facts.parts, strict=True)
        if isinstance(part, Part) and part.made.failed > 0.1 * part.made.units
    ]
    for dataset, made in failed:
        yield f"{made.failed:,} of {made.units:,} units of {inline(dataset)} failed; those that did not may be a one-sided choice."
    if not facts.validation:
        yield "There is no validation split."


def _examples(shown: Sequence[Example]) -> Iterator[str]:
    for example in shown:
        source = example.source
        row = f"{source.dataset}, split {source.split}, row {source.row}" if not source.synthetic else f"synthetic, by {source.model}"
        origin = f"{row} (output {example.output_origin})"
        yield f"{inline(origin)}. Input:\n\n{fenced(_cut(example.input))}\n\nOutput:\n\n{fenced(_cut(example.output))}"


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + f"\n… ({len(text) - SHOWN_CHARS:,} more characters)"
