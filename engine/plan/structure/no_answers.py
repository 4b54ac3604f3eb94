"""Values that stand where a row has no answer, such as "not found": they are no output unless the task says so."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from engine.plan.labels.words import folded
from engine.records import Task

LEAST_SHARE = 0.02
"""Of the rows that must have such a value: what stands there once may be an answer."""
_NO_ANSWER = re.compile(
    r"\W*(?:n/?a|none|null|nil|nan|unknown|unanswerable|undefined|unspecified|missing"
    r"|not? (?:found|given|stated|available|known|specified|mentioned|reported|applicable|answerable|provided|answered)"
    r"|no (?:answer|data|information)"
    r"|keine? (?:angaben?|antwort|daten)|k\. ?a\.|unbekannt|nicht (?:angegeben|gefunden|bekannt)"
    r"|(?:aucune|pas de) (?:réponse|donnée)|inconnue?|non (?:trouvé|précisé|renseigné)e?"
    r"|sin (?:respuesta|datos)|desconocid[oa]|no (?:encontrado|disponible)|sem resposta|desconhecid[oa]|não (?:encontrado|informado)"
    r"|nessuna risposta|sconosciut[oa]|non (?:trovato|disponibile)|geen antwoord|onbekend|niet gevonden"
    r"|нет (?:ответа|данных)|неизвестно|не (?:найдено|указано)|brak (?:odpowiedzi|danych)|nieznan[ey]"
    r"|未知|不详|无|没有答案|无法回答|不明|なし|該当なし|回答なし|없음|알 수 없음|答案なし|अज्ञात|غير معروف)\W*",
    re.IGNORECASE,
)


def no_answers(texts: Sequence[str], task: Task) -> tuple[str, ...]:
    """The values among a column's texts that say there is no answer, where neither the examples nor the description has them."""
    filled = [text for text in texts if text.strip()]
    counts = Counter(text for text in filled if len(text) <= 40 and _NO_ANSWER.fullmatch(text))
    said = f" {folded(task.description)} "
    shown = {folded(example.output) for example in task.examples}
    return tuple(
        text
        for text, count in counts.items()
        if count >= max(2, LEAST_SHARE * len(filled)) and folded(text) not in shown and f" {folded(text)} " not in said
    )
