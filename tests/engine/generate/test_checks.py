"""What is no example is told by its text."""

from __future__ import annotations

import pytest

from engine.generate.checks import Checks
from engine.generate.form import Filled, Form
from engine.records import Output, Task, TaskExample

NOTES = Task(
    "notes",
    "Write a title for a short note about the weather.",
    examples=(
        TaskExample("We ate ice cream on the balcony until the sun went down.", "Ice cream outside"),
        TaskExample("Everyone came in with wet shoes, and the hall smelled of dog.", "Wet shoes in the hall"),
    ),
)
ASKING = Task(
    "asking",
    "Choose the right answer to a question.",
    output=Output("option_letter"),
    examples=(TaskExample("Where are books lent?\n(A)shop (B)library", "B"), TaskExample("Where do cows graze?\n(A)meadow (B)roof", "A")),
)
MOODS = Task(
    "moods",
    "Say whether a note is cheerful or gloomy.",
    output=Output("label", ("cheerful", "gloomy")),
    examples=(TaskExample("We danced all night.", "cheerful"), TaskExample("Nobody came to the party.", "gloomy")),
)


def fault(task: Task, *filled: str, output: str = "", right: str = "", wrong: tuple[str, ...] = ()) -> str:
    return Checks(task, Form(task)).fault(Filled(filled, output, right, wrong))


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("The lake froze over and the children went skating.", "Skating"),
        ("It rained for nine days, and then the cellar was full.", "Nine days of rain"),
    ],
)
def test_a_good_example_has_no_fault(text: str, title: str) -> None:
    assert fault(NOTES, text, output=title) == ""


@pytest.mark.parametrize(
    ("text", "title", "said"),
    [
        ("", "Skating", "empty"),
        ("The lake froze over in the night.", " ", "empty"),
        ("Example input", "Skating", "placeholder"),
        ("[insert a note here]", "Skating", "placeholder"),
        ("...", "Skating", "placeholder"),
        ("The lake froze over in the night.", "Output", "placeholder"),
        ("Sure! Here is another example of a note.", "Skating", "speaks"),
        ("Write a title for a short note about the weather.", "Skating", "description"),
        ("The lake froze over in the night, and then the", "Skating", "breaks off"),
        ("The lake froze over in the night, and we went there with", "Skating", "breaks off"),
        ("It rained and it rained and it rained and it rained and it rained and it rained.", "Rain", "repeats itself"),
        ("Rain fell on the town. " * 3 + "Snow fell on hills nearby and wind came. " * 9, "Rain", "repeats itself"),
        ("The lake froze over in the night.", "Skating " + "and more " * 30, "repeats itself"),
        (
            "The lake froze over in the night.",
            "A long day on the frozen lake with two dogs, a sledge, four cousins, "
            + "soup by the fire, and much new snow on each of the hills around us",
            "far",
        ),
        ("Мы катались на коньках весь день.", "Skating", "cyrillic"),
        ("The lake froze over in the night.", "Катание", "cyrillic"),
        ("Der See ist über Nacht zugefroren, und die Kinder gehen jetzt nach der Schule alle Schlittschuh laufen.", "Skating", "language"),
        ("The lake froze over.", "The lake froze over", "repeats the input"),
    ],
)
def test_a_fault_is_named(text: str, title: str, said: str) -> None:
    assert said in fault(NOTES, text, output=title)


def test_options_must_differ_and_hide_the_right_one() -> None:
    assert fault(ASKING, "Where do bees live?", right="hive", wrong=("nest", "sea")) == ""
    assert "the same" in fault(ASKING, "Where do bees live?", right="hive", wrong=("Hive.", "sea"))
    assert "stands in" in fault(ASKING, "Do bees live in a bee hive?", right="a bee hive", wrong=("a nest", "the sea"))
    assert "asks nothing" in fault(ASKING, "Bees live there.", right="hive", wrong=("nest", "sea"))
    assert "empty" in fault(ASKING, "Where do bees live?", right="hive", wrong=("", "sea"))


def test_an_input_that_says_its_label_is_no_example_where_the_users_do_not() -> None:
    assert fault(MOODS, "The dog was happy to see us.", output="cheerful") == ""
    assert "says its label" in fault(MOODS, "I am in a cheerful mood.", output="cheerful")
    assert "none of the labels" in fault(MOODS, "I am tired of it.", output="sad")
