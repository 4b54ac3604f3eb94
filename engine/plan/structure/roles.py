"""Whether a column is the task's input or its output, by its name against the description and the examples' headings."""

from __future__ import annotations

import re

from engine.plan.labels.words import folded, meanings
from engine.plan.profile import ColumnProfile
from engine.plan.structure.shape import shape_of
from engine.records import Task

_OUT = frozenset(
    "target targets output outputs answer answers label summary ref reference references response reply completion "
    "solution correct corrected translation "
    "simplified formal result highlights tldr abstractive gold conclusion headline title caption keywords after fixed paraphrase chosen "
    "antwort zusammenfassung réponse résumé respuesta resumen ответ final query sql code human reply".split()
)
_IN = frozenset(
    "source input inputs question context document article text prompt passage sentence mr meaning noisy mistake error incorrect informal "
    "dialogue conversation body premise mistakes wrong draft instruction table triples frage kontext contexte pregunta вопрос".split()
)
_ANSWERS = re.compile(
    r"answer|solution|réponse|reponse|antwort|lösung|respuesta|solución|risposta|resposta|ответ|решени|cevap|yanıt|jawaban|jibu|trả lời|"
    r"उत्तर|答案|回答|答え|정답|답|إجابة|الجواب",
    re.IGNORECASE,
)
_TO_OUTPUT = frozenset(
    "into write output return produce generate give gives predict suggest invent compose create make schreibe gib erzeuge écris donne "
    "produis escribe genera escreva scrivi напиши выведи придумай yaz tulis andika".split()
)
_FROM_INPUT = frozenset(
    "from given for of about input describing aus für zu von anhand pour de partir selon para según для к из по per dari kutoka".split()
)
_BETWEEN = frozenset(
    "a an the this that one its his her their ein eine einen einem der die das den dem un une le la les du des una el los las il lo".split()
)


def answer_is_shown(task: Task) -> bool:
    """A heading of the examples' inputs names an answer: then an answer is given, not asked for."""
    return any(slot.heading and not slot.options and _ANSWERS.search(slot.heading) for slot in shape_of(task).slots)


def names_answer(profile: ColumnProfile) -> bool:
    """The column is called an answer."""
    return bool(_ANSWERS.search(profile.name))


def names_question(profile: ColumnProfile) -> bool:
    """The column's name says that it asks something."""
    words = folded(profile.name).split()
    return bool(words) and (words[-1] in ("question", "questions", "query", "queries") or "question" in meanings(words[-1]))


def names_output(profile: ColumnProfile) -> bool:
    """The column's name says that it is an output."""
    return any(re.sub(r"\d+$", "", word) in _OUT for word in folded(profile.name).split())


def output_role(profile: ColumnProfile, task: Task) -> tuple[float, str]:
    """0 to 1: how far a column's name says that it is the output, and why; of something nested its own name first."""
    words = [re.sub(r"\d+$", "", word) for word in folded(profile.name).split()]
    above = set(folded(profile.column).split()) if profile.steps else set()
    own = [word for word in words if word not in above]
    role, why = _role(own, profile, task) if own else (0.5, "")
    return (role, why) if (role, why) != (0.5, "") or own == words else _role(words, profile, task)


def _role(words: list[str], profile: ColumnProfile, task: Task) -> tuple[float, str]:
    if answer_is_shown(task) and names_answer(profile):
        return 0.05, "the examples show an answer in the input"
    if any(_heads(words, slot.heading) for slot in shape_of(task).slots if slot.heading and not slot.options):
        return 0.1, "the examples show it in the input"
    side, word = said_side(words, task.description)
    if side == "input":
        return 0.25, f"the description says “{word}” of the input"
    if any(word in _OUT for word in words):
        return 1.0, f"its name “{profile.name}” says output"
    if side == "output":
        return 0.9, f"the description asks for “{word}”"
    if any(word in _IN for word in words):
        return 0.15, ""
    said = folded(task.description).split()
    own = [word for word in words if len(word) > 3 and any(word[:5] == other[:5] for other in said)]
    return (0.6, f"the description says “{own[0]}”") if own else (0.5, "")


def said_side(words: list[str], description: str) -> tuple[str, str]:
    """("input" or "output", the word) where every mention of one of a name's words stands on one side in the description, else ("", "")."""
    said = folded(description).split()
    for word in words:
        if len(word) < 4:
            continue
        sides = {_side(said, place) for place, other in enumerate(said) if other[: max(5, len(word) - 1)] == word[: max(5, len(word) - 1)]}
        if len(sides) == 1 and "" not in sides:
            return sides.pop(), word
    return "", ""


def _side(said: list[str], place: int) -> str:
    """The side the nearest of the five words before stands for; one long word, an adjective, may lie between."""
    others = 0
    for before in reversed(said[max(0, place - 5) : place]):
        if before in _TO_OUTPUT:
            return "output"
        if before in _FROM_INPUT:
            return "input"
        others += before not in _BETWEEN
        if others > 1:
            return ""
    return ""


def _heads(words: list[str], heading: str) -> bool:
    goal = folded(heading).split()
    if not words or not goal:
        return False
    return words == goal or (
        len(goal) == 1 and (words[-1].rstrip("s") == goal[0].rstrip("s") or bool(meanings(words[-1]) & meanings(goal[0])))
    )
