from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.quality.words import _ascii_pattern, _pattern, as_characters, marked_tokens, normalised, ranks_of, spans, tokens


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello, WORLD! It's here.", ["hello", "world", "it", "s", "here"]),
        ("3.5 - 2 = 1,5", ["3.5", "-", "2", "=", "1,5"]),
        ("a well-known foo_bar", ["a", "well", "known", "foo", "bar"]),
        ("我喜欢猫。", ["我", "喜", "欢", "猫"]),
        ("ｶﾀｶﾅ", ["カ", "タ", "カ", "ナ"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("שלום, עולם", ["שלום", "עולם"]),
        ("Straße ﬁne", ["strasse", "fine"]),
        ("🙂👍", ["🙂", "👍"]),
        ("???", []),
    ],
)
def test_a_text_is_its_words_numbers_and_signs(text: str, found: list[str]) -> None:
    assert tokens(text) == found


def test_thai_is_read_character_by_character() -> None:
    assert len(tokens("ภาษาไทยดี")) == 9


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("The  Cat\nsat.", "the cat sat", True),
        ("e\u0301tude", "étude", True),
        ("3 - 4", "3 / 4", False),
        ("3.5", "35", False),
        ("???", "!!!", False),
        (" ??? ", "???", True),
        ("\u202eabc", "abc", True),
    ],
)
def test_what_normalising_makes_the_same(one: str, other: str, same: bool) -> None:
    assert (normalised(one) == normalised(other)) is same


@given(st.text())
def test_normalising_again_changes_nothing_and_spans_point_at_the_tokens(text: str) -> None:
    plain = unicodedata.normalize("NFKC", text)
    found = list(spans(plain))
    assert all(plain[start:end].casefold() == token for token, start, end in found)
    assert [token for token, *_ in found] == [token for token, *_ in spans(plain)]


@given(st.text(st.characters(max_codepoint=127)))
def test_the_quick_way_for_ascii_finds_what_the_whole_one_does(text: str) -> None:
    assert _ascii_pattern().findall(text.lower()) == _pattern().findall(text.casefold())


@given(st.text(st.characters(max_codepoint=127)))
def test_marking_labels_changes_no_token(text: str) -> None:
    assert [word.removesuffix(":") for word in marked_tokens(text)] == tokens(text)


@given(st.lists(st.lists(st.sampled_from(["a", "b", "🙂", "d"]))))
def test_texts_are_equal_as_characters_where_their_tokens_are(texts: list[list[str]]) -> None:
    ranks, starts = ranks_of(texts)
    lined = [as_characters(ranks[starts[place] : starts[place + 1]]) for place in range(len(texts))]
    assert [len(line) for line in lined] == [len(text) for text in texts]
    for one, first in zip(lined, texts, strict=True):
        for other, second in zip(lined, texts, strict=True):
            assert (one == other) == (first == second)
