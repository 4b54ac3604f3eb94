from __future__ import annotations

import pytest

from engine.errors import BadInput
from engine.quality.language_check import check_languages

ENGLISH = [
    "Where did you put the keys?",
    "I will call you tomorrow morning.",
    "What a wonderful evening it was!",
    "She never told me about that.",
    "Can we meet at the station at five?",
    "The weather is getting colder every day.",
]
GERMAN = ["Wo hast du die Schlüssel hingelegt?", "Ich rufe dich morgen früh an.", "Das hat sie mir nie erzählt."]
RUSSIAN = ["Куда ты положил ключи?", "Я позвоню тебе завтра утром.", "Она мне об этом не говорила."]


def test_short_texts_in_other_languages_are_out_with_a_reason() -> None:
    found = check_languages([*ENGLISH, *GERMAN, *RUSSIAN], "en")
    assert [one.kept for one in found.verdicts] == [True] * 6 + [False] * 6
    assert found.verdicts[6].reason == "in de, not in en"
    assert found.verdicts[9].reason == "Cyrillic letters, in which en is not written"
    assert (found.in_language, found.other) == (6, 6) and found.found == {"en": 6, "de": 3, "Cyrillic": 3}


def test_the_other_way_round_english_is_out() -> None:
    found = check_languages([*ENGLISH[:3], *GERMAN], "de")
    assert [one.kept for one in found.verdicts] == [False] * 3 + [True] * 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12345",
        "3 + 4 = 7",
        "def f(x):\n    return x",
        "src/main/java/App.java",
        "yes",
        "Barack Obama",
        "New York City",
        "🙂🙂",
        "https://a.b/c",
    ],
)
def test_of_code_numbers_labels_and_names_nothing_is_told(text: str) -> None:
    verdict = check_languages([text], "en").verdicts[0]
    assert verdict.kept and verdict.kind == "not told" and verdict.reason


def test_labels_have_no_language() -> None:
    assert check_languages(["sehr schlecht"], "en", labels=["Sehr schlecht"]).verdicts[0].reason == "a label"


def test_a_text_half_in_another_language_is_mixed() -> None:
    text = " ".join(ENGLISH) + " " + " ".join([*GERMAN, "Wir treffen uns um fünf Uhr am Bahnhof.", "Das Wetter wird jeden Tag kälter."])
    assert check_languages([text], "en").mixed == 1
    assert not check_languages([text], "en", keep_mixed=False).verdicts[0].kept


def test_chinese_and_japanese_are_told_by_their_letters() -> None:
    assert check_languages(["今天天气很好"], "zh").in_language == 1
    assert check_languages(["今天天气很好", "これは本です"], "en").other == 2
    assert check_languages(["これは本です"], "ja").in_language == 1


def test_broken_and_empty_texts_are_answered_and_an_unknown_language_refused() -> None:
    assert check_languages([], "en").examples == 0
    assert len(check_languages(["\ud800 hello my dear friends", "x" * 200_000, "\u202eשלום לכם חברים"], "en").verdicts) == 3
    with pytest.raises(BadInput, match="cannot be recognised"):
        check_languages(["a"], "qq")
