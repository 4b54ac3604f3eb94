"""What a description says about which rows it wants: its sentences cut into what is wanted only and what is to be left out."""

from __future__ import annotations

import re

from engine.plan.labels.words import folded
from engine.records import Value

_END = re.compile(r"[.!?](?=\s|$)|[;。！？।؟\n]+")
_ONLY = re.compile(
    r"(?<!\w)(?:only|just|solely|exclusively|nothing but|restrict\w*|limit\w* to|nur|ausschließlich|lediglich|seulement|uniquement"
    r"|ne garder que|sólo|solo|solamente|únicamente|soltanto|unicamente|apenas|somente|alleen|uitsluitend"
    r"|только|лишь|само|исключительно|тільки|лише|tylko|wyłącznie|pouze|jen|iba|samo|csak|bara|endast|kun|vain|doar|numai|μόνο|yalnız|yalnızca|sadece|hanya|cuma|chỉ"
    r"|tu|pekee|peke|فقط|केवल|सिर्फ|सिर्फ़|মাত্র|শুধু)(?!\w)|只|仅|僅|のみ|だけ|限定|(?<=\w)만(?=\s|$)|오직|เฉพาะ",
    re.IGNORECASE,
)
_OUT = re.compile(
    r"leave.{0,40} out|left out|(?<!\w)(?:skip|ignor|exclu|disregard|omit|drop|discard|remove|do not use|don't use|not needed"
    r"|no use|auslassen|weglassen|lass\w* .*(?:weg|aus)(?!\w)|überspring|entfern|verwerf|nicht verwend|brauche ich nicht"
    r"|laisse[rz]? de côté|écarter|retirer|supprim|omit|descart|elimin|saltar|пропус|исключ|не учитыв|не нужн|убрать|отброс|opuść"
    r"|pomiń|vynech|acha|ruka|usijumuishe|atla|çıkar|lewati|abaikan|bỏ|loại)|छोड़|हटा|忽略|跳过|排除|去掉|不要|除外|無視|제외|무시|빼고|تجاهل|استبعد|استثن",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"(?<!\w)(?:not|never|without|except|excepting|but no|no other|nicht|kein\w*|außer|ohne|pas|sauf|hormis|ni|sin|salvo|excepto|tranne|non"
    r"|не|кроме|без|oprócz|kromě|değil|hariç|bukan|kecuali|không|trừ|isipokuwa|sio|si)(?!\w)|不是|不要|除了|以外|ではなく|아닌|제외|ليس|नहीं",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"(?<!\w)(?:other|others|else|anybody|everything|rest|andere\w*|übrige\w*|sonstige\w*|autres?|otr[oa]s?|altr[iaeo]|outr[oa]s?|друг\w*|прочи\w*"
    r"|остальн\w*|inn[eyi]\w*|diğer|başka|lain|khác|ngine\w*|zingine|mengine)(?!\w)|其他|别的|他の|その他|다른|기타|अन्य|दूसर",
    re.IGNORECASE,
)
_SAVE = re.compile(r"(?<!\w)(?:except|other than|but for|besides|außer|sauf|excepto|salvo|кроме|hariç|kecuali|trừ)(?!\w)", re.IGNORECASE)
_SEVERAL = re.compile(r"several|more|mehrere|plusieurs|varias|varios|più|несколько|多个|複数|여러|कई|birkaç", re.IGNORECASE)
_ONE = re.compile(
    r"(?<!\w)(?:single|exactly one|one|einzige\w*|genau eine?\w*|eine?|une seule|un seul|une|un solo|una sola|una|uno|один|одн\w+"
    r"|jeden|tek|satu|một|moja)(?!\w)|一个|一個|ひとつ|一つ|하나|단일",
    re.IGNORECASE,
)


class Clause(Value):
    """A piece of a sentence about rows."""

    text: str
    """As the description has it."""
    said: str
    """Folded."""
    wanted: bool
    """False: rows of which this is true are to be left out."""
    strict: bool
    """The sentence says "only" or "leave out"; else it only speaks of the thing."""


def clauses(description: str) -> tuple[Clause, ...]:
    """Every sentence of the description, cut where it turns from what is wanted to what is not."""
    found: list[Clause] = []
    for sentence in _END.split(description):
        if sentence.strip():
            found += _cut(sentence)
    return tuple(clause for clause in found if clause.said)


def asks_for_one(clause: Clause) -> bool:
    """The clause speaks of exactly one of something."""
    return _ONE.search(clause.text) is not None and not _SEVERAL.search(clause.text)


def _cut(sentence: str) -> list[Clause]:
    only, out = _ONLY.search(sentence), _OUT.search(sentence)
    if out is not None and only is not None and only.start() < out.start():
        return [_clause(sentence[: out.start()], True, True), *_unwanted(sentence[out.start() :])]
    if out is not None:
        # Verbs at the end, as German has them, speak of all that stands before.
        if out.start() < 4 or len(sentence) - out.end() < 25:
            return _unwanted(sentence)
        return [_clause(sentence[: out.start()], True, False), *_unwanted(sentence[out.start() :])]
    turn = _NOT.search(sentence)
    if turn is None:
        return [_clause(sentence, True, only is not None)]
    return [_clause(sentence[: turn.start()], True, only is not None), *_unwanted(sentence[turn.end() :], only is not None)]


def _unwanted(text: str, strict: bool = True) -> list[Clause]:
    """What is left out; "all others" names nothing, and what follows "except" is wanted after all."""
    saved = _SAVE.search(text)
    if saved is not None:
        return [_clause(text[saved.end() :], True, strict)]
    return [] if _OTHER.search(text) else [_clause(text, False, strict)]


def _clause(text: str, wanted: bool, strict: bool) -> Clause:
    return Clause(text=text, said=folded(text), wanted=wanted, strict=strict)
