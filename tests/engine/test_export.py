"""The export stage: what it writes of a mix, that it writes the same again, and what it refuses to touch."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import yaml

from engine.errors import BadInput, NothingSuitable, StageFailed, StoreUnusable
from engine.export import folder as folder_module
from engine.plan.file import plan_digest, read_plan
from engine.plan.steps import Emit, Get, Map, Plan
from engine.records import (
    Example,
    Exported,
    Generated,
    Made,
    Mixed,
    Output,
    Part,
    PlanChoice,
    Source,
    SyntheticPart,
    Task,
    written_by,
)
from engine.stage import Context, Counts, Outcome
from engine.stages import mix
from engine.stages.export import STAGE, Given, Options
from engine.store.items import Item
from engine.store.reviews import Review
from models.language import Identity

TASK = Task("cause-effect", "Say whether the second event is cause or effect.", output=Output("label", ("cause", "effect", "neither")))


class Stored:
    """A context that holds accepted units in memory."""

    seed = 7

    def __init__(self, **steps: Sequence[Example | str]) -> None:
        self.steps = steps
        self.events: list[str] = []
        self.mixed: list[Item] = []
        self.reviewed: dict[str, dict[str, Review]] = {}

    def reviews(self, step: str) -> dict[str, Review]:
        return self.reviewed.get(step, {})

    def items(self, state: str, limit: int = -1, step: str = "") -> Iterator[Item]:
        assert state == "accepted"
        if step == "mix":
            yield from self.mixed
            return
        for seq, result in enumerate(self.steps[step][:limit]):
            text = result if isinstance(result, str) else msgspec.json.encode(result).decode()
            yield Item(str(seq), seq, "accepted", result=text)

    def each(self, items: Iterable[int], *, key: Callable[[int], str], through: Any, total: int) -> Counts:
        outcomes: list[tuple[str, Outcome]] = list(through(iter(items)))
        taken = [(name, outcome) for name, outcome in outcomes if outcome.state == "accepted"]
        self.mixed = [Item(name, seq, "accepted", "", outcome.result) for seq, (name, outcome) in enumerate(taken)]
        return Counts(accepted=len(self.mixed), rejected=total - len(self.mixed))

    def event(self, kind: str, text: str, **data: Any) -> None:
        self.events.append(kind)

    def progress(self, done: int, total: int | None, unit: str) -> None:
        assert total is None or done <= total


def plan_named(name: str) -> Plan:
    steps = (Get(path="a|b.text", into="text"), Map(value="label", into="word", table={"0": "cause", "1": "effect"}))
    return Plan(
        name=name, steps=steps, emit=Emit(input="{{ text }}\n*?*", output="{{ word }}"), origin="structure", reasons=("<b>0, 1</b>",)
    )


def part_of(step: str, take: int, dataset: str = "owner/events", plan: Plan | None = None) -> Part:
    plan = plan or plan_named("Events → words/../x")
    choice = PlanChoice(dataset, "default", ("train",), plan, plan_digest(plan), 0.91, reasons=plan.reasons)
    return Part(
        step, choice, Made(dataset, "default", choice.digest, take + 7, take, rejected=4, failed=3, reasons={"rejected: empty": 4}), take
    )


def example(number: int, text: str = "", output: str = "", dataset: str = "owner/events", licence: str = "mit") -> Example:
    source = Source(dataset, "default", "train", number, "0123456789abcdef", licence)
    return Example(text or f"Event {number} happened.", output or ("cause", "effect")[number % 2], "derived", source, "plandigest")


def mixed_from(
    ctx: Stored, parts: tuple[Part, ...], task: Task, share: float, seed: int, synthetic: tuple[SyntheticPart, ...] = ()
) -> Mixed:
    """The mix of all that differ to the letter."""
    ctx.seed = seed
    options = mix.Options(validation_share=share, near_duplicates=0, languages="off", leakage="off")
    return cast(Mixed, mix.STAGE.run(mix.Given(task, parts, synthetic), options, cast(Context, ctx)))


def export(
    folder: Path,
    ctx: Stored,
    parts: tuple[Part, ...],
    options: Options | None = None,
    task: Task = TASK,
    share: float = 0.1,
    seed: int = 7,
    **given: Any,
) -> Exported:
    whole: dict[str, Any] = {
        "models": {"plan": Identity("tiny.gguf", "ab" * 32, "llama.cpp via x 1")},
        "options_used": {"plan": {"votes": 3}},
        "seed": seed,
    }
    whole |= {"prompts_digest": "cd" * 32, "batched": False, **given}
    mixed = mixed_from(ctx, parts, task, share, seed, given.get("synthetic", ()))
    ctx.events.clear()
    return cast(Exported, STAGE.run(Given(task, parts, "mix", mixed, str(folder), **whole), options or Options(), cast(Context, ctx)))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def test_load_dataset_reads_train_and_validation_and_nothing_else(tmp_path: Path) -> None:
    import datasets

    made = export(tmp_path / "out", Stored(a=[example(n) for n in range(60)]), (part_of("a", 60),))
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 54, "validation": 6}
    assert (made.examples, made.train, made.validation) == (60, 54, 6)
    assert loaded["train"].column_names == ["input", "output", "output_origin", "source", "plan"]
    both = {row["input"] for split in loaded.values() for row in split}
    assert both == {f"Event {n} happened." for n in range(60)}


@pytest.mark.parametrize("formats", [("chat", "alpaca"), ("alpaca",), ("completion",), ()])
def test_load_dataset_reads_the_first_layout(tmp_path: Path, formats: tuple[Any, ...]) -> None:
    import datasets

    export(tmp_path / "out", Stored(a=[example(n) for n in range(20)]), (part_of("a", 20),), Options(formats=formats))
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == ({"train": 18, "validation": 2} if formats else {"train": 20})
    assert not (tmp_path / "out" / "data").exists()


def test_two_exports_of_the_same_examples_are_byte_identical(tmp_path: Path) -> None:
    parts = (part_of("a", 40), part_of("b", 30, "other/set"))
    rows = {"a": [example(n) for n in range(40)], "b": [example(n, f"Other {n}", dataset="other/set") for n in range(30)]}
    first = export(tmp_path / "one", Stored(**rows), parts)
    second = export(tmp_path / "elsewhere" / "two", Stored(**rows), parts)
    assert contents(tmp_path / "one") == contents(tmp_path / "elsewhere" / "two")
    assert first.digest == second.digest == hashlib.sha256((tmp_path / "one" / "examples.jsonl").read_bytes()).hexdigest()
    assert not any(str(tmp_path).encode() in data for data in contents(tmp_path / "one").values())


def test_every_line_has_its_source_and_pieces_only_where_there_are_some(tmp_path: Path) -> None:
    grouped = msgspec.structs.replace(example(1), source=Source("owner/events", "c", "train", 4, "r", "mit", rows=(4, 9), part=(2,)))
    export(tmp_path / "out", Stored(a=[example(0), grouped]), (part_of("a", 2),))
    plain, pieces = lines(tmp_path / "out" / "examples.jsonl")
    assert list(plain) == ["input", "output", "output_origin", "source", "plan"]
    assert list(plain["source"]) == ["dataset", "config", "split", "row", "revision", "licence"]
    assert pieces["source"]["rows"] == [4, 9]
    assert pieces["source"]["part"] == [2]


def test_layouts_hold_the_same_pairs_in_their_own_words(tmp_path: Path) -> None:
    text = 'Zeile 1\nこんにちは "мир" \u2028 👩\u200d🚀 \\n'
    ctx = Stored(a=[example(0, text, "größer"), example(1)])
    export(tmp_path / "out", ctx, (part_of("a", 2),), Options(instruction="Tell."), share=0)
    assert not (tmp_path / "out" / "data" / "validation.parquet").exists()
    chat = lines(tmp_path / "out" / "chat" / "train.jsonl")[0]["messages"]
    assert chat[0] == {"role": "system", "content": TASK.description}
    assert chat[1:] == [{"role": "user", "content": text}, {"role": "assistant", "content": "größer"}]
    alpaca = json.loads((tmp_path / "out" / "alpaca" / "train.json").read_text(encoding="utf-8"))
    assert alpaca[0] == {"instruction": "Tell.", "input": text, "output": "größer"}
    assert len(alpaca) == 2
    assert lines(tmp_path / "out" / "completion" / "train.jsonl")[0] == {"prompt": text, "completion": "größer"}
    export(tmp_path / "bare", ctx, (part_of("a", 2),), Options(system=""))
    bare = lines(tmp_path / "bare" / "chat" / "train.jsonl") + lines(tmp_path / "bare" / "chat" / "validation.jsonl")
    assert {len(one["messages"]) for one in bare} == {2}


def test_only_the_first_examples_of_a_part_are_taken(tmp_path: Path) -> None:
    made = export(tmp_path / "out", Stored(a=[example(n) for n in range(30)]), (part_of("a", 12),))
    assert made.examples == 12
    assert [line["source"]["row"] for line in lines(tmp_path / "out" / "examples.jsonl")] == list(range(12))


def test_a_repeated_pair_is_left_out_and_another_output_is_kept_and_both_are_counted(tmp_path: Path) -> None:
    ctx = Stored(a=[example(0), example(1, "Same.", "cause")], b=[example(5, "Same.", "cause"), example(6, "Same.", "effect"), example(7)])
    made = export(tmp_path / "out", ctx, (part_of("a", 2), part_of("b", 3)))
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert made.examples == 4
    assert (manifest["mix"]["offered"], manifest["mix"]["repeats"]) == (5, 1)
    assert [part["mix"]["train"] + part["mix"]["validation"] for part in manifest["parts"]] == [2, 2]
    assert (manifest["examples"]["inputs_with_several_outputs"], manifest["examples"]["examples_with_such_an_input"]) == (1, 2)
    assert ctx.events == ["contested"]


def test_what_a_person_rejected_is_left_out_and_what_they_put_right_is_exported(tmp_path: Path) -> None:
    ctx = Stored(a=[example(n) for n in range(4)])
    ctx.reviewed["a"] = {
        "0": Review("0", "rejected"),
        "2": Review("2", "accepted", output="neither"),
        "3": Review("3", note="odd"),
    }
    made = export(tmp_path / "out", ctx, (part_of("a", 4),))
    kept = lines(tmp_path / "out" / "examples.jsonl")
    assert [line["source"]["row"] for line in kept] == [1, 2, 3]
    assert (made.examples, kept[1]["output"], kept[1]["output_origin"]) == (3, "neither", "edited")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert (manifest["mix"]["rejected"], manifest["parts"][0]["mix"]["rejected"], manifest["mix"]["edited_in_review"]) == (1, 1, 1)
    assert sum(manifest["parts"][0]["mix"][split] for split in ("train", "validation")) == 3
    assert "1 were rejected by a person" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "put right by a person" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_inputs_that_differ_in_case_and_blanks_never_straddle_the_splits(tmp_path: Path) -> None:
    rows: list[Example | str] = []
    for n in range(40):
        rows += [example(n, f"An event {n}", "cause"), example(n, f"an  EVENT {n}\n", "effect")]
    export(tmp_path / "out", Stored(a=rows), (part_of("a", 80),), share=0.3)
    train = {" ".join(line["prompt"].lower().split()) for line in lines(tmp_path / "out" / "completion" / "train.jsonl")}
    validation = {" ".join(line["prompt"].lower().split()) for line in lines(tmp_path / "out" / "completion" / "validation.jsonl")}
    assert not train & validation
    assert (len(train), len(validation)) == (28, 12)


def test_the_split_follows_content_and_seed_not_order(tmp_path: Path) -> None:
    rows: list[Example | str] = [example(n) for n in range(50)]

    def validation(name: str, rows: list[Example | str], seed: int) -> set[str]:
        export(tmp_path / name, Stored(a=rows), (part_of("a", 50),), seed=seed)
        return {line["prompt"] for line in lines(tmp_path / name / "completion" / "validation.jsonl")}

    forward = validation("forward", rows, 7)
    assert forward == validation("backward", rows[::-1], 7)
    assert forward != validation("reseeded", rows, 8)


def test_a_single_example_goes_to_training(tmp_path: Path) -> None:
    made = export(tmp_path / "out", Stored(a=[example(0)]), (part_of("a", 1),), share=0.5)
    assert (made.train, made.validation) == (1, 0)
    assert json.loads((tmp_path / "out" / "alpaca" / "train.json").read_bytes())[0]["output"] == "cause"


def test_the_manifest_lists_every_other_file_and_counts_add_up(tmp_path: Path) -> None:
    export(tmp_path / "out", Stored(a=[example(n) for n in range(20)]), (part_of("a", 20),), Options(system=""), batched=True)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    files = contents(tmp_path / "out")
    del files["manifest.json"]
    assert manifest["files"] == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    counts = manifest["parts"][0]["counts"]
    assert counts["units"] == sum(counts[state] for state in ("examples", "rejected", "failed", "skipped", "surplus"))
    assert manifest["parts"][0]["sources"] == [
        {"split": "train", "revision": "0123456789abcdef", "licence": "mit", "examples": 20, "rows": 20}
    ]
    assert manifest["llama_cpp"] == ["llama.cpp via x 1"]
    assert manifest["batched"] is True
    assert manifest["options"] == {"plan": {"votes": 3}, "export": {"system": ""}}
    assert "batches" in manifest["reproducibility"]


def test_no_path_of_this_machine_gets_in(tmp_path: Path) -> None:
    home = "/home/someone/data/events"
    task = msgspec.structs.replace(TASK, test="/home/someone/test.csv")
    ctx = Stored(a=[example(n, dataset=home) for n in range(5)])
    models = {"plan": Identity("/home/someone/tiny.gguf", "00", "llama.cpp 1")}
    export(
        tmp_path / "out", ctx, (part_of("a", 5, home),), task=task, models=models, options_used={"plan": {"use": "/home/someone/p.toml"}}
    )
    everything = b"".join(contents(tmp_path / "out").values())
    assert b"someone" not in everything
    assert lines(tmp_path / "out" / "examples.jsonl")[0]["source"]["dataset"] == "events"


def test_a_plan_file_reads_back_and_its_name_is_never_a_path(tmp_path: Path) -> None:
    other = msgspec.structs.replace(plan_named("Events → words/../x"), emit=Emit(input="{{ text }}", output="{{ word }}"))
    parts = (part_of("a", 1), part_of("b", 1, plan=other), part_of("c", 1), part_of("d", 1, plan=plan_named("…")))
    export(tmp_path / "out", Stored(**{step: [example(n)] for n, step in enumerate("abcd")}), parts)
    names = [part["plan"]["file"] for part in json.loads((tmp_path / "out" / "manifest.json").read_bytes())["parts"]]
    assert names == ["plans/events-words-x.toml", "plans/events-words-x-2.toml", "plans/events-words-x.toml", "plans/plan.toml"]
    assert read_plan(tmp_path / "out" / names[1]) == other


def test_an_example_cannot_break_out_of_its_fence_nor_a_name_out_of_its_cell(tmp_path: Path) -> None:
    from markdown_it import MarkdownIt

    evil = "```\n````\n# Owned\n<script>\n~~~\n"
    dataset = "owner/x | y\n# Owned <script> [a](http://b) ![c](d)"
    plan = msgspec.structs.replace(plan_named("p"), reasons=("x\n# Owned <script>",))
    task = msgspec.structs.replace(TASK, name="n\n# Owned", description="---\nlicense: mit\n# Owned\n<script>")
    ctx = Stored(a=[example(0, evil, evil, dataset, "x\n---\n# Owned")])
    export(tmp_path / "out", ctx, (part_of("a", 1, dataset, plan),), task=task)
    _, front, body = (tmp_path / "out" / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    assert yaml.safe_load(front)["license"] == "other"
    tokens = list(_flat(MarkdownIt("gfm-like", {"linkify": False}).parse(body)))
    headings = [after.content for token, after in pairwise(tokens) if token.type == "heading_open"]
    assert not any(heading == "Owned" for heading in headings)
    assert {token.type for token in tokens} & {"html_block", "html_inline", "link_open", "image"} == set()
    assert [token.content for token in tokens if token.type == "fence"] == [evil, evil]
    cells = sum(token.type == "td_open" for token in tokens)
    assert cells == 7 + 4


def _flat(tokens: Any) -> Iterator[Any]:
    for token in tokens:
        yield token
        yield from _flat(token.children or ())


def test_the_card_says_what_is_weak(tmp_path: Path) -> None:
    written = [msgspec.structs.replace(example(n, output="cause", licence=""), output_origin="written") for n in range(10)]
    export(tmp_path / "out", Stored(a=written), (part_of("a", 10),))
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "10 of 10 outputs were written by a model" in text
    assert "No example has the output: effect, neither." in text
    assert "No licence is stated by: owner/events." in text
    front = yaml.safe_load(text.split("---\n")[1])
    assert (front["license"], front["size_categories"], front["tags"]) == ("unknown", ["n<1K"], ["datatune", "synthetic"])


@pytest.mark.parametrize(("licences", "stated"), [(("MIT", "MIT"), "mit"), (("mit", "cc-by-4.0"), "other"), (("mit", ""), "other")])
def test_one_common_licence_is_stated_and_several_are_listed(tmp_path: Path, licences: tuple[str, str], stated: str) -> None:
    ctx = Stored(a=[example(0, licence=licences[0])], b=[example(1, licence=licences[1], dataset="b/b")])
    export(tmp_path / "out", ctx, (part_of("a", 1), part_of("b", 1, "b/b")))
    front = yaml.safe_load((tmp_path / "out" / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    assert front["license"] == stated
    if stated == "other":
        assert front["license_details"] == f"b/b: {licences[1] or 'not stated'}; owner/events: mit"


def test_a_folder_with_other_content_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(BadInput, match="not an earlier export"):
        export(tmp_path / "out", Stored(a=[example(0)]), (part_of("a", 1),))
    assert contents(tmp_path) == {"out/thesis.txt": b"mine"}


@pytest.mark.parametrize("manifest", [b"", b"[]", b"[" * 100_000, b'{"format": "other", "files": {}}', b"\xff"])
def test_a_manifest_that_is_not_ours_does_not_make_it_an_export(tmp_path: Path, manifest: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(manifest)
    with pytest.raises(BadInput, match="not an earlier export"):
        export(tmp_path, Stored(a=[example(0)]), (part_of("a", 1),))


def test_an_earlier_export_is_replaced_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    export(out, Stored(a=[example(n) for n in range(20)]), (part_of("a", 20),))
    (out / ".DS_Store").touch()
    export(out, Stored(a=[example(n) for n in range(5)]), (part_of("a", 5),), Options(formats=("chat",)))
    assert len(lines(out / "examples.jsonl")) == 5
    assert not (out / "data").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["notes.txt", "README.md", "data/more.parquet"])
def test_an_earlier_export_with_a_file_added_or_changed_is_refused(tmp_path: Path, name: str) -> None:
    export(tmp_path / "out", Stored(a=[example(0)]), (part_of("a", 1),))
    (tmp_path / "out" / name).write_text("mine", encoding="utf-8")
    with pytest.raises(BadInput, match=name):
        export(tmp_path / "out", Stored(a=[example(1)]), (part_of("a", 1),))
    assert (tmp_path / "out" / name).read_text(encoding="utf-8") == "mine"


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(BadInput, match="a file, not a folder"):
        export(tmp_path / "out", Stored(a=[example(0)]), (part_of("a", 1),))


def test_a_full_disk_names_the_folder_and_leaves_the_earlier_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export(tmp_path / "out", Stored(a=[example(0)]), (part_of("a", 1),))
    before = contents(tmp_path)

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folder_module, "_sync", full)
    with pytest.raises(StoreUnusable, match=r"out cannot be written: No space left on device"):
        export(tmp_path / "out", Stored(a=[example(1)]), (part_of("a", 1),))
    assert contents(tmp_path) == before


def test_an_export_that_died_between_its_two_renames_is_put_back_first(tmp_path: Path) -> None:
    export(tmp_path / "out", Stored(a=[example(0)]), (part_of("a", 1),))
    (tmp_path / "out").rename(tmp_path / ".out.datatune-replaced")
    (tmp_path / ".out.datatune-writing").mkdir()
    with pytest.raises(StageFailed):
        export(tmp_path / "out", Stored(a=["not json"]), (part_of("a", 1),))
    export(tmp_path / "out", Stored(a=[example(1)]), (part_of("a", 1),))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert lines(tmp_path / "out" / "examples.jsonl")[0]["source"]["row"] == 1


def test_examples_that_went_since_they_were_mixed_fail_before_anything_is_written(tmp_path: Path) -> None:
    ctx, parts = Stored(a=[example(n) for n in range(6)]), (part_of("a", 5),)
    given = Given(TASK, parts, "mix", mixed_from(ctx, parts, TASK, 0.1, 7), str(tmp_path / "out"), {}, {}, 7, "", False)
    ctx.mixed[2] = msgspec.structs.replace(ctx.mixed[2], result=ctx.mixed[2].result.replace('"key":"2"', '"key":"another"'))
    with pytest.raises(StageFailed, match="the mix has 5 examples but 2 of them are stored"):
        STAGE.run(given, Options(), cast(Context, ctx))
    assert list(tmp_path.iterdir()) == []


def test_missing_unreadable_and_no_examples_fail_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match="3 examples were to be taken but only 1 are stored"):
        export(tmp_path / "out", Stored(a=[example(0)]), (part_of("a", 3),))
    with pytest.raises(StageFailed, match="cannot be read"):
        export(tmp_path / "out", Stored(a=['{"input": 3}']), (part_of("a", 1),))
    with pytest.raises(NothingSuitable, match="no example"):
        export(tmp_path / "out", Stored(a=[]), (part_of("a", 0),))
    assert list(tmp_path.iterdir()) == []


# ── synthetic examples ────────────────────────────────────────────────────────────────────────────────────


def synthetic_part(step: str, take: int, model: str = "/home/me/weights/tiny.gguf") -> SyntheticPart:
    made = Generated(model, take + 5, take, 4, 1, reasons={"rejected: it repeats an input": 4}, topics=("fog",), saturated="no new words")
    return SyntheticPart(step, made, take)


def test_synthetic_examples_follow_those_of_data_sets_and_are_named_as_such(tmp_path: Path) -> None:
    import datasets

    written = [Example(f"Something {n} happened.", "cause", "written", written_by("/home/me/weights/tiny.gguf"), "") for n in range(10)]
    stored = Stored(a=[example(n) for n in range(30)], b=written)
    made = export(tmp_path / "out", stored, (part_of("a", 30),), synthetic=(synthetic_part("b", 10),))
    assert made.examples == 40
    found = lines(tmp_path / "out" / "examples.jsonl")
    assert [line["source"].get("model") for line in found] == [None] * 30 + ["tiny.gguf"] * 10
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    front = yaml.safe_load(card.split("---")[1])
    assert (
        "synthetic" in front["tags"] and front["license"] == "other" and "synthetic, by tiny.gguf: not stated" in front["license_details"]
    )
    for words in (
        "10 of them synthetic, by tiny.gguf",
        "10 of 40 examples are synthetic",
        "ended early: no new words",
        "synthetic, by tiny.gguf",
    ):
        assert words in card, words
    assert "/home/me" not in card + json.dumps(found)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert manifest["examples"]["synthetic"] == 10
    assert [(part.get("synthetic", False), part["mix"]["train"] + part["mix"]["validation"]) for part in manifest["parts"]] == [
        (False, 30),
        (True, 10),
    ]
    assert manifest["parts"][1]["model"] == "tiny.gguf" and "/home/me" not in json.dumps(manifest)
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    models = [row["source"]["model"] for split in loaded.values() for row in split]
    assert sorted(models) == [""] * 30 + ["tiny.gguf"] * 10


def test_an_export_of_synthetic_examples_alone_has_no_plans(tmp_path: Path) -> None:
    stored = Stored(b=[Example(f"Something {n} happened.", "cause", "written", written_by("tiny.gguf"), "") for n in range(10)])
    assert export(tmp_path / "out", stored, (), synthetic=(synthetic_part("b", 10, "tiny.gguf"),)).examples == 10
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert (
        "all of them synthetic" in card
        and "plans/" not in card.split("## Making it again")[0]
        and not (tmp_path / "out" / "plans").exists()
    )
    assert yaml.safe_load(card.split("---")[1])["license"] == "unknown"
