"""The folder model of an export: what is in it, what is left out with its reason, and what another export does not make anew."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import yaml

from engine.errors import Cancelled
from engine.export import model_files
from engine.export.model_files import Quantisation
from engine.export_run import export_run
from engine.pipeline import Ending
from engine.records import Exported, Task
from engine.roles import Roles
from engine.session import Session
from engine.store import runs, steps
from models import weights
from models.dry_run import DryRunTrainer
from models.gguf.export import QUANTISATIONS
from models.language import Message, Request, Sampling
from models.registry import open_language_model
from models.training import TrainingResult
from tests.engine.stages.house import WEATHER, House, notes
from tests.models.finetune.tiny import tiny_folder
from tests.models.gguf.tiny import tiny_model, written_adapter

CARD = "# Weather notes\n\nSay in one word what kind of weather a note speaks of: sun, rain or snow."
FILES = ["Modelfile", "README.md", "adapter.gguf", "adapter/adapter_config.json", "adapter/adapter_model.safetensors"]


class Random(DryRunTrainer):
    """Trains nothing, and leaves a random adapter of the tiny llama."""

    def train(self, *given: Any, **more: Any) -> TrainingResult:
        result = super().train(*given, **more)
        written_adapter(Path(result.adapter), {"base_model_name_or_path": "/home/someone/tiny"})
        return result


class Workshop:
    """A house whose runs finetune `base`."""

    def __init__(self, folder: Path, base: Path | str, trainer: Any = None) -> None:
        self.house = House(folder, lambda role, prompt, request: "{}")
        self.house.add("best", notes(60), CARD)
        self.base = base
        roles = self.house.roles
        roles._specs = {"base": str(base)}
        roles.base = lambda: Roles.base(roles)  # type: ignore[method-assign]
        roles.trains = trainer or Random()

    def run(self, to: Path | None = None, task: Task = WEATHER, merged: Sequence[str] = ("Q8_0",), **options: Any) -> Ending:
        """A run from data to export."""
        asked = {"execute": {"examples": 30}, "finetune": {"train": True}, "export": {"merged": list(merged)}, **options}
        return self.house.pipeline(task, options=asked, models={"base": str(self.base)}, export_to=str(to) if to else "")

    def again(self, to: Path) -> Exported:
        """The latest run exported once more."""
        run = runs.read_run(self.house.connection, self.house.session.run)
        assert run is not None
        return export_run(self.house.connection, run, self.house.locations, to)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("base") / "tiny.gguf", kind="Q8_0")


@pytest.fixture
def workshop(tmp_path: Path, tiny: Path) -> Workshop:
    return Workshop(tmp_path, tiny)


def exported(ending: Ending) -> Exported:
    assert ending.exported is not None
    return ending.exported


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_finetuned_model_is_exported_as_files_that_answer(workshop: Workshop, tmp_path: Path, tiny: Path) -> None:
    made = exported(workshop.run(tmp_path / "out", merged=("Q8_0", "F16")))
    out = tmp_path / "out" / "model"
    files = contents(out)
    assert sorted(files) == sorted([*FILES, "weather-notes-F16.gguf", "weather-notes-Q8_0.gguf"])
    assert {file.path: file.digest for file in made.model} == {
        f"model/{name}": hashlib.sha256(data).hexdigest() for name, data in files.items() if name not in ("README.md", FILES[3])
    }
    assert not made.left_out
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in contents(tmp_path / "out").items()}
    assert manifest["files"] == {name: digest for name, digest in digests.items() if name != "manifest.json"}
    assert manifest["finetuned"]["base"] == {"name": "tiny.gguf", "digest": weights.digest(tiny)}
    assert manifest["finetuned"]["settings"]["learning_rate"] == 5e-5
    held = [json.loads(line) for line in (tmp_path / "out" / "completion" / "validation.jsonl").read_text().splitlines()]
    chat = (Message("system", WEATHER.description), Message("user", held[0]["prompt"]))
    question = Request("q", chat, sampling=Sampling(max_tokens=16))
    answers = {file.path.removeprefix("model/"): file.answer for file in made.model}
    for name, spec in (
        ("weather-notes-Q8_0.gguf", f"{out / 'weather-notes-Q8_0.gguf'}#sequences=1"),
        ("adapter.gguf", f"{tiny}#sequences=1,adapter={out / 'adapter.gguf'}"),
    ):
        model = open_language_model(spec)
        (answered,) = model.complete_many([question])
        model.close()
        assert answered.text == answers[name]
    assert answers["adapter/adapter_model.safetensors"] == answers["adapter.gguf"]
    card = files["README.md"].decode()
    assert held[0]["prompt"] in card and "a validation example" in card and manifest["files"]["model/weather-notes-Q8_0.gguf"] in card
    modelfile = files["Modelfile"].decode()
    assert modelfile.startswith("FROM ./weather-notes-Q8_0.gguf\n") and modelfile.endswith(f'SYSTEM """{WEATHER.description}"""\n')
    assert "PARAMETER temperature 0\n" in modelfile
    assert "`model/`: a model finetuned on them" in (tmp_path / "out" / "README.md").read_text()
    binary = ("gguf", "safetensors", "parquet")
    texts = b"".join(data for name, data in contents(tmp_path / "out").items() if not name.endswith(binary))
    assert not any(place in texts for place in (str(tmp_path).encode(), str(tiny.parent).encode(), b"someone"))
    assert json.loads(files["adapter/adapter_config.json"])["base_model_name_or_path"] == "tiny"


def test_what_was_made_is_told(workshop: Workshop) -> None:
    made = exported(workshop.run())
    (told,) = workshop.house.story("exported")
    names = "adapter, adapter.gguf, weather-notes-Q8_0.gguf, Modelfile"
    assert told.text == f"30 examples in {made.folder}; the finetuned model in model: {names}"
    assert msgspec.convert(told.data, Exported) == made
    files = [event.text.partition(":")[0] for event in workshop.house.story("model-file")]
    assert files == ["model/adapter.gguf", "model/weather-notes-Q8_0.gguf"]


def test_another_export_makes_no_file_anew_and_gives_the_same_bytes(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.run(tmp_path / "one")
    with monkeypatch.context() as patch:
        patch.setattr(model_files, "merged_gguf", None)
        patch.setattr(model_files, "adapter_gguf", None)
        again = workshop.again(tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert "taken as it was made" in workshop.house.story("model-file")[-1].text
    assert again.model and "mixed anew" not in (tmp_path / "two" / "model" / "README.md").read_text()
    name = "model/weather-notes-Q8_0.gguf"
    assert (tmp_path / "one" / name).samefile(tmp_path / "two" / name)


def test_a_kept_file_that_was_changed_is_made_again_and_an_export_over_changed_files_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    from engine.errors import BadInput

    workshop.run(tmp_path / "one")
    name = "model/weather-notes-Q8_0.gguf"
    whole = (tmp_path / "one" / name).read_bytes()
    with (tmp_path / "one" / name).open("r+b") as file:
        file.seek(len(whole) - 100)
        file.write(b"changed")
    workshop.again(tmp_path / "two")
    assert (tmp_path / "two" / name).read_bytes() == whole
    assert (tmp_path / "one" / name).read_bytes() != whole
    with pytest.raises(BadInput, match="changed since"):
        workshop.again(tmp_path / "one")


def test_reviews_after_the_training_are_said_and_another_example_is_asked(workshop: Workshop, tmp_path: Path) -> None:
    from engine.store.reviews import Review, put_reviews

    ending = workshop.run(tmp_path / "one")
    held = json.loads((tmp_path / "one" / "completion" / "validation.jsonl").read_text().splitlines()[0])["prompt"]
    step = ending.parts[0].step
    for item in workshop.house.connection.execute("SELECT key, result FROM items WHERE step = ?", (step,)).fetchall():
        if msgspec.json.decode(item["result"] or "{}").get("input") == held:
            put_reviews(workshop.house.connection, step, [Review(item["key"], "rejected")])
    made = workshop.again(tmp_path / "two")
    card = (tmp_path / "two" / "model" / "README.md").read_text()
    assert made.examples == 29 and held not in card and "mixed anew since the model was trained" in card
    told = [event.text for event in workshop.house.story("model-file")]
    again = told[len(told) // 2 :]
    assert again and not [text for text in again if "loaded and asked before" in text], "what they answered was to another question"


def test_what_was_evaluated_stands_in_the_card(workshop: Workshop, tmp_path: Path) -> None:
    from engine.evaluate.asking import Setting
    from engine.evaluate.choosing import Choice
    from engine.evaluate.evaluated import Evaluated
    from engine.evaluate.evaluation import Evaluation, Judged, Result
    from engine.evaluate.intervals import Estimate
    from engine.evaluate.scores import Figure

    workshop.run()
    figure = Figure("accuracy, sum", "of the option taken", Estimate(0.625, 0.25, 0.875, 8, 8), primary=True)
    asked = Setting(0, "export")
    judged = Judged("tiny.gguf + adapter.gguf", "ab", "llama.cpp", Choice(asked, "as trained"), (Result(asked, 1, (figure,), 0),))
    record = Evaluated(Evaluation("weather", "/home/someone/test.jsonl", 8, 8, "accuracy, sum", 2, (judged,), None, ("a note",)), True)
    connection, session = workshop.house.connection, workshop.house.session
    steps.claim_step(connection, "evaluation", "evaluate", "", 1, "{}", 0, session.owner)
    steps.link_step(connection, session.run, "evaluation", "evaluate", "", False)
    steps.finish_step(connection, "evaluation", "done", "", msgspec.json.encode(record).decode(), 1.0)
    workshop.again(tmp_path / "out")
    card = (tmp_path / "out" / "model" / "README.md").read_text()
    assert "| ★ accuracy, sum | 0.625 (0.250 to 0.875), n 8 |" in card and "this model, 0-shot, as trained" in card
    assert "Asked on test.jsonl, 8 items." in card and "A note." in card and "someone" not in card


def test_a_long_example_is_asked_only_where_there_is_no_shorter_one(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.stages import export

    monkeypatch.setattr(export, "TRIED_CHARS", 60)
    workshop.run(tmp_path / "some")
    held = [json.loads(line)["prompt"] for line in (tmp_path / "some" / "completion" / "validation.jsonl").read_text().splitlines()]
    first = next((text for text in held if len(text) <= 60), min(held, key=len))
    assert f"```text\n{first}\n```" in (tmp_path / "some" / "model" / "README.md").read_text()
    monkeypatch.setattr(export, "TRIED_CHARS", 1)
    workshop.again(tmp_path / "all")
    assert f"```text\n{min(held, key=len)}\n```" in (tmp_path / "all" / "model" / "README.md").read_text()


def test_without_a_validation_split_a_trained_one_is_asked_and_said_to_be(workshop: Workshop, tmp_path: Path) -> None:
    workshop.run(tmp_path / "out", mix={"validation_share": 0.0})
    card = (tmp_path / "out" / "model" / "README.md").read_text()
    assert "asked an example it was trained on, since there is no other" in card and "There was no validation" in card


def test_none_merged_leaves_the_adapter_in_both_forms(workshop: Workshop, tmp_path: Path) -> None:
    made = exported(workshop.run(tmp_path / "out", merged=()))
    assert sorted(contents(tmp_path / "out" / "model")) == [name for name in FILES if name != "Modelfile"]
    assert [file.answer is None for file in made.model] == [False, False] and not made.left_out
    card = (tmp_path / "out" / "model" / "README.md").read_text()
    assert "ollama" not in card and "--lora adapter.gguf" in card


def test_a_run_that_trains_nothing_has_no_model(workshop: Workshop, tmp_path: Path) -> None:
    workshop.house.pipeline(options={"execute": {"examples": 30}}, export_to=str(tmp_path / "plain"))
    dry = Workshop(tmp_path / "dry", "dry-run", DryRunTrainer())
    made = exported(dry.run(tmp_path / "out"))
    assert not made.model and not made.left_out and not (tmp_path / "out" / "model").exists()
    plain, other = contents(tmp_path / "plain"), contents(tmp_path / "out")
    assert {name for name in plain if plain[name] != other[name]} == {"manifest.json"}  # options are in it
    assert "finetuned" not in json.loads(other["manifest.json"])
    assert plain.keys() == other.keys()


def test_a_base_that_is_gone_costs_neither_the_training_set_nor_the_adapter(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    base = tiny_model(tmp_path / "base" / "tiny.gguf")
    workshop = Workshop(tmp_path, base)
    workshop.run()
    tiny_model(base, seed=5)
    made = workshop.again(tmp_path / "other")
    assert made.left_out == ("*.gguf: the base model was not at hand, so the adapter was not asked either",)
    base.unlink()
    made = workshop.again(tmp_path / "gone")
    assert [file.path for file in made.model] == ["model/adapter/adapter_model.safetensors"] and made.model[0].answer is None
    assert made.examples == 30 and made.left_out
    told = [event.text for event in workshop.house.story("model-left-out")]
    assert "is not the model that was trained" in told[0] and "No weights at" in told[1]
    for place in ("other", "gone"):
        card = (tmp_path / place / "model" / "README.md").read_text()
        assert "None could be asked here" in card and str(tmp_path) not in card


def test_an_adapter_that_is_gone_leaves_the_training_set(workshop: Workshop, tmp_path: Path) -> None:
    import shutil

    workshop.run()
    shutil.rmtree(workshop.house.locations.adapters)
    made = workshop.again(tmp_path / "out")
    assert made.examples == 30 and not made.model and not (tmp_path / "out" / "model").exists()
    assert made.left_out == ("model: the adapter is not on this machine any more, or damaged",)
    assert "model/" not in (tmp_path / "out" / "README.md").read_text()
    assert "the adapter is gone" in workshop.house.story("model-left-out")[0].text


def test_a_file_that_cannot_be_made_is_named_with_its_reason(workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from models.errors import WeightsInvalid

    def failing(adapter: Path, base: Path, out: Path, *more: Any) -> None:
        raise WeightsInvalid(f"{out} was made, but does not answer: {base} is odd", "Nothing was kept.")

    monkeypatch.setattr(model_files, "merged_gguf", failing)
    made = exported(workshop.run(tmp_path / "out"))
    assert made.left_out == ("weather-notes-Q8_0.gguf: merged-Q8_0.gguf was made, but does not answer: tiny.gguf is odd",)
    assert "model/Modelfile" not in {file.path for file in made.model}
    assert "does not answer" in (tmp_path / "out" / "model" / "README.md").read_text()
    (event,) = workshop.house.story("model-left-out")
    assert event.data["hint"] == "Nothing was kept."


def test_a_cancel_while_merging_leaves_nothing_and_going_on_takes_what_was_made(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Session.check

    def check(session: Session) -> None:
        # The adapter is made; the merged file is being written.
        if list(workshop.house.locations.adapters.rglob("*.f16.part")):
            runs.send_command(session.connection, session.run, "cancel")
        before(session)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "check", check)
        with pytest.raises(Cancelled):
            workshop.run(tmp_path / "out")
    assert not list(tmp_path.glob("*out*"))
    kept = {path.name for path in workshop.house.locations.adapters.rglob("gguf/*")}
    assert kept == {"adapter.gguf", "adapter.gguf.json", "files.lock"}
    with monkeypatch.context() as patch:
        patch.setattr(model_files, "adapter_gguf", None)
        assert len(workshop.again(tmp_path / "out").model) == 4


def test_an_adapter_of_a_safetensors_folder_is_asked_with_peft_and_nothing_is_made_for_llama_cpp(tmp_path: Path) -> None:
    base = tiny_folder(tmp_path / "tiny")
    workshop = Workshop(tmp_path, base)
    workshop.house.roles.trains = Roles.trainer(workshop.house.roles)
    training = {"train": True, "steps": 2, "max_length": 256, "precision": "fp32", "device": "cpu"}
    made = exported(workshop.run(tmp_path / "out", finetune=training))
    assert [file.path for file in made.model] == ["model/adapter/adapter_model.safetensors"]
    assert made.model[0].answer is not None
    (why,) = made.left_out
    assert why.startswith("*.gguf: tiny was given as a safetensors folder")
    assert sorted(contents(tmp_path / "out" / "model")) == ["README.md", "adapter/adapter_config.json", "adapter/adapter_model.safetensors"]
    card = (tmp_path / "out" / "model" / "README.md").read_text()
    assert "llama-cli" not in card and "PeftModel" in card and "safetensors folder" in card
    assert yaml.safe_load(card.split("---\n")[1])["tags"] == ["datatune", "lora"]


def test_names_that_no_file_could_have_are_mended() -> None:
    assert model_files.stem_of(Task("Wetter: “heiß”/../x", "d")) == "wetter-hei-x"
    assert model_files.stem_of(Task("気象", "d")) == "model"


def test_every_quantisation_that_can_be_made_can_be_asked_for() -> None:
    assert set(get_args(Quantisation)) == {*QUANTISATIONS, "F16", "F32"}


def test_only_one_export_at_a_time_makes_files(workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from filelock import FileLock

    workshop.run()
    monkeypatch.setattr(model_files, "_LOCK_SECONDS", 0.01)
    (place,) = workshop.house.locations.adapters.rglob("files.lock")
    before = Session.check
    waited: list[str] = []

    def check(session: Session) -> None:
        waited.append("looked")
        session.terminated = session.watch is not None and len(waited) > 5
        before(session)

    monkeypatch.setattr(Session, "check", check)
    run = runs.read_run(workshop.house.connection, workshop.house.session.run)
    assert run is not None
    with FileLock(place), pytest.raises(Cancelled):
        export_run(workshop.house.connection, run, workshop.house.locations, tmp_path / "out", lambda *told: None)
    assert not (tmp_path / "out").exists()
