"""Languages told, doubted, and taken as evidence for the side of a pair a column is."""

from __future__ import annotations

import pytest

from engine.plan.structure.languages import input_language, output_language, told_language
from engine.plan.trial import Proposal, propose, run_on
from engine.records import Output, Task, TaskExample
from tests.engine.plan.tables import Table

ROMANIAN = [
    "Bunica mea coace pâine proaspătă în fiecare dimineață de duminică.",
    "Trenul spre munte pleacă de la linia a treia peste zece minute.",
    "Copiii au găsit o pisică mică sub scara blocului vecin.",
    "Astă vară am cules cireșe din livada bunicilor mei.",
    "Fereastra bucătăriei este deschisă și afară plouă mărunt.",
]
ENGLISH = [
    "My grandmother bakes fresh bread every Sunday morning.",
    "The train to the mountains leaves from platform three in ten minutes.",
    "The children found a small cat under the stairs of the house next door.",
    "Last summer we picked cherries in my grandparents' orchard.",
    "The kitchen window is open and outside there is a light rain.",
]
GALICIAN = [
    "A miña avoa fai pan fresco todas as mañás de domingo na cociña.",
    "O tren cara ás montañas sae da vía tres dentro de dez minutos.",
    "Os nenos atoparon un gatiño debaixo das escaleiras da casa do lado.",
    "O verán pasado collemos cereixas na horta dos meus avós.",
    "A xanela da cociña está aberta e fóra cae unha chuvia miúda.",
]


def proposed(description: str, language: str, example: tuple[str, str], inputs: list[str], outputs: list[str]) -> tuple[Proposal, Table]:
    rows = [{"input": f"{inputs[n % 5]} ({n})", "output": f"{outputs[n % 5]} ({n})"} for n in range(40)]
    table = Table(rows)
    task = Task("t", description, language, Output("text"), (TaskExample(*example),))
    return propose(task, table.columns, table.rows), table


def test_the_language_of_a_column_says_more_than_its_name() -> None:
    example = ("The old man sells apples at the market on Fridays.", "Bătrânul vinde mere la piață în fiecare vineri.")
    found, table = proposed("Traduce propoziția din engleză.", "en", example, ROMANIAN, ENGLISH)
    assert found.plans, found.refusal
    made, _, _ = run_on(found.plans[0][0], table.columns, table.rows, Task("t", "", "en"))
    assert (made[0].input[:14], made[0].output[:10]) == ("My grandmother", "Bunica mea")


def test_names_decide_where_the_languages_stand_as_they_say() -> None:
    example = ("Bătrânul vinde mere la piață în fiecare vineri.", "The old man sells apples at the market on Fridays.")
    found, _ = proposed("Translate Romanian sentences.", "ro", example, ROMANIAN, ENGLISH)
    assert found.plans[0][0].emit is not None and found.plans[0][0].emit.output == "{{ output }}"


def test_a_language_that_cannot_be_told_is_not_refused_for_its_neighbours() -> None:
    example = ("O vello vende mazás no mercado os venres.", "The old man sells apples at the market on Fridays.")
    found, _ = proposed("Translate Galician into English.", "gl", example, GALICIAN, ENGLISH)
    assert found.plans, found.refusal


def test_a_clear_other_language_is_refused_by_its_name() -> None:
    example = ("The old man sells apples at the market on Fridays.", "Yes, and he sells pears, too.")
    found, _ = proposed("Reply in a friendly way.", "en", example, ROMANIAN, [text.upper() for text in ROMANIAN])
    assert not found.plans
    assert "ro" in found.refusal


@pytest.mark.parametrize(
    ("text", "expected", "told"),
    [
        (" ".join(GALICIAN), "gl", "gl"),
        (" ".join(GALICIAN), "en", "pt"),
        (" ".join(ROMANIAN), "en", "ro"),
        (" ".join(ENGLISH), "gl", "en"),
        ("Dječak jede jabuku u vrtu i čeka da njegova sestra dođe iz škole kući.", "sr", "sr"),
        ("Der alte Mann verkauft freitags auf dem Markt Äpfel und Birnen.", "da", "de"),
        ("El viejo vende manzanas y peras en el mercado de la plaza todos los viernes.", "pt", "es"),
        ("Gutten spiser et eple i hagen mens søsteren hans leser en lang bok.", "no", "no"),
        ("Budak lelaki itu makan sebiji epal di kebun bersama adiknya semalam.", "id", "id"),
    ],
)
def test_a_text_is_in_the_expected_language_unless_clearly_in_another(text: str, expected: str, told: str) -> None:
    assert told_language(text, expected) == told


def test_a_code_of_three_letters_is_the_language_it_names() -> None:
    example = ("The old man sells apples at the market on Fridays.", "El viejo vende manzanas en el mercado los viernes.")
    assert output_language(Task("t", "Traduce.", "eng", Output("text"), (TaskExample(*example),))) == "es"
    assert input_language(Task("t", "Sagutin.", "fil", Output("text"), (TaskExample("Kumusta ka?", "Mabuti."),))) == "tl"
