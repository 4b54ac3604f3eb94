"""Spans listed and counted, and lists counted, as the task's words ask."""

from __future__ import annotations

from typing import Any

import pytest

from engine.plan.structure.counts import asks_how_many
from engine.plan.structure.spans import none_word, separator_of, spans_of
from engine.plan.trial import propose, run_on
from engine.records import Column, Example, Output, Task, TaskExample
from tests.engine.plan.tables import Table

NAMES = ["Ann", "Bob", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal"]


def task(description: str, *examples: tuple[str, str]) -> Task:
    return Task("made-up", description, "en", Output("text"), tuple(TaskExample(*example) for example in examples))


def best(table: Table, for_task: Task) -> list[Example]:
    proposal = propose(for_task, table.columns, table.rows)
    assert proposal.plans, proposal.refusal
    made, _, _ = run_on(proposal.plans[0][0], table.columns, table.rows, for_task)
    return sorted(made, key=lambda example: example.source.row)


def tagged(count: int = 40) -> list[dict[str, Any]]:
    """Every fourth sentence names nobody, every other fourth two people."""
    rows = []
    for n in range(count):
        one, two = NAMES[n % 8], NAMES[(n + 3) % 8]
        people = [(one, "B-PER"), ("Lee", "I-PER"), ("and", "O"), (two, "B-PER")] if n % 4 == 1 else [(one, "B-PER")] if n % 4 else []
        pairs = [*(people or [("it", "O")]), ("saw", "O"), ("Oslo" if n % 3 else "rain", "B-LOC" if n % 3 else "O"), (str(n), "O")]
        rows.append({"tokens": [token for token, _ in pairs], "tags": [tag for _, tag in pairs]})
    return rows


PEOPLE = ("Zoe met Yan .", "Zoe, Yan"), ("Then Xi came .", "Xi")


def test_rows_without_a_span_go_where_the_task_has_no_word_for_none() -> None:
    made = best(Table(tagged()), task("List all persons, separated by commas.", *PEOPLE))
    assert len(made) == 30
    assert made[0].output == "Bob Lee, Eve"


def test_rows_without_a_span_give_the_word_the_description_quotes() -> None:
    made = best(Table(tagged()), task('List all persons; write "nobody" if there is none.', *PEOPLE))
    assert len(made) == 40
    assert made[0].output == "nobody"


def test_tags_as_places_of_class_names_are_read() -> None:
    names = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
    rows = [{**row, "tags": [names.index(tag) for tag in row["tags"]]} for row in tagged()]
    table = Table(rows)
    table.columns = (table.columns[0], Column("tags", "list", names))
    assert [example.output for example in best(table, task("List all persons.", *PEOPLE))[:2]] == ["Bob Lee, Eve", "Cleo"]


def test_a_cryptic_type_is_known_by_what_the_card_says_of_it() -> None:
    rows = [{**row, "tags": [tag.replace("PER", "Q7") for tag in row["tags"]]} for row in tagged()]
    table = Table(rows)
    table.columns = (table.columns[0], Column("tags", "list", (), "Q7: sailor, LOC: harbour"))
    made = best(table, task("List the sailors.", *PEOPLE))
    assert made[0].output == "Bob Lee, Eve"


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("B-X I-X O B-X", ["a b", "d"]),
        ("I-X I-X O I-X", ["a b", "d"]),
        ("B-X E-X O S-X", ["a b", "d"]),
        ("B-X L-X O U-X", ["a b", "d"]),
        ("B-X B-X O I-Y", ["a", "b"]),
    ],
)
def test_every_dialect_of_tags_gives_the_same_spans(tags: str, found: list[str]) -> None:
    assert spans_of(["a", "b", "c", "d"], tags.split(), ("X",), " ") == found


def test_a_separator_is_quoted_or_shown_or_named() -> None:
    assert separator_of(task('separated by "; "', ("a", "b, c"))) == "; "
    assert separator_of(task("one after the other", ("a", "b | c"))) == " | "
    assert separator_of(task("séparés par « / »", ("a", "b / c"))) == " / "
    assert separator_of(task("séparés par « / »", ("a", "b/c"))) == "/"
    assert separator_of(task("getrennt durch Kommas", ("a", "b"))) == ", "


def test_a_quoted_word_is_for_none_only_where_the_description_says_so() -> None:
    assert none_word(task('Find "Ann" and others like her.', *PEOPLE)) == ""
    assert none_word(task('Answer "keine", falls keine da sind.', *PEOPLE)) == "keine"


def test_spans_are_counted_where_the_description_asks_how_many() -> None:
    made = best(
        Table(tagged()), task("How many persons does the sentence name? Output a number.", ("Zoe met Yan .", "2"), ("It rained .", "0"))
    )
    assert [example.output for example in made[:5]] == ["0", "2", "1", "1", "0"]


def test_a_count_is_asked_for_only_with_numbers_as_outputs() -> None:
    assert asks_how_many(task("How many are there?", ("a b", "2")))
    assert not asks_how_many(task("How many are there?", ("a b", "two pears")))
    assert not asks_how_many(task("Solve the problem.", ("1 + 1", "2")))


def test_a_list_called_what_the_description_speaks_of_is_counted() -> None:
    rows = [{"text": f"Story {n} of the old mill by the sea.", "characters": NAMES[: n % 5 + 1], "pages": n + 10} for n in range(40)]
    made = best(Table(rows), task("How many characters does the story have?", ("Story of two.", "2"), ("Story of one.", "1")))
    assert [example.output for example in made[:5]] == ["1", "2", "3", "4", "5"]
    assert "Ann" not in made[0].input


def test_items_of_the_kind_described_are_counted() -> None:
    kinds = ["verb", "noun", "adverb"]
    rows = [{"sentence": f"Sentence {n} about the mill by the sea.", "pos": [kinds[(n * m) % 3] for m in range(1, 6)]} for n in range(40)]
    made = best(Table(rows), task("Count the nouns of a sentence.", ("The mill turns.", "1"), ("Mill and sea.", "2")))
    assert [example.output for example in made] == [str(row["pos"].count("noun")) for row in rows]


def test_a_short_type_is_read_off_one_word_that_says_what_is_wanted() -> None:
    rows = [{**row, "tags": [tag.replace("PER", "CRT") for tag in row["tags"]]} for row in tagged()]
    made = best(Table(rows), task("List the courts, separated by commas.", *PEOPLE))
    assert made[0].output == "Bob Lee, Eve"
    table = Table(rows)
    assert propose(task("List the kings, one after the other, and be correct.", *PEOPLE), table.columns, table.rows).plans == ()


def test_a_column_that_counts_by_its_name_answers_how_many() -> None:
    rows = [
        {"question": f"Which of the following towns had a mill in the year {n}?", "nbr_correct_answers": n % 4, "year": 1900 + n}
        for n in range(40)
    ]
    made = best(Table(rows), task("How many answers are correct?", ("Which is it?", "2"), ("Which are they?", "1")))
    assert [example.output for example in made[:4]] == ["0", "1", "2", "3"]
    table = Table(rows)
    assert propose(task("How many sheep are there?", ("Two sheep", "2"), ("One sheep", "1")), table.columns, table.rows).plans == ()


def test_types_named_in_one_list_are_wanted_together() -> None:
    wanted = task("List all persons and places, separated by commas.", ("Zoe went to Rome .", "Zoe, Rome"), ("Xi came .", "Xi"))
    made = best(Table(tagged()), wanted)
    assert made[0].output == "Bob Lee, Eve, Oslo"
    names = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
    table = Table([{**row, "tags": [names.index(tag) for tag in row["tags"]]} for row in tagged()])
    table.columns = (table.columns[0], Column("tags", "list", names))
    assert [example.output for example in best(table, wanted)] == [example.output for example in made]


def test_a_type_the_description_rules_out_is_not_meant() -> None:
    towns = [
        {**row, "tokens": [f"{token}{n % 5}" if token == "Oslo" else token for token in row["tokens"]]} for n, row in enumerate(tagged())
    ]
    made = best(Table(towns), task("List the places, without the persons.", ("Zoe went to Rome .", "Rome"), ("Oslo is far .", "Oslo")))
    assert {example.output[:4] for example in made} == {"Oslo"}


def test_whether_a_type_is_there_is_answered_with_yes_or_no() -> None:
    asked = Task(
        "made-up", "Does the sentence name a person?", "en", Output("label", ("yes", "no")), (TaskExample("Zoe met Yan .", "yes"),)
    )
    made = best(Table(tagged()), asked)
    assert [example.output for example in made[:5]] == ["no", "yes", "yes", "yes", "no"]


def test_the_turns_of_a_shown_dialogue_are_counted() -> None:
    turns = [{"who": "ab"[n % 2], "said": f"This was said in turn {n} of the talk."} for n in range(9)]
    rows = [{"talk": f"t-{n}-{n * 3}", "turns": turns[: n % 5 + 2]} for n in range(40)]
    made = best(
        Table(rows), task("How many turns does the talk have?", ("a: Hello there!\nb: Hi.", "2"), ("a: Hi!\nb: Hi.\na: Bye now.", "3"))
    )
    assert [example.output for example in made[:5]] == ["2", "3", "4", "5", "6"]
    assert made[0].input.count("This was said") == 2
