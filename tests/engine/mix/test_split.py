"""Validation: its size, its strata, and that no group is in two splits."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from engine.mix.offered import Offered
from engine.mix.split import choose_validation, input_hash
from tests.engine.mix.offer import offered

SHAPES = st.lists(st.integers(1, 30), min_size=1, max_size=40)


@given(SHAPES, st.floats(0.01, 0.5), st.integers(0, 5))
def test_groups_stay_whole_and_validation_is_near_its_share_and_never_empty_or_everything(
    sizes: list[int], share: float, seed: int
) -> None:
    examples: list[Offered] = []
    groups: list[list[int]] = []
    for number, size in enumerate(sizes):
        groups.append(list(range(len(examples), len(examples) + size)))
        examples += [offered(f"text {number} {member}", "ab"[member % 2], row=number) for member in range(size)]
    chosen = choose_validation(examples, groups, share, seed, True)
    assert all(chosen.issuperset(group) or chosen.isdisjoint(group) for group in groups)
    assert choose_validation(examples, groups, share, seed, True) == chosen
    if len(groups) == 1:
        assert not chosen
        return
    wanted = min(max(1, round(share * len(examples))), len(examples) - 1)
    assert 0 < len(chosen) < len(examples)
    if len(chosen) > wanted:
        assert len(chosen) == min(sizes), "more than the share only where every group is larger"
    else:
        left = [len(group) for group in groups if chosen.isdisjoint(group)]
        assert all(size > wanted - len(chosen) for size in left), "no group would have fitted"


def test_single_examples_meet_the_share_of_every_source_and_label_exactly() -> None:
    shape = {("owner/a", "sun"): 200, ("owner/a", "rain"): 40, ("owner/b", "sun"): 60}
    examples = [offered(f"{name} {output} {n}", output, row=n, dataset=name) for (name, output), size in shape.items() for n in range(size)]
    chosen = choose_validation(examples, [[place] for place in range(len(examples))], 0.1, 3, True)
    found = Counter((examples[place].source.dataset, examples[place].output) for place in chosen)
    assert found == {cell: size // 10 for cell, size in shape.items()}


def test_what_a_model_wrote_is_a_source_of_its_own() -> None:
    examples = [offered(f"row {n}", row=n) for n in range(80)] + [offered(f"made up {n}", model="m") for n in range(20)]
    chosen = choose_validation(examples, [[place] for place in range(100)], 0.1, 0, False)
    assert Counter(examples[place].source.synthetic for place in chosen) == {False: 8, True: 2}


def test_the_choice_follows_content_and_seed_and_not_order() -> None:
    examples = [offered(f"text {n}", row=n) for n in range(50)]

    def texts(order: int, seed: int) -> set[str]:
        some = examples[::order]
        return {some[place].input for place in choose_validation(some, [[place] for place in range(50)], 0.2, seed, False)}

    assert texts(1, 7) == texts(-1, 7) and len(texts(1, 7)) == 10
    assert texts(1, 7) != texts(1, 8)


def test_a_share_of_nothing_and_one_group_have_no_validation() -> None:
    examples = [offered("a", row=0), offered("b", row=1)]
    assert choose_validation(examples, [[0], [1]], 0.0, 0, False) == set()
    assert choose_validation(examples, [[0, 1]], 0.5, 0, False) == set()
    assert choose_validation([], [], 0.5, 0, False) == set()


def test_the_hash_of_an_input_leaves_case_blanks_and_unicode_form_out() -> None:
    assert input_hash("Ärger  im\nHaus", 1) == input_hash("A\u0308RGER im haus ", 1) != input_hash("Ärger im Haus", 2)
