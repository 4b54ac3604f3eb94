"""Groups: what must not straddle training and validation."""

from __future__ import annotations

import pytest

from engine.mix.groups import connected, segments_of, width
from engine.mix.offered import Offered
from tests.engine.mix.offer import of_rows, offered, watch

PASSAGE = (
    "The canal was dug in the dry summer of 1848 by four hundred men from the hills. "
    "Its locks are the oldest in the county and are still worked by hand every day. "
    "Boats pay at the upper basin, where the keeper's house stands beside the weir."
)
OTHER = (
    "Bees of this kind nest alone in hollow stems and line their cells with cut leaves. "
    "A female provisions each cell with pollen before she lays a single egg in it. "
    "Gardeners notice round holes in the leaves of roses but the damage is small."
)


def groups(*examples: Offered, near: float = 0.0) -> list[list[int]]:
    return connected(examples, near, watch)[0]


def test_pieces_of_one_row_belong_together_and_rows_of_other_splits_do_not() -> None:
    one, other = offered("A first turn.", row=4), offered("Something else.", row=4)
    elsewhere = offered("A third text.", row=4, split="test")
    another = offered("A fourth text.", row=4, dataset="owner/other")
    assert groups(one, other, elsewhere, another) == [[0, 1], [2], [3]]


def test_all_rows_of_a_grouped_example_count() -> None:
    assert groups(offered("a b", row=(1, 2)), offered("c d", row=(2, 3)), offered("e f", row=9), offered("g h", row=10)) == [
        [0, 1],
        [2],
        [3],
    ]


def test_equal_inputs_belong_together_whatever_their_case_and_punctuation() -> None:
    assert groups(*of_rows("Who is it?", "who is it", "Who was it?", "And who else")) == [[0, 1], [2], [3]]


@pytest.mark.parametrize(
    "form", ["Passage: {0}\nQuestion: {1}", "{1}\n\n{0}", "{0} {1}", "Read this.\nContext: {0}\nAnswer briefly: {1}\nOptions: A, B"]
)
def test_questions_about_one_passage_belong_together_in_whatever_form(form: str) -> None:
    asked = ("Who dug it?", "When was that?", "Where do boats pay?", "What do gardeners notice?", "How many eggs are laid?")
    passages = (PASSAGE, PASSAGE, PASSAGE, OTHER, OTHER)
    texts = [form.format(passage, question) for passage, question in zip(passages, asked, strict=True)]
    texts += [form.format(f"Something short number {n}.", "What is it?") for n in range(3)]
    assert groups(*of_rows(*texts)) == [[0, 1, 2], [3, 4], [5], [6], [7]]


def test_a_passage_is_known_across_the_forms_of_two_data_sets() -> None:
    one = offered(f"Passage: {PASSAGE}\nQuestion: Who dug it?", row=101)
    other = offered(f"Where do boats pay?\nContext: {PASSAGE}", row=9, part=1, dataset="owner/other")
    assert groups(one, other, *of_rows("short", "shorter", "another")) == [[0, 1], [2], [3], [4]]


def test_a_passage_in_chinese_is_known_by_far_fewer_characters() -> None:
    passage = "这条运河是一八四八年干旱的夏天由四百名山里人挖成的。它的船闸是全郡最古老的，至今每天仍由人工操作。"
    texts = [f"{passage}\n谁挖的？", f"{passage}\n什么时候？", "今天天气很好。", "我们去公园。", "他在家里。"]
    assert groups(*of_rows(*texts)) == [[0, 1], [2], [3], [4]]


def test_an_instruction_that_all_share_joins_nobody() -> None:
    instruction = "Read the note below and say in one single word what kind of weather it speaks of."
    texts = [f"{instruction}\n{number} sheep stood under tree number {number}." for number in range(30)]
    assert len(groups(*of_rows(*texts))) == 30


def test_an_instruction_that_many_share_joins_nobody_either() -> None:
    """Three wordings, a third of the examples each: in none of the rules for templates, and no passage."""
    wordings = (
        "Read the note below and say in one single word what kind of weather it speaks of.",
        "What kind of weather does the following note of a neighbour mention, in one word?",
        "Name the weather in this note; the answer must be a single word in lower case.",
    )
    texts = [f"{wordings[number % 3]}\n{number} sheep stood under tree number {number}." for number in range(60)]
    assert len(groups(*of_rows(*texts))) == 60


def test_near_duplicates_stay_together_where_they_are_not_removed() -> None:
    near = ("The gutter of the old barn ran over again last night", "The gutter of the old barn ran over again last week")
    texts = (*near, "We dug out the car before breakfast", "The lake can be walked on by now")
    assert groups(*of_rows(*texts)) == [[0], [1], [2], [3]]
    assert groups(*of_rows(*texts), near=0.8) == [[0, 1], [2], [3]]


def test_a_huge_group_is_taken_apart_into_rows_and_then_into_inputs() -> None:
    by_row = [offered(f"{PASSAGE} Part {number}?", row=number // 2) for number in range(12)]
    found, apart = connected(by_row, 0.0, watch)
    assert (found, apart) == ([[n, n + 1] for n in range(0, 12, 2)], 12)
    one_row = [offered(f"Sentence number {number // 2} of it", row=1) for number in range(12)]
    assert connected(one_row, 0.0, watch) == ([[n, n + 1] for n in range(0, 12, 2)], 12)
    same = [offered("The only input", str(number), row=1) for number in range(12)]
    assert connected(same, 0.0, watch) == ([[*range(12)]], 0)


def test_no_examples_have_no_groups() -> None:
    assert connected([], 0.8, watch) == ([], 0)
    assert groups(offered("", row=0), offered("", row=1), near=0.8) == [[0, 1]]


def test_segments_leave_labels_case_and_blanks_out() -> None:
    assert segments_of("Passage:  One  Thing. Another!\n\nQ 1: Why?") == ["one thing.", "another!", "why?"]
    assert width("abc") == 3 and width("日本") == 5 and width("한국") == 5 and width("мир") == 3
