"""Values to labels: what maps, for which reason, and what is left out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from engine.plan.labels.cases import leave_out
from engine.plan.labels.mapping import LabelMap, affirming, class_names_in, map_values
from engine.plan.profile import profile_columns
from engine.records import Column, Output, Row, Task


def mapped(
    values: Sequence[object], labels: tuple[str, ...], *, name: str = "label", description: str = "Say which.", column: Column | None = None
) -> LabelMap:
    rows = [Row(index, {name: value}) for index, value in enumerate(list(values) * 4)]
    profile = profile_columns([column or Column(name, "mixed")], rows)[0]
    return map_values(profile, Task("t", description, output=Output("label", labels)))


@pytest.mark.parametrize(
    ("values", "labels", "table"),
    [
        (["BookFlight", "CancelOrder"], ("book flight", "cancel order"), {"BookFlight": "book flight", "CancelOrder": "cancel order"}),
        (["POS", "NEG"], ("positive", "negative"), {"POS": "positive", "NEG": "negative"}),
        (["NGTV", "PSTV", "NEUT"], ("negativ", "neutral", "positiv"), {"NGTV": "negativ", "PSTV": "positiv", "NEUT": "neutral"}),
        (["entailment", "contradiction"], ("следование", "противоречие"), {"entailment": "следование", "contradiction": "противоречие"}),
        (["hateful_speech", "fine"], ("hate", "fine"), {"hateful_speech": "hate", "fine": "fine"}),
        ([True, False], ("sí", "no"), {"true": "sí", "false": "no"}),
        ([1, 0], ("да", "нет"), {"1": "да", "0": "нет"}),
    ],
)
def test_values_meet_the_labels_they_stand_for(values: list[object], labels: tuple[str, ...], table: dict[str, str]) -> None:
    found = mapped(values, labels)
    assert found.table == table
    assert found.score >= 0.5
    assert len(found.reasons) == len(table)


def test_stars_lie_on_the_scale_of_the_labels() -> None:
    found = mapped([1, 2, 3, 4, 5], ("positive", "neutral", "negative"), name="stars")
    assert [found.table[str(star)] for star in range(1, 6)] == ["negative", "negative", "neutral", "positive", "positive"]


def test_numbers_that_are_no_rating_are_no_scale() -> None:
    assert not mapped([0, 1, 2, 3], ("negative", "positive"), name="votes_for_rude").table
    assert not mapped([1, 2, 3, 4, 5], ("negative", "positive"), name="season").table
    assert mapped([1, 2, 3, 4, 5], ("negative", "positive"), name="rating").table["5"] == "positive"


def test_nothing_of_the_kind_is_not_a_negative_tone() -> None:
    assert not mapped(["rude", "cruel", "neither"], ("positive", "negative")).table


def test_class_names_stand_for_their_numbers() -> None:
    column = Column("label", "integer", class_names=("sports_news", "weather_report"))
    assert mapped([0, 1], ("weather", "sports"), column=column).table == {"0": "sports", "1": "weather"}


def test_a_value_no_label_fits_is_left_out_and_never_guessed() -> None:
    found = mapped(["positive", "negative", "conflicting"], ("positiv", "negativ"))
    assert "conflicting" in found.left_out
    assert "conflicting" not in found.table


def test_the_value_the_description_names_is_the_case_for_yes() -> None:
    found = mapped(["rain", "snow", "sun"], ("yes", "no"), name="weather", description="Answer yes when the weather is snow, otherwise no.")
    assert found.table == {"rain": "no", "snow": "yes", "sun": "no"}


def test_a_description_with_a_case_for_each_label_turns_none_around() -> None:
    description = 'Write "POS" if the tone of the line is positive or write "NEG" if the tone of the line is negative.'
    assert mapped(["neutral", "negative", "positive"], ("POS", "NEG"), description=description).table == {
        "negative": "NEG",
        "positive": "POS",
    }
    apart = 'Answer "yes" if the mood is delight or "no" if the mood is worry.'
    assert mapped(["calm", "worry", "delight"], ("yes", "no"), description=apart).table == {"worry": "no", "delight": "yes"}


def test_a_question_about_one_meaning_maps_the_others_to_no() -> None:
    found = mapped(["PSTV", "NGTV", "NEUT"], ("да", "нет"), description="Слово положительное?")
    assert found.table == {"PSTV": "да", "NGTV": "нет", "NEUT": "нет"}


def test_a_question_about_the_negative_value_is_one() -> None:
    found = mapped(["positive", "negative", "neutral"], ("ya", "tidak"), description="Apakah komentar ini bernada negatif?")
    assert found.table == {"positive": "tidak", "negative": "ya", "neutral": "tidak"}


def test_unrelated_values_map_to_nothing() -> None:
    found = mapped(["Addition", "Division", "Subtraction"], ("toxic", "fine"))
    assert found.table == {}
    assert found.score == 0


def test_numbers_without_names_do_not_become_classes() -> None:
    assert mapped([0, 1, 2], ("entailment", "neutral", "contradiction")).table == {}


def test_class_names_are_read_from_a_description() -> None:
    assert class_names_in("0 calm weather, 1 storm, 2 neither", ["0", "1", "2"]) == ("calm weather", "storm", "neither")
    assert class_names_in("0 = no, 1 = yes", ["0", "1", "2"]) == ()
    assert class_names_in("from 0 to 5", ["0", "1"]) == ()


def test_what_the_description_leaves_out_is_found_by_name_and_by_initials() -> None:
    assert set(leave_out(["oos", "travel"], "Name the area. Leave out what is out of scope.")) == {"oos"}
    assert set(leave_out(["mixed", "good"], "Mixed reviews are fine. Skip the mixed ones.")) == {"mixed"}
    assert leave_out(["travel"], "Such as travel.") == {}


@pytest.mark.parametrize(
    ("labels", "pair"), [(("nein", "ja"), ("ja", "nein")), (("fine", "toxic"), ("toxic", "fine")), (("cat", "dog"), None)]
)
def test_the_affirming_label_is_known_where_there_is_one(labels: tuple[str, ...], pair: tuple[str, str] | None) -> None:
    assert affirming(labels) == pair


def test_names_that_sound_alike_across_alphabets_meet() -> None:
    found = mapped(["Phonetics", "Comedy", "none"], ("фонетика", "комедия"))
    assert found.table == {"Phonetics": "фонетика", "Comedy": "комедия"}


def test_the_opposite_of_a_value_takes_the_label_left() -> None:
    assert mapped(["ambiguous", "unambiguous"], ("unclear", "plain")).table == {"ambiguous": "unclear", "unambiguous": "plain"}
    assert not mapped(["politics", "gardening"], ("politics", "cookery")).table, "one sure value says nothing of the other one"


def test_the_description_groups_values_under_a_label() -> None:
    values = ["Indoor", "Outdoor", "Chess", "Knitting"]
    assert mapped(values, ("GYM", "BOARD"), description="GYM (in- and outdoor together) or BOARD (chess). Skip the rest.").table == {
        "Indoor": "GYM",
        "Outdoor": "GYM",
        "Chess": "BOARD",
    }
    said = "Say mail or money. Letters and parcels both count as mail; money: invoices, refunds."
    assert mapped(["letters", "parcels", "invoices", "refunds"], ("mail", "money"), description=said).table == {
        "letters": "mail",
        "parcels": "mail",
        "invoices": "money",
        "refunds": "money",
    }


def test_what_a_label_excludes_is_not_put_under_it() -> None:
    found = mapped(["storms", "floods", "sunshine"], ("bad", "good"), description="bad (storms, but not floods), good (sunshine)")
    assert found.table == {"storms": "bad", "sunshine": "good"}


def test_a_label_for_the_rest_takes_the_rest_once_all_others_have_their_value() -> None:
    values = ["music", "chess", "tennis"]
    assert mapped(values, ("music", "chess", "other")).table == {"music": "music", "chess": "chess", "tennis": "other"}
    assert "tennis" not in mapped(values, ("music", "poetry", "other")).table


def test_a_value_the_description_leaves_out_is_not_the_value_left_over() -> None:
    found = mapped(["sports", "news", "india", "music"], ("खेल", "देश", "संगीत"), description="खेल, देश या संगीत। समाचार छोड़ दें।")
    assert found.table == {"sports": "खेल", "india": "देश", "music": "संगीत"}


def test_a_yes_or_no_column_is_taken_only_for_what_its_values_are_about() -> None:
    values = ["SPAMMY", "OTHER"]
    assert mapped(values, ("ja", "nein"), description="Ist die Nachricht Spam?").table == {"SPAMMY": "ja", "OTHER": "nein"}
    assert not mapped(values, ("ja", "nein"), description="Ist die Nachricht höflich?").table
    assert not mapped(["insult", "threat", "none"], ("yes", "no"), description="Is the post a question about cooking?").table
    assert not mapped(["insult", "threat", "none"], ("yes", "no"), description="Is it mean?").table


def test_of_two_opposite_values_the_plain_one_is_what_a_question_asks_about() -> None:
    values = ["pro-vaccination", "anti-vaccination"]
    question = "Is the writer in favour of vaccination?"
    assert mapped(values, ("yes", "no"), description=question).table == {"pro-vaccination": "yes", "anti-vaccination": "no"}
    assert not mapped(values, ("yes", "no"), description="Does the post argue against vaccination?").table
    assert not mapped(values, ("yes", "no"), description="Is the post funny?").table


def test_a_numbered_class_is_what_its_name_says_and_no_truth_value() -> None:
    column = Column("label", "integer", class_names=("non_ironic", "ironic"))
    assert mapped([0, 1], ("yes", "no"), column=column, description="Is the post ironic?").table == {"1": "yes", "0": "no"}
    assert not mapped([0, 1], ("yes", "no"), column=column, description="Is the post about gardens?").table


def test_a_denied_value_is_not_like_the_label_it_denies() -> None:
    assert mapped(["non_ironic", "ironic"], ("irony", "serious")).table == {"ironic": "irony", "non_ironic": "serious"}


def test_stars_are_a_tone_and_no_level_of_something_else() -> None:
    assert mapped([1, 2, 3, 4, 5], ("positive", "negative"), name="stars").table["5"] == "positive"
    assert not mapped([1, 2, 3, 4, 5], ("low", "medium", "high"), name="stars", description="How urgent is it?").table
    assert (
        mapped([1, 2, 3], ("easy", "medium", "hard"), name="difficulty_score", description="Difficulty of the piece").table["3"] == "hard"
    )


def test_numbers_are_months_only_in_a_column_of_months() -> None:
    months = ("January", "February", "March")
    assert not mapped([1, 2, 3], months, name="grade").table
    assert mapped([1, 2, 3], months, name="month").table == {"1": "January", "2": "February", "3": "March"}


def test_single_letters_are_the_first_letters_of_all_labels_or_of_none() -> None:
    assert mapped(["X", "K"], ("Xylophone", "Kazoo")).table == {"X": "Xylophone", "K": "Kazoo"}
    assert mapped(["xylophone", "kazoo"], ("K", "X")).table == {"xylophone": "X", "kazoo": "K"}
    assert not mapped(["X", "Q"], ("Xylophone", "Kazoo")).table


def test_one_and_nought_are_labels_the_description_explains() -> None:
    assert mapped(["junk", "fine"], ("1", "0"), description="1 for junk, 0 for all good messages").table == {"junk": "1", "fine": "0"}


def test_codes_in_brackets_belong_to_the_label_before_them() -> None:
    found = mapped(["L1", "L2", "L3"], ("novice", "expert"), description="novice (L1, L2) or expert (L3)")
    assert found.table == {"L1": "novice", "L2": "novice", "L3": "expert"}


def test_one_value_of_many_that_the_question_names_is_the_case_for_yes() -> None:
    values = ["OrderTaxi", "PlayRadio", "SetAlarm", "0"]
    found = mapped(values, ("yes", "no"), name="intent", description="Does the speaker want a taxi?")
    assert found.table == {"OrderTaxi": "yes", "PlayRadio": "no", "SetAlarm": "no", "0": "no"}
    assert not mapped(values, ("yes", "no"), name="intent", description="Is the message free of any taxi?").table
    assert not mapped(values, ("yes", "no"), name="intent", description="Does the speaker play a radio or set an alarm?").table


def test_chance_likenesses_do_not_answer_a_question() -> None:
    assert not mapped(["Polish", "Danish", "Czech"], ("yes", "no"), description="Is the user polite? yes / no").table
    assert not mapped(["it", "sw", "ta"], ("yes", "no"), description="Say yes when the raters found it well formed, otherwise no.").table
    assert not mapped(["OTHER", "INSULT"], ("yes", "no"), description="Say yes for a long text, otherwise no.").table
    assert not mapped(["o", "n", "p", "r"], ("POS", "NEG", "NEU")).table
    assert not mapped(["2.4", "1.1", "0.7"], ("1", "2", "0")).table
    assert mapped(["1 star", "2 stars"], ("1", "2")).table == {"1 star": "1", "2 stars": "2"}
