"""Which rows a task's words ask for."""

from __future__ import annotations

from typing import Any

import pytest

from engine.plan.profile import Sample, read_sample
from engine.plan.steps import Keep, Map
from engine.plan.structure.filters import row_filters
from engine.plan.trial import propose, run_on
from engine.records import Example, Output, OutputKind, Task, TaskExample
from tests.engine.plan.tables import Table

BIRDS = ["heron", "wren", "crow", "swift", "robin", "goose", "eagle", "stork"]


def task(
    description: str, *examples: tuple[str, str], kind: OutputKind = "text", labels: tuple[str, ...] = (), language: str = "en"
) -> Task:
    return Task("made-up", description, language, Output(kind, labels), tuple(TaskExample(*example) for example in examples))


def sample(rows: list[dict[str, Any]]) -> Sample:
    table = Table(rows)
    return read_sample(table.columns, table.rows)


def reasons(rows: list[dict[str, Any]], for_task: Task) -> list[str]:
    return [one.reason for one in row_filters(sample(rows), for_task)]


def best(rows: list[dict[str, Any]], for_task: Task) -> list[Example]:
    table = Table(rows)
    proposal = propose(for_task, table.columns, table.rows)
    assert proposal.plans, proposal.refusal
    made, _, _ = run_on(proposal.plans[0][0], table.columns, table.rows, for_task)
    return sorted(made, key=lambda example: example.source.row)


def requests(count: int = 80) -> list[dict[str, Any]]:
    areas = ["flights", "hotels", "taxi_rides", "lost_luggage"]
    intents = [["book_seat", "change_seat"], ["book_room", "late_arrival"], ["order_cab", "cab_price"], ["report_loss", "ask_refund"]]
    return [
        {
            "text": f"please look at case {n} with the {BIRDS[n % 8]} for me",
            "area": areas[n % 4],
            "intent": intents[n % 4][(n // 4) % 2],
        }
        for n in range(count)
    ]


def test_rows_of_the_kind_the_description_wants_only_are_kept() -> None:
    wanted = task(
        "Name the intent with blanks. I only need requests about hotels, not taxi rides.", ("is there a double left", "book room")
    )
    made = best(requests(), wanted)
    assert {example.output for example in made} == {"book room", "late arrival"}
    assert len(made) == 20


def test_a_value_only_partly_named_needs_the_word_only() -> None:
    strict = task("Write the intent. Only luggage questions.", ("where is it", "report loss"))
    loose = task("Write the intent of somebody with luggage.", ("where is it", "report loss"))
    assert reasons(requests(), strict) == ["only rows whose area is “lost_luggage”: the description says “luggage”"]
    assert reasons(requests(), loose) == []


def test_values_the_description_leaves_out_go_and_all_others_stay() -> None:
    wanted = task("Name the intent. Leave out taxi rides.", ("where is it", "report loss"))
    kept = row_filters(sample(requests()), wanted)
    assert [sum(one.kept) for one in kept] == [60]
    assert "is not “taxi_rides”" in kept[0].reason


def test_several_values_named_are_no_restriction() -> None:
    wanted = task("Answer requests about flights, hotels and taxi rides.", ("where is it", "here it is"))
    assert reasons(requests(), wanted) == []


def test_leaving_out_all_others_names_nothing_to_leave_out() -> None:
    wanted = task("Name the intent. Skip anything in areas other than hotels.", ("where is it", "book room"))
    assert reasons(requests(), wanted) == ["only rows whose area is “hotels”: the description says “hotels”"]


PAIRS = [
    {
        "first": f"The {BIRDS[n % 8]} slept at {n} in the reeds.",
        "second": f"{['Something slept', 'Nothing ever slept', 'The reeds were tall'][n % 3]} near stone {n}.",
        "relation": ["entailment", "contradiction", "neutral"][n % 3],
    }
    for n in range(60)
]


@pytest.mark.parametrize(
    ("description", "start"),
    [
        ("Write a sentence that contradicts the given one.", "Nothing"),
        ("Schreibe einen Satz im Widerspruch zum gegebenen.", "Nothing"),
        ("Write a sentence that follows from the given one.", "Something"),
    ],
)
def test_a_text_with_the_relation_the_description_names_is_wanted(description: str, start: str) -> None:
    made = best(PAIRS, task(description, ("The dog ran at four in town.", "Some dog ran near the town.")))
    assert len(made) == 20
    assert all(example.output.startswith(start) for example in made)


def test_a_column_of_truth_called_what_is_asked_for_keeps_the_true_rows() -> None:
    rows = [{"q1": f"Where does the {BIRDS[n % 8]} {n} live?", "q2": f"Home of bird {n}?", "is_duplicate": n % 2} for n in range(40)]
    paraphrase = task("Paraphrase a question.", ("What is it called?", "Its name is?"))
    assert reasons(rows, paraphrase)[0].startswith("only rows whose is_duplicate is 1")
    assert reasons(rows, task("Write another question.", ("What is it called?", "Its name is?"))) == []


def test_exactly_one_answer_is_read_off_a_column_of_counts() -> None:
    rows = [{"question": f"Which {BIRDS[n % 8]} is number {n}?", "answer_count": n % 3 + 1} for n in range(45)]
    only = task("Only questions that have a single answer.", ("Who?", "he"))
    every = task("There may be only one answer or several.", ("Who?", "he"))
    assert [sum(one.kept) for one in row_filters(sample(rows), only)] == [15]
    assert reasons(rows, every) == []


def test_rows_with_a_mark_the_description_leaves_out_go() -> None:
    rows = [{"text": f"The {BIRDS[n % 8]} has {'[deleted]' if n % 4 == 0 else 'gone'} home {n} times now."} for n in range(40)]
    wanted = task("Leave out comments with [deleted] in them.", ("ab", "cd"))
    assert [sum(one.kept) for one in row_filters(sample(rows), wanted)] == [30]


def test_only_rows_with_a_value_in_a_column_that_is_often_empty() -> None:
    rows = [{"text": f"The {BIRDS[n % 8]} number {n} sang.", "footnote": f"see page {n}" if n % 3 else ""} for n in range(60)]
    assert [sum(one.kept) for one in row_filters(sample(rows), task("Only texts with a footnote.", ("ab", "cd")))] == [40]
    assert reasons(rows, task("Write a footnote.", ("ab", "cd"))) == []


LANGUAGES = ["Vietnamese", "North Macedonian", "Albanian", "Serbian"]


@pytest.mark.parametrize("spelling", [LANGUAGES, ["vie", "mkd", "sqi", "srp"], ["tiếng Việt", "македонски", "shqip", "српски"]])
def test_a_language_column_is_read_however_it_names_languages(spelling: list[str]) -> None:
    rows = [{"text": f"{BIRDS[n % 8]} {n}", "lang": spelling[n % 4]} for n in range(60)]
    kept = row_filters(sample(rows), task("Viết câu trả lời.", ("a", "b"), language="vi"))
    assert [sum(one.kept) for one in kept] == [15]


def test_rows_of_mixed_languages_without_a_column_are_kept_by_their_text() -> None:
    german = "Der alte Reiher stand lange am Ufer des kleinen Sees und wartete auf einen Fisch, Nummer"
    french = "Le vieux héron se tenait longtemps au bord du petit lac et attendait un poisson, numéro"
    rows = [{"text": f"{german if n % 2 else french} {n}.", "topic": BIRDS[n % 8]} for n in range(60)]
    wanted = task("Nenne das Thema.", ("Der kleine Zaunkönig baute sein Nest unter dem Dach der alten Scheune.", "wren"), language="de")
    kept = row_filters(sample(rows), wanted)
    assert [one.steps[0].language for one in kept] == ["de"]  # type: ignore[union-attr]
    both = task(
        "Nenne das Thema des deutschen oder französischen Textes.", ("Der kleine Zaunkönig baute sein Nest.", "wren"), language="de"
    )
    assert row_filters(sample(rows), both) == ()


def test_no_filter_leaves_the_column_the_output_is_read_from() -> None:
    wanted = task("Say which area it is: only flights or hotels.", ("to Rome", "flights"), kind="label", labels=("flights", "hotels"))
    made = best(requests(), wanted)
    assert {example.output for example in made} == {"flights", "hotels"}


def test_letters_in_brackets_that_no_sample_row_has_are_mapped_too() -> None:
    rows = [
        {"kind": ["calendar", "knots"][n % 2], "puzzle": f"Puzzle {n} about the mill by the sea.", "target": f"({'ABC'[n % 3]})"}
        for n in range(60)
    ]
    wanted = task("Calendar puzzles only. Give the letter.", ("What day is it?", "B"), kind="label", labels=("A", "B", "C", "D"))
    table = Table(rows)
    plan = propose(wanted, table.columns, table.rows).plans[0][0]
    tables = [step.table for step in plan.steps if isinstance(step, Map)]
    assert tables == [{"(A)": "A", "(B)": "B", "(C)": "C", "(D)": "D"}]
    assert isinstance(plan.steps[0], Keep)


def test_a_range_of_a_named_number_is_kept() -> None:
    rows = [{"text": f"The {BIRDS[n % 8]} sang for {n} hours.", "votes": n % 6, "season": n % 4 + 1} for n in range(60)]
    least = row_filters(sample(rows), task("Only texts with at least 3 votes.", ("ab", "cd")))
    fewer = row_filters(sample(rows), task("Skip texts with fewer than 2 votes.", ("ab", "cd")))
    one = row_filters(sample(rows), task("Only lines of season 2.", ("ab", "cd")))
    assert [[sum(one.kept) for one in found] for found in (least, fewer, one)] == [[30], [40], [15]]
    assert row_filters(sample(rows), task("Count at least 3 votes as many.", ("ab", "cd"))) == ()


def test_rows_whose_list_holds_the_named_item_are_kept() -> None:
    kinds = [["comedy", "drama"], ["western"], ["drama"], []]
    rows = [{"plot": f"The {BIRDS[n % 8]} flew away {n} times.", "genres": kinds[n % 4]} for n in range(60)]
    only = row_filters(sample(rows), task("Only plots of dramas.", ("ab", "cd")))
    without = row_filters(sample(rows), task("Leave out westerns.", ("ab", "cd")))
    assert [[sum(one.kept) for one in found] for found in (only, without)] == [[30], [45]]


def test_rows_plainly_asked_for_that_are_too_few_are_refused_rather_than_mixed_with_others() -> None:
    rows = [
        {
            "question": f"Which town has {n} towers by the sea?",
            "choices": [f"Town {n}", f"Village {n}", f"Port {n}"],
            "answer": n % 3,
            "subject": "Chemistry" if n in (3, 40, 77) else ["History", "Geography"][n % 2],
        }
        for n in range(120)
    ]
    shown = ("Which is it?\n- Rome\n- Pisa\n- Bari", "Pisa")
    table = Table(rows)
    plain = task("Choose the right option.", shown, kind="option_text")
    only = task("Choose the right option. Only chemistry.", shown, kind="option_text")
    assert propose(plain, table.columns, table.rows).plans
    assert not propose(only, table.columns, table.rows).plans
