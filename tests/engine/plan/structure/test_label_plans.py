"""Labels cut from numbers, and labels that several columns give together."""

from __future__ import annotations

from typing import Any

from engine.plan.trial import propose, run_on
from engine.records import Output, Task, TaskExample
from tests.engine.plan.tables import Table

PLACES = ["barn", "wood", "lake", "yard", "hill", "cave", "nest", "hive", "pond", "moor", "farm", "reef"]


def task(description: str, labels: tuple[str, ...], example: str = "A note about the sea", language: str = "en") -> Task:
    return Task("made-up", description, language, Output("label", labels), (TaskExample(example, labels[0]),))


def outputs(rows: list[dict[str, Any]], wanted: Task) -> dict[int, str]:
    """Row → output of the best plan; empty when there is none."""
    table = Table(rows)
    proposal = propose(wanted, table.columns, table.rows)
    if not proposal.plans:
        return {}
    made, _, _ = run_on(proposal.plans[0][0], table.columns, table.rows, wanted)
    return {example.source.row: example.output for example in made}


def note(number: int) -> str:
    return f"A note about the {PLACES[number % 12]} number {number}"


def test_what_lies_between_two_ranges_is_left_out() -> None:
    rows = [{"text": note(n), "rating": (n % 11) / 10} for n in range(44)]
    found = outputs(rows, task("keep = rated 0.7 or higher, drop = rated 0.3 or lower. Skip what lies between.", ("keep", "drop")))
    assert {row: found.get(row, "") for row in range(11)} == dict(enumerate(["drop"] * 4 + [""] * 3 + ["keep"] * 4))


def test_a_number_between_the_sampled_ones_is_on_the_right_side() -> None:
    rows = [{"text": note(n), "rating": (n % 5) / 4} for n in range(40)]
    wanted = task("keep = rated 0.75 or higher, drop = rated 0.25 or lower.", ("keep", "drop"))
    table = Table(rows)
    plan = propose(wanted, table.columns, table.rows).plans[0][0]
    other = Table([{"text": note(n), "rating": rating} for n, rating in enumerate((0.25, 0.26, 0.749, 0.75))])
    made, _, _ = run_on(plan, other.columns, other.rows, wanted)
    assert sorted((example.source.row, example.output) for example in made) == [(0, "drop"), (3, "keep")]


def test_the_words_beside_the_number_name_its_column() -> None:
    rows = [{"text": note(n), "raters": 5 + n % 4, "noise": n % 4, "smell": (n // 4) % 4} for n in range(48)]
    found = outputs(rows, task("Mark it bad as soon as at least two people noted smell, otherwise fine.", ("bad", "fine")))
    assert found == {n: "bad" if (n // 4) % 4 >= 2 else "fine" for n in range(48)}


def test_three_labels_lie_side_by_side_on_one_column() -> None:
    rows = [{"text": note(n), "stars": n % 5 + 1} for n in range(45)]
    said = "1-2 stars: weak; 3 stars: fair; 4-5 stars: strong"
    found = outputs(rows, task(said, ("weak", "fair", "strong")))
    assert [found[n] for n in range(5)] == ["weak", "weak", "fair", "strong", "strong"]


def test_a_number_nothing_in_the_description_names_is_not_cut() -> None:
    rows = [{"text": note(n), "height": n % 9, "width": (n // 3) % 9} for n in range(45)]
    assert outputs(rows, task("Is the note about cooking? Say yes when at least 4 spices are named, otherwise no.", ("yes", "no"))) == {}


def test_two_flags_and_neither_are_told_by_number_word_or_letter() -> None:
    rows = [{"text": note(n), "A-hit": str(n % 3 == 0).upper(), "B-hit": str(n % 3 == 1).upper()} for n in range(45)]
    for labels in (("1", "2", "0"), ("first", "second", "neither"), ("A", "B", "none"), ("erste", "zweite", "keine")):
        found = outputs(rows, task("Say who was hit.", labels))
        assert [found[n] for n in range(3)] == list(labels)


def test_rows_with_two_flags_are_left_out_unless_a_label_says_both() -> None:
    rows = [{"text": note(n), "A_hit": n % 4 in (0, 3), "B_hit": n % 4 in (1, 3)} for n in range(48)]
    assert outputs(rows, task("Who was hit?", ("first", "second", "neither"))).keys() == {n for n in range(48) if n % 4 != 3}
    found = outputs(rows, task("Who was hit?", ("first", "second", "both", "neither")))
    assert [found[n] for n in range(4)] == ["first", "second", "neither", "both"]


def test_a_column_for_each_label_is_one_label() -> None:
    names = ["is_joy", "is_anger", "is_fear"]
    rows = [{"text": note(n), **{name: int(n % 4 == place) for place, name in enumerate(names)}} for n in range(48)]
    found = outputs(rows, task("Welches Gefühl?", ("Freude", "Wut", "Angst", "neutral"), language="en"))
    assert [found[n] for n in range(4)] == ["Freude", "Wut", "Angst", "neutral"]


def test_the_most_votes_decide_and_ties_are_left_out() -> None:
    rows = [{"text": note(n), "calm": n % 4, "stormy": (n * 3) % 5} for n in range(60)]
    found = outputs(rows, task("Calm or stormy?", ("stormy", "calm")))
    assert found == {n: "calm" if n % 4 > n * 3 % 5 else "stormy" for n in range(60) if n % 4 != n * 3 % 5}


def test_a_truth_column_about_something_else_is_no_answer() -> None:
    rows = [{"text": note(n), "is_urgent": n % 2 == 0} for n in range(40)]
    assert outputs(rows, task("Is the note written as a joke?", ("yes", "no"))) == {}
    assert outputs(rows, task("Is it urgent?", ("yes", "no")))[0] == "yes"
    assert outputs(rows, task("Ist die Nachricht dringend?", ("ja", "nein")))[1] == "nein"


def test_years_and_the_middle_between_two_ranges() -> None:
    rows = [{"text": note(n), "year": 1900 + 10 * (n % 12)} for n in range(48)]
    found = outputs(rows, task("old = before 1930, new = from 1980 on, in between: middling", ("old", "middling", "new")))
    assert [found[n] for n in (0, 2, 3, 7, 8, 11)] == ["old", "old", "middling", "middling", "new", "new"]


def test_the_only_column_of_numbers_is_not_cut_for_the_length_of_the_text() -> None:
    rows = [{"text": note(n), "height": n % 90} for n in range(90)]
    assert outputs(rows, task("short = fewer than 20 words, long = more than 60 words", ("short", "long"))) == {}


def test_an_unnamed_truth_value_serves_only_where_the_shape_of_the_task_fits() -> None:
    alone = [{"text": note(n), "label": n % 2} for n in range(40)]
    assert outputs(alone, task("Is the note rude?", ("yes", "no"))) == {}
    pairs = [{"text1": note(n), "text2": note(n * 7), "label": n // 2 % 2} for n in range(40)]
    wanted = task("Do both notes say the same?", ("yes", "no"), example="Text 1: The sea is calm.\nText 2: The sea is quiet.")
    assert outputs(pairs, wanted)[2] == "yes"
    asked = [{"question": f"Is {note(n).lower()} long?", "passage": note(n), "answer": n % 2 == 0} for n in range(40)]
    wanted = task("Answer yes or no.", ("yes", "no"), example="Question: Is the sea deep?\nPassage: The sea is deep.")
    assert outputs(asked, wanted)[0] == "yes"


def test_numbers_are_labels_only_where_the_column_counts_what_the_task_asks_for() -> None:
    rows = [{"text": note(n), "stars": n % 3 + 1, "doors": (n // 3) % 3 + 1} for n in range(45)]
    labels = ("1", "2", "3")
    assert outputs(rows, task("How many stars did the guest give?", labels)) == {n: str(n % 3 + 1) for n in range(45)}
    assert outputs([{"text": row["text"], "doors": row["doors"]} for row in rows], task("Which of three names is meant?", labels)) == {}


def test_where_the_description_draws_ranges_the_names_of_values_do_not_count() -> None:
    rows = [{"text": note(n), "mood": ("good", "bad")[n % 2]} for n in range(40)]
    assert outputs(rows, task("good = rated 8 or higher, bad = rated 3 or lower", ("good", "bad"))) == {}


def test_a_column_named_in_the_description_is_not_a_part_of_another_name() -> None:
    rows = [{"text": note(n), "wind": n % 7, "windForce": (n * 3) % 10} for n in range(70)]
    said = "rough if windForce is no less than 5, otherwise calm"
    assert outputs(rows, task(said, ("rough", "calm"))) == {n: "rough" if n * 3 % 10 >= 5 else "calm" for n in range(70)}
