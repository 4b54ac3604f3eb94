"""Several labels in one output, and values and acts deep in lists of entries."""

from __future__ import annotations

from typing import Any

from engine.plan.trial import propose, run_on
from engine.records import Example, Output, Task, TaskExample
from tests.engine.plan.tables import Table

MOODS = ["joy", "anger", "fear"]
HARBOURS = ["Oslo", "Bergen", "Tromso", "Bodo", "Molde", "Narvik", "Vardo", "Hamar", "Stavern", "Risor", "Lillesand", "Arendal"]


def task(description: str, *examples: tuple[str, str], labels: tuple[str, ...] = (), language: str = "en") -> Task:
    output = Output("label", labels) if labels else Output("text")
    return Task("made-up", description, language, output, tuple(TaskExample(*example) for example in examples))


def best(rows: list[dict[str, Any]], for_task: Task) -> list[Example]:
    table = Table(rows)
    proposal = propose(for_task, table.columns, table.rows)
    assert proposal.plans, proposal.refusal
    made, _, _ = run_on(proposal.plans[0][0], table.columns, table.rows, for_task)
    return sorted(made, key=lambda example: example.source.row)


SAID = {"en": "This was spoken aloud by the sea in line", "de": "Das wurde laut am Meer gesprochen, und zwar in Zeile"}


def moods(language: str = "en", count: int = 40) -> list[dict[str, Any]]:
    held = [["joy"], ["fear", "anger"], [], ["anger", "joy"]]
    return [{"line": f"{SAID[language]} {n}", "moods": held[n % 4]} for n in range(count)]


SPOKEN = ("Los!", "Wut, Angst"), ("Schön.", "Freude")


def test_a_list_of_labels_is_mapped_item_by_item_in_the_order_described() -> None:
    wanted = task("Welche Gefühle? In dieser Reihenfolge: Wut, Angst, Freude.", *SPOKEN, language="de")
    made = best(moods("de"), wanted)
    assert [example.output for example in made[:3]] == ["Freude", "Wut, Angst", "Wut, Freude"]
    assert len(made) == 30


def test_without_an_order_labels_stand_as_in_the_row_and_empty_lists_say_so() -> None:
    wanted = task('Which moods: Anger, Fear, Joy? Answer "calm" when there is none.', ("Go!", "Anger; Fear"), ("Oh.", "Joy"))
    made = best(moods(), wanted)
    assert [example.output for example in made[:4]] == ["Joy", "Fear; Anger", "calm", "Anger; Joy"]


def test_columns_of_yes_and_no_become_one_list() -> None:
    rows = [
        {"comment": f"Comment {n} by the sea.", "insult": n % 2, "threat": int(n % 3 == 0), "obscene": int(n % 5 == 0)} for n in range(60)
    ]
    wanted = task("What is wrong with the comment: insult, threat, obscene?", ("Boo!", "insult, obscene"), ("I come for you", "threat"))
    made = best(rows, wanted)
    assert [example.output for example in made[:3]] == ["threat, obscene", "insult", "insult, threat"]


def test_labels_of_another_kind_are_not_served() -> None:
    table = Table(moods())
    wanted = task("Which crafts: comb, loom, kiln?", ("Go!", "comb, loom"), ("Oh.", "kiln"))
    made = [draft for plan, _ in propose(wanted, table.columns, table.rows).plans for draft in plan.reasons if "labels" in draft]
    assert made == []


def orders(count: int = 60) -> list[dict[str, Any]]:
    rows = []
    for n in range(count):
        slots = [{"slot": "day", "value": f"day {n % 17}"}, {"slot": "harbour", "value": HARBOURS[n % 12]}]
        slots = slots[: 1 + n % 2] if n % 3 else [*reversed(slots)]
        words = " on ".join(slot["value"] for slot in slots)
        rows.append({"text": f"a ferry please {words} for {n}", "slots": slots})
    return rows


def test_the_slot_the_description_names_is_the_output() -> None:
    made = best(orders(), task("Find the harbour in a booking.", ("to Vadso please", "Vadso"), ("a boat from Skien", "Skien")))
    assert {example.output for example in made} <= set(HARBOURS)
    assert all(example.output in example.input for example in made)
    assert len(made) == sum(any(slot["slot"] == "harbour" for slot in row["slots"]) for row in orders())


def test_a_dictionary_with_other_keys_in_each_row_gives_the_one_named() -> None:
    rows = [{"text": row["text"], "slots": {slot["slot"]: slot["value"] for slot in row["slots"]}} for row in orders()]
    made = best(rows, task("Find the harbour in a booking.", ("to Vadso please", "Vadso"), ("a boat from Skien", "Skien")))
    assert {example.output for example in made} <= set(HARBOURS)


def talks(count: int = 40, nested: bool = True) -> list[dict[str, Any]]:
    rows = []
    for n in range(count):
        acts = ["GREET", "OFFER", "NOTIFY_FAILURE" if n % 3 == 0 else "OFFER", "GOODBYE"]
        turns = []
        for place, act in enumerate(acts):
            said = f"This is what was said in turn {place} of talk number {n}."
            entry: dict[str, Any] = {"who": ["caller", "clerk"][place % 2], "said": said}
            entry["acts"] = [{"act": act, "slot": "x"}, {"act": "INFORM", "slot": "y"}] if nested else act
            turns.append(entry)
        rows.append({"talk_id": f"t{n}-{n * 7}", "turns": turns})
    return rows


FAILED = task(
    "Did the clerk say that something failed or was a failure? yes or no",
    ("caller: A room?\nclerk: Sorry, that went wrong.", "yes"),
    ("caller: A room?\nclerk: Here.", "no"),
    labels=("yes", "no"),
)


def test_an_act_anywhere_in_a_dialogue_says_yes_and_is_not_shown() -> None:
    for nested in (True, False):
        made = best(talks(nested=nested), FAILED)
        assert [example.output for example in made[:4]] == ["yes", "no", "no", "yes"]
        assert "clerk: This is what was said in turn 1 of talk number 0." in made[0].input
        assert "FAILURE" not in made[0].input


def test_an_act_nobody_asks_for_says_nothing() -> None:
    table = Table(talks())
    rude = task("Was anybody rude? yes or no", ("caller: You fool!", "yes"), ("caller: A room?", "no"), labels=("yes", "no"))
    assert propose(rude, table.columns, table.rows).plans == ()


def test_the_first_entry_of_another_name_is_no_answer() -> None:
    table = Table(orders())
    colour = task("Which colour is named?", ("paint it blue", "blue"), ("a red one", "red"))
    assert propose(colour, table.columns, table.rows).plans == ()
