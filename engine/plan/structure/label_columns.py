"""What a column's name and neighbours say of it as the place where labels are: how likely, about what, told twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.plan.labels.relevance import concerns, near_in_meaning, telling_words
from engine.plan.labels.words import folded
from engine.plan.profile import ColumnProfile, Sample, as_number
from engine.plan.structure.option_sets import siblings
from engine.plan.structure.options import choosers
from engine.plan.structure.shape import shape_of
from engine.records import Task, Value

if TYPE_CHECKING:
    from models.embedding import Embedder

LABEL_NAME = re.compile(
    r"label|class|categor|target|gold|tag|sentiment|polarity|emotion|topic|intent|domain|rating|stars|score|type|genre|judg", re.IGNORECASE
)
ONE_VOICE = re.compile(r"annotator|author|worker|rater|label_?[2-9]$|(?<!\w)old|noisy|pred|silver", re.IGNORECASE)
RATED = re.compile(
    r"rated|rating|score|stars?\b|points?\b|grade|bewert|stern|punkt|\bnoten?\b|étoile|noté|estrella|puntu|puntos|stelle|оцен|балл|звезд|рейтинг"
    r"|评分|得分|分数|星|評価|点|별점|점수|अंक|रेटिंग|تقييم|puan|nilai|bintang",
    re.IGNORECASE,
)
"""Words for a number that people gave."""
COUNTER = re.compile(r"(^|[_\-. ])(id|idx|index|no|nr|num|number|count|season|episode|page|year)$", re.IGNORECASE)


class Unmapped(Value):
    """A column that might have held the labels, and why it does not."""

    column: str
    values: tuple[str, ...]
    said: tuple[str, ...]
    """Labels that some value maps to."""


def voted_names(profile: ColumnProfile, sample: Sample) -> tuple[str, ...]:
    """Class names of an integer that is the place of the largest of as many number columns standing side by side (votes)."""
    if profile.low != 0 or profile.high is None or profile.whole < 1 or not 2 <= profile.high + 1 <= 12:
        return ()
    size = int(profile.high) + 1
    plain = [other for other in sample.profiles if not other.steps]
    for start in range(len(plain) - size + 1):
        run = plain[start : start + size]
        if any(other.low is None or other.low < 0 or other.name == profile.name for other in run):
            continue
        agree = told = 0
        for row in range(sample.rows):
            votes = [as_number(sample.values[other.name][row]) or 0.0 for other in run]
            place = as_number(sample.values[profile.name][row])
            if place is None or votes.count(max(votes)) > 1:
                continue
            told += 1
            agree += votes.index(max(votes)) == int(place)
        if told >= 8 and agree >= 0.97 * told:
            return tuple(folded(other.name) for other in run)
    return ()


def weight_of(profile: ColumnProfile, task: Task) -> float:
    """How much a column's name speaks for it: label-like, mentioned in the description, one annotator's voice."""
    weight = 1.0 if LABEL_NAME.search(profile.name) else 0.95
    words = [word for word in folded(profile.name).split() if len(word) > 3]
    said = folded(task.description)
    if any(word in said or word[:6] in said for word in words):
        weight += 0.05
    if ONE_VOICE.search(profile.name):
        weight -= 0.12
    if (COUNTER.search(profile.name) and not LABEL_NAME.search(profile.name)) or (
        all(as_number(label) is not None for label in task.output.labels) and weight < 1.0
    ):
        weight *= 0.3
    return min(1.0, weight) - (0.03 if profile.single_item else 0.0) - (0.2 if profile.first_item else 0.0)


def about(profile: ColumnProfile, sample: Sample, task: Task, embedder: Embedder | None = None) -> tuple[float, str]:
    """How likely a column of truth values is about what the task asks, and why: its name says so, or says nothing at all.

    A name that speaks of something else makes the column the answer to another question, whatever its values.
    """
    asked = f"{task.description} {' '.join(task.output.labels)}"
    words = concerns(profile.name, asked)
    if words:
        return 1.0, f"{profile.name} has to do with “{words[0]}”"
    own = next((set(names) for _, names in siblings([other.name for other in sample.profiles]) if profile.name in names), {profile.name})
    if profile.column in choosers(sample) and len(own) == 1:
        return 0.3, f"{profile.name} says which of several options is right"
    if not telling_words(profile.name) and _ANSWER.search(profile.name) and _questions_there(sample, task):
        return 0.85, f"{profile.name} answers the question beside it"
    if not telling_words(profile.name):
        said = f"nothing says what {profile.name} is true of"
        return (0.55, f"{said}, but both the task and the rows are about two texts") if _two_texts(sample, task) else (0.3, said)
    if near_in_meaning(profile.name, task.description, task.language, embedder):
        return 0.95, f"{profile.name} is near to the task in meaning"
    return 0.3, f"the task does not speak of {profile.name}"


_ANSWER = re.compile(r"answer|antwort|réponse|respuesta|risposta|resposta|ответ|答|답|उत्तर|إجابة|jibu|jawaban|cevap", re.IGNORECASE)


def _questions_there(sample: Sample, task: Task) -> bool:
    """The rows have a column of questions, and so have the examples."""
    asking = [
        profile.name for profile in sample.profiles if profile.free_text and re.search(r"question|query", profile.name, re.IGNORECASE)
    ]
    return bool(asking) and any(re.search(r"[?？؟]", example.input) for example in task.examples)


def _two_texts(sample: Sample, task: Task) -> bool:
    """The examples' inputs have two pieces, and the rows have two texts side by side: both are about how these two are related."""
    if len(shape_of(task).slots) != 2:
        return False
    texts = {profile.name for profile in sample.profiles if profile.free_text}
    return any(len(names) == 2 and set(names) <= texts for _, names in siblings([profile.name for profile in sample.profiles]))


def counted(profile: ColumnProfile, task: Task) -> float:
    """How far labels that are numbers may be read off a column of numbers: what it counts, its name has to say.

    1 where its name is in the description or both speak of a rating, less where only the description does, else nearly nothing.
    """
    if not profile.numeric or profile.class_names or not all(as_number(label) is not None for label in task.output.labels):
        return 1.0
    wanted = set(map(as_number, task.output.labels))
    if set(map(as_number, profile.counts)) <= wanted and concerns(profile.name, task.description):
        return 1.0
    rated = RATED.search(task.description) is not None
    if rated and RATED.search(profile.name):
        return 1.0
    exact = set(map(as_number, profile.counts)) == wanted
    return 0.6 if rated and exact and not telling_words(profile.name) else 0.3


def same_question(profile: ColumnProfile, sample: Sample) -> tuple[str, ...]:
    """Columns that hold the same values row by row (other annotators, the label as a number): never shown."""
    own = sample.texts(profile.name)
    return tuple(
        other.name
        for other in sample.profiles
        if other.name != profile.name
        and not other.steps
        and other.label_set
        and sum(a == b for a, b in zip(own, sample.texts(other.name), strict=True)) > 0.5 * len(own)
    )


def class_name(value: str, profile: ColumnProfile) -> str:
    """What a value is called: its class name where it is the number of one."""
    place = int(value) if value.isdigit() else -1
    return profile.class_names[place] if 0 <= place < len(profile.class_names) else value
