from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.quality.template import template_of, templates
from tests.engine.quality.pairs import example, sentences


def _framed(text: str, options: str = "yes no") -> str:
    return f"Read the text below with care.\nPremise: {text}\nQuestion: What is the cause of it?\nOptions: {options}"


def test_what_all_texts_share_is_left_out() -> None:
    texts = sentences(40)
    template = template_of([_framed(text, text[:5]) for text in texts])
    assert template.content(_framed(texts[0], "ka")) == [*texts[0].split(), "ka"]
    assert template.remaining(_framed(texts[0], "ka")) == f"{texts[0]}\nka"
    assert 0.4 < template.share < 0.7


def test_labels_in_the_middle_of_a_line_are_left_out_too() -> None:
    texts = sentences(40)
    template = template_of([f"{text} Answer: {text[::-1]}" for text in texts])
    assert "answer" not in template.content(f"{texts[0]} Answer: mimi")


def test_few_texts_have_no_template_and_neither_have_unlike_ones() -> None:
    assert not template_of([_framed(text) for text in sentences(19)])
    assert not template_of(sentences(100))


def test_copies_make_no_template() -> None:
    assert not template_of(["the same text of many words again"] * 100 + sentences(30))


def test_a_text_that_is_nothing_but_template_stays_whole() -> None:
    template = template_of([_framed(text) for text in sentences(40)])
    bare = "Premise: Question: Options:"
    assert template.content(bare) == ["premise", "question", "options"]
    assert template.remaining(bare) == bare
    assert template.content_lines(bare) == [["premise", "question", "options"]]


def test_every_source_has_its_own() -> None:
    pairs = [example(_framed(text), dataset="one") for text in sentences(30)]
    pairs += [example(f"Summarise this for me now: {text}", dataset="two") for text in sentences(30, seed=1)]
    found = templates(pairs)
    assert found[0] is found[29] and found[0] is not found[30]
    assert "summarise" not in found[30].content(pairs[30].input)
    assert "summarise" in found[0].content(pairs[30].input)


@given(st.lists(st.text(max_size=40), min_size=20, max_size=30), st.text(max_size=60))
def test_lines_hold_the_same_tokens_as_the_whole(texts: list[str], text: str) -> None:
    template = template_of([f"Label one two three: {one}" for one in texts])
    whole = f"Label one two three: {text}"
    assert [token for line in template.content_lines(whole) for token in line] == template.content(whole)
