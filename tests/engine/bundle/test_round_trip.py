"""A run that goes from one machine to another: nothing of it is lost, nothing is asked or read anew, and what is there stays."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.bundle.gather import gather
from engine.errors import BadInput, Busy, StoreUnusable
from engine.evaluate.items import read_test
from engine.records import Finetuned
from engine.report.content import read_report
from engine.store import runs, steps
from engine.store.copying import MACHINES_OWN, TABLES
from engine.store.database import open_reader, open_writer
from engine.store.items import Item, store_items
from engine.store.lease import this_process
from engine.store.origins import origin_of
from engine.store.reviews import Review, put_reviews
from tests.engine.bundle.machines import TITLES, WRITE_PLAN, Machine, with_test
from tests.engine.stages.house import WEATHER
from tests.engine.store.rows import NOBODY
from tests.models.gguf.tiny import tiny_model, written_adapter

LEFT = {"commands", "in_flight"}
"""Tables that belong to a machine."""


@pytest.fixture
def there(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "there")


@pytest.fixture
def here(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "here")


@pytest.fixture
def titles(there: Machine) -> str:
    """A run in which a model wrote titles, some of them half, and a person looked at two."""
    run = there.run(TITLES, dataset=str(there.data()), plan=WRITE_PLAN, models={"default": there.script()})
    connection = open_writer(there.locations.database)
    step = next(step.fingerprint for step in steps.steps_of_run(connection, run) if step.stage == "execute")
    put_reviews(connection, step, [Review("train:1", "rejected", "dull"), Review("train:2", "", "", "A better title")])
    connection.close()
    return run


def lost(there: Machine) -> None:
    """The other machine with its data, models and database is out of reach."""
    there.folder.rename(there.folder.with_name("lost"))


def of_run(machine: Machine, run: str) -> dict[str, list[tuple[Any, ...]]]:
    """All a machine has of a run, but for what is the machine's own."""
    reader = open_reader(machine.locations.database)
    found = {}
    for table in TABLES:
        columns = ", ".join(
            name for name in table.row.__struct_fields__ if (table.name, name) not in {("runs", "task"), ("runs", "settings")}
        )
        query = f"SELECT {columns} FROM {table.name} WHERE {table.whose}"
        found[table.name] = [tuple(row) for row in reader.execute(query, {"run": run})]
    steps_here = "(SELECT step FROM run_steps WHERE run = :run)"
    found["tallies"] = [
        tuple(row) for row in reader.execute(f"SELECT * FROM tallies WHERE step IN {steps_here} ORDER BY 1, 2, 3", {"run": run})
    ]
    reader.close()
    return found


def test_every_column_of_every_table_goes_along_or_is_known_to_stay(there: Machine) -> None:
    open_writer(there.locations.ensure().database).close()
    tables = {name for (name,) in there.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%sqlite_%'")}
    assert tables == {table.name for table in TABLES} | LEFT | {"tallies"}
    for table in TABLES:
        columns = {name for (name,) in there.rows("SELECT name FROM pragma_table_info(?)", table.name)}
        assert columns == {*table.row.__struct_fields__, *MACHINES_OWN.get(table.name, ())}, table.name


def test_a_run_arrives_whole_and_exports_the_same_bytes_without_its_data_and_its_model(
    there: Machine, here: Machine, titles: str, tmp_path: Path
) -> None:
    made = there.bundle(titles, tmp_path / "run.datatune")
    assert made.rows["items"] == 57 and made.rows["calls"] == 30 and made.rows["reviews"] == 2
    before, exported = of_run(there, titles), there.export(titles, tmp_path / "export-there")
    lost(there)
    taken = here.take(tmp_path / "run.datatune")
    assert taken.run == titles and taken.state == "done" and taken.examples == 27 and taken.units == 57 and taken.kept == 0
    assert of_run(here, titles) == before
    assert here.export(titles, tmp_path / "export-here") == exported
    failed = here.rows("SELECT result FROM items WHERE state = 'failed'")
    assert len(failed) == 3 and all("No" in result for (result,) in failed), "what a model answered stays to be read"
    with open_reader(here.locations.database) as reader:
        assert read_report(reader, here.read(titles), [], samples=3).task_name == "titles"
    assert any("default: scripted:" in missing for missing in taken.missing_models) and taken.missing_data == (str(there.folder / "notes"),)


def test_resumed_elsewhere_it_takes_everything_as_done_its_search_as_well(there: Machine, here: Machine, tmp_path: Path) -> None:
    there.catalogue(there.data())
    run = there.run(WEATHER, {"execute": {"examples": 12}}, models={"default": there.script()})
    there.bundle(run, tmp_path / "run.datatune")
    took = there.rows("SELECT step, stage, position FROM run_steps ORDER BY position")
    assert {"retrieve", "rerank", "execute"} <= {stage for _, stage, _ in took}
    lost(there)
    here.take(tmp_path / "run.datatune")
    here.resume(run)
    assert here.rows("SELECT step, stage, position FROM run_steps ORDER BY position") == took
    assert here.rows("SELECT count(*) FROM run_steps WHERE reused") == [(len(took),)]
    assert here.read(run).examples == 12 and len(list((here.locations.exports).iterdir())) == 1


def test_a_search_whose_catalog_has_changed_since_is_not_taken_as_done(there: Machine, tmp_path: Path) -> None:
    there.catalogue(there.data())
    run = there.run(WEATHER, {"execute": {"examples": 12}}, models={"default": there.script()})
    there.catalogue(there.data(5, "more"))
    with open_reader(there.locations.database) as reader:
        assert gather(reader, there.read(run), there.locations, False).seen.catalog == ""


def test_a_run_that_stopped_goes_on_where_its_data_and_model_are(there: Machine, here: Machine, tmp_path: Path) -> None:
    spec, data = there.script(), there.data()
    run = there.run(TITLES, dataset=str(data), plan=WRITE_PLAN, models={"default": spec})
    connection = open_writer(there.locations.database)
    (step,) = [step.fingerprint for step in steps.steps_of_run(connection, run) if step.stage == "execute"]
    # As a power cut leaves it: half of the units, an owner that is gone, a unit in flight.
    connection.execute("DELETE FROM items WHERE step = ? AND seq >= 12", (step,))
    connection.execute(
        "UPDATE steps SET state = 'running', owner_pid = ?, owner_started = 1, record = NULL WHERE fingerprint = ?", (NOBODY.pid, step)
    )
    connection.execute("UPDATE runs SET state = 'running', reason = '', owner_pid = ?, owner_started = 1", (NOBODY.pid,))
    connection.execute("INSERT INTO in_flight (step, keys) VALUES (?, '[\"train:3\"]')", (step,))
    connection.close()
    there.bundle(run, tmp_path / "run.datatune")
    asked = len((there.folder / "writer.log").read_text().splitlines())
    taken = here.take(tmp_path / "run.datatune")
    assert taken.state == "interrupted" and here.read(run).reason == "its engine is gone" and not taken.missing_data
    assert here.rows("SELECT state FROM steps WHERE fingerprint = ?", step) == [("interrupted",)]
    assert here.rows("SELECT count(*) FROM in_flight") == [(0,)]
    here.resume(run)
    assert here.read(run).examples == 27
    assert len((there.folder / "writer.log").read_text().splitlines()) == asked, "every answer came along"


def test_the_same_run_twice_changes_nothing(there: Machine, here: Machine, titles: str, tmp_path: Path) -> None:
    there.bundle(titles, tmp_path / "run.datatune")
    here.take(tmp_path / "run.datatune")
    rows, files = here.everything(), here.files()
    again = here.take(tmp_path / "run.datatune")
    assert again.already and again.run == titles and here.everything() == rows and here.files() == files
    home = there.everything()
    assert there.take(tmp_path / "run.datatune").already and there.everything() == home, "where it comes from it is here as well"


def test_an_id_that_is_taken_is_left_to_the_run_that_has_it(there: Machine, here: Machine, titles: str, tmp_path: Path) -> None:
    there.bundle(titles, tmp_path / "run.datatune")
    connection = open_writer(here.locations.ensure().database)
    other = runs.create_run(connection, WEATHER, runs.RunSettings())
    connection.execute("UPDATE runs SET id = ? WHERE id = ?", (titles, other))
    connection.close()
    taken = here.take(tmp_path / "run.datatune")
    assert taken.was == titles and taken.run != titles
    assert here.read(titles).task == WEATHER and here.read(taken.run).task.name == "titles"
    assert here.rows("SELECT DISTINCT run FROM events") == [(taken.run,)] == here.rows("SELECT DISTINCT run FROM run_steps")
    assert here.take(tmp_path / "run.datatune").run == taken.run, "the same run is known by its new name"


def test_steps_that_are_here_and_done_stay_as_they_are(there: Machine, here: Machine, titles: str, tmp_path: Path) -> None:
    there.bundle(titles, tmp_path / "run.datatune")
    settings = there.read(titles).settings
    mine = here.run(TITLES, dataset=settings.dataset, plan=WRITE_PLAN, models=settings.models)
    connection = open_writer(here.locations.database)
    (step,) = [step.fingerprint for step in steps.steps_of_run(connection, mine) if step.stage == "execute"]
    put_reviews(connection, step, [Review("train:1", "accepted", "mine")])
    connection.execute("UPDATE steps SET seconds = 77 WHERE fingerprint = ?", (step,))
    connection.close()
    taken = here.take(tmp_path / "run.datatune")
    assert taken.steps == taken.kept == 5 and taken.units == 0
    assert here.rows("SELECT seconds FROM steps WHERE fingerprint = ?", step) == [(77.0,)]
    assert here.rows("SELECT key, verdict, output FROM reviews ORDER BY key") == [
        ("train:1", "accepted", None),
        ("train:2", "", "A better title"),
    ]
    assert of_run(here, taken.run)["items"] == of_run(here, mine)["items"] == of_run(there, titles)["items"]


def test_a_step_that_is_only_begun_here_gives_way_to_one_that_is_done_and_not_under_an_engine(
    there: Machine, here: Machine, titles: str, tmp_path: Path
) -> None:
    there.bundle(titles, tmp_path / "run.datatune")
    (step,) = there.rows("SELECT step FROM run_steps WHERE stage = 'execute'")[0]
    connection = open_writer(here.locations.ensure().database)
    assert steps.claim_step(connection, step, "execute", "", 3, "{}", 0, this_process()) is None
    store_items(connection, step, [Item("train:0", 0, "failed", "odd")])
    before = here.everything()
    with pytest.raises(Busy, match=f"process {this_process().pid}"):
        here.take(tmp_path / "run.datatune")
    assert here.everything() == before
    connection.execute("UPDATE steps SET owner_pid = ?, owner_started = 1", (NOBODY.pid,))
    connection.close()
    assert here.take(tmp_path / "run.datatune").kept == 0
    assert of_run(here, titles) == of_run(there, titles)
    assert here.rows("SELECT owner_pid FROM steps WHERE fingerprint = ?", step) == [(None,)]


def test_the_test_goes_along_and_where_it_lies_changes_no_step(there: Machine, here: Machine, tmp_path: Path) -> None:
    test = there.folder / "my test.jsonl"
    there.folder.mkdir(parents=True)
    test.write_text('{"input": "It froze all night.", "output": "snow"}\n')
    task = with_test(WEATHER, test)
    run = there.run(task, {"execute": {"examples": 12}}, dataset=str(there.data()), models={"default": there.script()})
    there.bundle(run, tmp_path / "run.datatune")
    exported = there.export(run, tmp_path / "export-there")
    content = test.read_bytes()
    lost(there)
    taken = here.take(tmp_path / "run.datatune")
    path = Path(here.read(run).task.test)
    assert str(path) == taken.test and path.read_bytes() == content and path.name == test.name and here.locations.tests in path.parents
    assert here.export(run, tmp_path / "export-here") == exported
    here.resume(run)
    assert here.rows("SELECT count(*) FROM run_steps WHERE NOT reused") == [(0,)]


@pytest.mark.parametrize("items", [0, 1])
@pytest.mark.parametrize("given", ["folder", "head"])
def test_a_task_of_bigbench_goes_along_with_its_subtasks(there: Machine, here: Machine, tmp_path: Path, given: str, items: int) -> None:
    folder = tmp_path / "bench"
    for part, text in (("one", "It froze all night."), ("two", "It poured.")):
        (folder / part).mkdir(parents=True)
        example = {"input": text, "target_scores": {"snow": int(part == "one"), "rain": int(part == "two")}}
        (folder / part / "task.json").write_text(json.dumps({"name": part, "examples": [example]}))
    own = [{"input": "It hailed.", "target_scores": {"snow": 1, "rain": 0}}] * items
    (folder / "task.json").write_text(json.dumps({"name": "weather", "description": "d", "examples": own}))
    run = there.run(with_test(WEATHER, folder if given == "folder" else folder / "task.json"), dataset=str(there.data()))
    assert not there.bundle(run, tmp_path / "b").left_out
    shutil.rmtree(folder)
    lost(there)
    taken = here.take(tmp_path / "b")
    arrived = here.read(taken.run).task.test
    assert len(read_test(Path(arrived), WEATHER).items) == 2 - items, "its own items, or those of its subtasks"
    before = here.rows("SELECT count(*) FROM steps")
    here.resume(taken.run)
    assert here.rows("SELECT count(*) FROM steps") == before, "where it lies changes no step"


def test_a_test_that_is_gone_is_told_on_both_sides(there: Machine, here: Machine, tmp_path: Path) -> None:
    test = there.folder / "test.jsonl"
    there.folder.mkdir(parents=True)
    test.write_text('{"input": "It froze all night.", "output": "snow"}\n')
    run = there.run(with_test(WEATHER, test), {"execute": {"examples": 12}}, dataset=str(there.data()), models={"default": there.script()})
    test.unlink()
    assert any("test, which is gone" in what for what in there.bundle(run, tmp_path / "run.datatune").left_out)
    assert here.take(tmp_path / "run.datatune").test_missing == str(test)


@pytest.fixture
def trained(there: Machine) -> str:
    """A run that trained, dry."""
    options: dict[str, dict[str, object]] = {"execute": {"examples": 24}, "finetune": {"train": True, "epochs": 1}}
    return there.run(WEATHER, options, dataset=str(there.data(60)), models={"default": there.script(), "base": "dry-run"})


def test_adapters_go_along_to_where_adapters_are(there: Machine, here: Machine, trained: str, tmp_path: Path) -> None:
    there.bundle(trained, tmp_path / "run.datatune")
    (step,) = there.rows("SELECT step FROM run_steps WHERE stage = 'finetune'")[0]
    before = {name: content for name, content in there.files().items() if name.startswith("adapters/")}
    assert len(before) == 3
    lost(there)
    taken = here.take(tmp_path / "run.datatune")
    assert {name: content for name, content in here.files().items() if name.startswith("adapters/")} == before
    assert taken.adapters == (str(here.locations.adapters / step[:24] / "adapter"),)
    here.resume(trained)
    assert here.rows("SELECT count(*) FROM run_steps WHERE NOT reused") == [(0,)], "it is not trained anew"


def test_checkpoints_of_a_training_that_has_not_ended_stay(there: Machine, trained: str, tmp_path: Path) -> None:
    connection = open_writer(there.locations.database)
    connection.execute("UPDATE steps SET state = 'interrupted', record = '' WHERE stage = 'finetune'")
    connection.close()
    made = there.bundle(trained, tmp_path / "run.datatune")
    assert made.files == 0 and any("checkpoints" in what for what in made.left_out)


def test_a_folder_in_the_way_of_an_adapter_is_never_written_over(there: Machine, here: Machine, trained: str, tmp_path: Path) -> None:
    there.bundle(trained, tmp_path / "run.datatune")
    (step,) = there.rows("SELECT step FROM run_steps WHERE stage = 'finetune'")[0]
    connection = open_writer(here.locations.ensure().database)
    steps.claim_step(connection, step, "finetune", "", 1, "{}", 0, this_process())
    steps.finish_step(connection, step, "interrupted", "cancelled", "", 1.0)
    connection.close()
    mine = here.locations.adapters / step[:24] / "adapter" / "adapter_config.json"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    rows, files = here.everything(), here.files()
    with pytest.raises(BadInput, match="is there already, and is another file"):
        here.take(tmp_path / "run.datatune")
    assert here.everything() == rows and here.files() == files
    mine.unlink()
    here.take(tmp_path / "run.datatune")
    assert mine.read_bytes() == (there.locations.adapters / step[:24] / "adapter" / "adapter_config.json").read_bytes()


def test_weights_go_along_when_asked_and_are_found_by_their_content(there: Machine, here: Machine, tmp_path: Path) -> None:
    there.folder.mkdir(parents=True)
    model = tiny_model(there.folder / "tiny.gguf")
    spec = f"{model}#sequences=1"
    run = there.run(WEATHER, {"execute": {"examples": 12}}, dataset=str(there.data()), models={"default": spec})
    with_weights = there.bundle(run, tmp_path / "heavy.datatune", weights=True)
    without = there.bundle(run, tmp_path / "light.datatune")
    assert with_weights.weights == ("tiny.gguf",) and without.weights == ()
    content = model.read_bytes()
    lost(there)

    taken = here.take(tmp_path / "heavy.datatune")
    placed = here.locations.weights / "tiny.gguf"
    assert taken.weights == (str(placed),) and placed.read_bytes() == content and not taken.missing_models
    assert here.read(run).settings.models["default"] == f"{placed}#sequences=1"
    here.resume(run)
    assert here.rows("SELECT count(*) FROM run_steps WHERE NOT reused") == [(0,)]

    bare = Machine(tmp_path / "bare")
    assert bare.take(tmp_path / "light.datatune").missing_models == (f"default: {spec}",)
    knows = Machine(tmp_path / "knows")
    knows.locations.ensure()
    (knows.locations.weights / "other name.gguf").write_bytes(content)
    (knows.locations.weights / "same size.gguf").write_bytes(bytes(len(content)))
    found = knows.take(tmp_path / "light.datatune")
    assert not found.missing_models and found.models["default"] == f"{knows.locations.weights / 'other name.gguf'}#sequences=1"


@pytest.mark.parametrize("as_long", [False, True])
def test_weights_of_a_name_that_is_taken_go_beside_it(there: Machine, here: Machine, tmp_path: Path, as_long: bool) -> None:
    there.folder.mkdir(parents=True)
    model = tiny_model(there.folder / "tiny.gguf")
    run = there.run(WEATHER, {"execute": {"examples": 12}}, dataset=str(there.data()), models={"default": str(model)})
    there.bundle(run, tmp_path / "run.datatune", weights=True)
    here.locations.ensure()
    mine = here.locations.weights / "tiny.gguf"
    content = b"mine" + model.read_bytes()[4:] if as_long else b"mine"
    mine.write_bytes(content)
    (path,) = here.take(tmp_path / "run.datatune").weights
    assert mine.read_bytes() == content and Path(path).read_bytes() == model.read_bytes() and Path(path).name == "tiny.gguf"
    assert Path(path).parent.parent == here.locations.weights


def test_two_weights_of_one_name_both_arrive(there: Machine, here: Machine, tmp_path: Path) -> None:
    specs = []
    for number in (1, 2):
        (there.folder / f"{number}").mkdir(parents=True)
        specs.append(str(tiny_model(there.folder / f"{number}" / "tiny.gguf", seed=number)))
    models = {"default": specs[0], "judge": specs[1]}
    run = there.run(WEATHER, {"execute": {"examples": 12}}, dataset=str(there.data()), models=models)
    assert there.bundle(run, tmp_path / "run.datatune", weights=True).weights == ("tiny.gguf", "tiny.gguf")
    taken = here.take(tmp_path / "run.datatune")
    assert [Path(taken.models[role]).read_bytes() for role in models] == [Path(spec).read_bytes() for spec in specs]


def test_a_run_that_could_not_be_taken_in_is_not_bundled(there: Machine, titles: str, tmp_path: Path) -> None:
    """Such as one of an older version, whose records were others."""
    connection = open_writer(there.locations.database)
    connection.execute("UPDATE steps SET record = '{\"was\": 1}' WHERE stage = 'execute'")
    connection.close()
    with pytest.raises(BadInput, match=f"run {titles} cannot be bundled: what execute made cannot be read"):
        there.bundle(titles, tmp_path / "run.datatune")
    connection = open_writer(there.locations.database)
    connection.execute("UPDATE items SET state = 'perfect' WHERE seq = 0")
    connection.close()
    with pytest.raises(BadInput, match=r"items of run .* holds what it should not"):
        there.bundle(titles, tmp_path / "run.datatune")
    assert not list(tmp_path.glob("*run.datatune*"))


def test_an_adapter_that_a_spec_names_is_weights_too(there: Machine, here: Machine, tmp_path: Path) -> None:
    from engine.prompts.evaluate import chat_messages
    from models.gguf.export import adapter_gguf
    from models.language import Request, Sampling

    there.folder.mkdir(parents=True)
    model = tiny_model(there.folder / "tiny.gguf")
    question = Request("trial", chat_messages(WEATHER, (), "It froze.", bare=True), sampling=Sampling(max_tokens=4))
    adapter = there.folder / "mine.gguf"
    adapter_gguf(written_adapter(there.folder / "lora"), model, adapter, question)
    spec = f"{model}#sequences=1,adapter={adapter}"
    run = there.run(WEATHER, {"execute": {"examples": 12}}, dataset=str(there.data()), models={"default": spec})
    assert there.bundle(run, tmp_path / "run.datatune", weights=True).weights == ("tiny.gguf", "mine.gguf")
    lost(there)
    taken = here.take(tmp_path / "run.datatune")
    folder = here.locations.weights
    assert taken.models["default"] == f"{folder / 'tiny.gguf'}#sequences=1,adapter={folder / 'mine.gguf'}"
    here.resume(run)
    assert here.rows("SELECT count(*) FROM run_steps WHERE NOT reused") == [(0,)], "the two count as the model they were"


def test_a_server_is_told_and_not_asked(there: Machine, here: Machine, titles: str, tmp_path: Path) -> None:
    connection = open_writer(there.locations.database)
    found = there.read(titles)
    models = found.settings.models | {"default": "openai:http://192.0.2.1:9/v1#big"}
    runs.change_settings(connection, titles, msgspec.structs.replace(found.settings, models=models, export_to="/their/folder"))
    connection.close()
    there.bundle(titles, tmp_path / "run.datatune")
    taken = here.take(tmp_path / "run.datatune")
    assert taken.servers == ("default: openai:http://192.0.2.1:9/v1#big",) and here.read(titles).settings.export_to == ""
    with open_reader(here.locations.database) as reader:
        origin = origin_of(reader, titles)
    assert origin is not None
    seen = origin.models["openai:http://192.0.2.1:9/v1#big"]
    assert seen.name == "big" and seen.batched and seen.digest == here.rows("SELECT model FROM calls LIMIT 1")[0][0]


def test_the_same_run_gives_the_same_bytes_and_a_bundle_of_a_bundle_still_knows_where_it_comes_from(
    there: Machine, here: Machine, titles: str, tmp_path: Path
) -> None:
    there.bundle(titles, tmp_path / "one.datatune")
    there.bundle(titles, tmp_path / "two.datatune")
    assert (tmp_path / "one.datatune").read_bytes() == (tmp_path / "two.datatune").read_bytes()
    lost(there)
    here.take(tmp_path / "one.datatune")
    here.bundle(titles, tmp_path / "three.datatune")
    further = Machine(tmp_path / "further")
    further.take(tmp_path / "three.datatune")
    assert of_run(further, titles)["items"] == of_run(here, titles)["items"]
    further.resume(titles)
    # What was reviewed after the mix makes another mix, anywhere.
    assert further.rows("SELECT stage FROM run_steps WHERE NOT reused") == [("mix",)]


def test_a_run_at_work_is_not_bundled_and_a_full_disk_is_said_beforehand(
    there: Machine, here: Machine, titles: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.bundle(titles, tmp_path / "run.datatune")
    connection = open_writer(there.locations.database)
    runs.claim_run(connection, titles, this_process())
    connection.close()
    with pytest.raises(Busy, match="is at work"):
        there.bundle(titles, tmp_path / "again.datatune")
    assert not (tmp_path / "again.datatune").exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(StoreUnusable, match="free; nothing was stored"):
        here.take(tmp_path / "run.datatune")
    assert not here.locations.database.exists()


def test_what_a_run_trained_last_is_found(there: Machine, trained: str) -> None:
    (record,) = there.rows("SELECT record FROM steps WHERE stage = 'finetune'")[0]
    assert msgspec.json.decode(record, type=Finetuned).adapter.endswith("/adapter")
    assert json.loads(record)["base"]["name"] == "dry-run"
