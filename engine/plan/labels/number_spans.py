"""Ranges of numbers that a description gives its labels: "at least 4", "0.2 or lower", "between 3 and 5", "one or more"."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

from engine.records import Value


class NumberSpan(Value):
    """Numbers from `low` to `high`, each end included or not."""

    low: float = -math.inf
    high: float = math.inf
    low_in: bool = True
    high_in: bool = True
    said: str = ""
    """The words, and where they stand in the description."""
    start: int = 0
    end: int = 0
    percent: bool = False

    @property
    def bare(self) -> bool:
        """A single number, which may be anything."""
        return self.low == self.high


_COUNTS = {
    1: "one|a single|ein(?:e|em|en|er|es)?|un|une|uno|una|um|uma|um[ao]|один|одн[аои]го|одна|одно|一|ひと|하나|한|एक|واحد|satu|bir|mmoja",
    2: "two|zwei|deux|dos|due|dois|duas|два|две|двух|两|二|둘|두|दो|dua|iki|wawili",
    3: "three|drei|trois|tres|tre|três|три|трёх|трех|三|셋|세|तीन|tiga|üç|watatu",
    4: "four|vier|quatre|cuatro|quattro|quatro|четыре|四|넷|네|चार|empat|dört",
    5: "five|fünf|cinq|cinco|cinque|пять|五|다섯|पाँच|lima|beş",
    6: "six|sechs|seis|sei|шесть|六",
    7: "seven|sieben|sept|siete|sette|sete|семь|七",
    8: "eight|acht|huit|ocho|otto|oito|восемь|八",
    9: "nine|neun|neuf|nueve|nove|девять|九",
    10: "ten|zehn|dix|diez|dieci|dez|десять|十",
}
_WORD = "|".join(_COUNTS.values())
_NUMBER = rf"(?:(?<![A-Za-z\d.,])[-−]?\d+(?:[.,]\d+)?(?:\s*%)?(?![A-Za-z\d]|[.,]\d)|(?<!\w)(?:{_WORD})(?!\w))"
_CJK_NUMBER = r"(?:[-−]?\d+(?:[.,]\d+)?%?|[一二两三四五六七八九十])"
_AT_LEAST = (
    r"at least|since|seit|depuis|desde|с тех пор как|no less than|не меньше|nicht weniger als|nicht unter"
    r"|pas moins de|no menos de|not less than|minimum|from|≥|>=|mindestens"
    r"|wenigstens|ab|au moins|al menos|por lo menos|almeno"
    r"|pelo menos|не менее|"
    r"не ниже|хотя бы|минимум|от|至少|不低于|최소|कम से कम|minimal|setidaknya|en az|angalau|على الأقل"
)
_AT_LEAST_AFTER = (
    r"(?:or|and) (?:more|above|higher|better|over|up|greater|later|newer)|oder später|ou plus tard|o más tarde"
    r"|или позже|\+|at least|oder (?:mehr|höher|besser|darüber)|und mehr"
    r"|ou plus|et plus|o más|y más"
    r"|o más alto|o più|ou mais|и более|и больше|или более|или больше|и выше|или выше|以上|이상|या अधिक|atau lebih|veya daha fazla|na zaidi"
)
_MORE = (
    r"more than|above|over|after|nach|après|después de|dopo|depois de|после|greater than|higher than|better than"
    r"|exceeds?|exceeding|>|mehr als|über|größer als|höher als"
    r"|plus de|supérieure? à|"
    r"más de|mayor (?:que|de)|superior a|più di|mais de|более|больше|выше|свыше|超过|大于|高于|lebih dari|zaidi ya|أكثر من"
)
_MORE_AFTER = r"초과|से अधिक|より大きい|より多い|超"
_AT_MOST = (
    r"at most|no more than|не больше|nicht mehr als|nicht über|pas plus de|no más de|not more than|up to|maximum|≤|<="
    r"|höchstens|maximal|bis zu|bis|au plus|au maximum|como máximo"
    r"|a lo sumo|al massimo|"
    r"no máximo|не более|не выше|максимум|до|至多|不超过|最多|maksimal|paling banyak|en fazla"
)
_AT_MOST_AFTER = (
    r"(?:or|and) (?:less|below|lower|worse|under|fewer|earlier)|oder früher|ou plus tôt|o antes|или раньше"
    r"|oder (?:weniger|niedriger|tiefer|schlechter|darunter)|und weniger"
    r"|ou moins|et moins"
    r"|o menos|y menos|o meno|ou menos|и менее|и меньше|или меньше|или менее|и ниже|или ниже|以下|이하|या कम|atau kurang|veya daha az"
)
_LESS = (
    r"less than|below|under|before|vor|avant|antes de|prima di|до того как|раньше|lower than|fewer than|worse than|<"
    r"|weniger als|unter|kleiner als|moins de|inférieure? à"
    r"|menos de|menor (?:que|de)|"
    r"inferior a|meno di|menos de|менее|меньше|ниже|小于|低于|少于|kurang dari|chini ya|أقل من"
)
_LESS_AFTER = r"미만|से कम|未満|より小さい"
_BETWEEN = r"(?:between|from|zwischen|von|entre|de|desde|tra|fra|da|от|с|从)\s+"
_TO = r"\s*(?:-|–|—|~|〜|～|to|and|through|bis|und|à|et|a|y|e|до|и|至|到|から)\s*"
_OR = r"\s*(?:or|and|oder|und|ou|et|o|y|e|или|и|或|和|か|또는|या|/|,)\s*"
_FILLER = r"(?:\s*(?:a|an|of|the|rating|score|rated|einer|eine|eine bewertung|note|de|of at)\s+)*\s*"
_NOBODY = (
    r"\b(?:nobody|no ?one|no (?:rater|annotator|judge|worker|reviewer|person|vote)s?|none of the \w+|niemand"
    r"|keine[rs]?|personne|aucun\w*|nadie|"
    r"ninguno|nessuno|ninguém|никто|ни один)\b|没有人|無人|誰も|아무도"
)
_ANYBODY = (
    r"\b(?:any|some|irgendein\w*|jemand|au moins un|algún|alguno|хоть один)\s+(?:one\s+)?(?:of the\s+)?"
    r"(?:rater|annotator|judge|worker|reviewer|person|people|voter|vote)s?\b"
)


def number_spans(description: str) -> tuple[NumberSpan, ...]:
    """The ranges in the order they stand, none inside another; single numbers too."""
    found: list[NumberSpan] = []
    number = rf"({_NUMBER}|{_CJK_NUMBER})"
    after = r"\s*[\w%'’]{0,12}\s*"

    def add(match: re.Match[str], low: str | None, high: str | None, low_in: bool = True, high_in: bool = True) -> None:
        if any(match.start() < span.end and span.start < match.end() for span in found):
            return
        ends = [math.inf if text is None else _read(text) for text in (low, high)]
        below = -math.inf if low is None else ends[0]
        said = match.group(0).strip(" ,;:")
        if below <= ends[1]:
            found.append(NumberSpan(below, ends[1], low_in, high_in, said, match.start(), match.end(), "%" in said))

    def each(pattern: str) -> list[re.Match[str]]:
        return list(re.finditer(pattern, description, re.IGNORECASE))

    for match in each(_ANYBODY):
        add(match, "1", None)
    for match in each(_NOBODY):
        add(match, "0", "0")
    for match in each(rf"{_BETWEEN}{number}{_TO}{number}"):
        add(match, match.group(1), match.group(2))
    for words, behind, lower, inclusive in (
        (_AT_LEAST, _AT_LEAST_AFTER, True, True),
        (_AT_MOST, _AT_MOST_AFTER, False, True),
        (_MORE, _MORE_AFTER, True, False),
        (_LESS, _LESS_AFTER, False, False),
    ):
        for match in [
            *each(rf"{number}{after}(?:{behind})(?![A-Za-z])"),
            *each(rf"(?:(?<!\w)|(?<=[\u3040-\u9fff]))(?:{words}){_FILLER}{number}"),
        ]:
            text = match.group(1)
            add(match, text if lower else None, None if lower else text, inclusive, inclusive)
    digits = r"(?<![A-Za-z\d.,])([-−]?\d+(?:[.,]\d+)?)(?![A-Za-z\d])"
    for match in each(rf"{digits}\s*(?:-|–|—|~|〜|～|to|bis|à|до|至|到|から)\s*{digits}"):
        add(match, match.group(1), match.group(2))
    for match in each(rf"{digits}{_OR}{digits}"):
        one, other = _read(match.group(1)), _read(match.group(2))
        if abs(one - other) == 1:
            add(match, match.group(1 if one < other else 2), match.group(2 if one < other else 1))
    for match in each(digits):
        add(match, match.group(1), match.group(1))
    return tuple(sorted(found, key=lambda span: span.start))


def _read(text: str) -> float:
    plain = text.casefold().strip().replace("−", "-")
    digits = re.match(r"[-]?\d+(?:[.,]\d+)?", plain)
    if digits:
        return float(digits.group(0).replace(",", "."))
    return float(next(count for count, words in _COUNTS.items() if re.fullmatch(words, plain)))


_OTHERWISE = (
    r"in between|in the middle|dazwischen|entre les deux|en medio|между ними|посередине|之间|中间|その間|"
    r"otherwise|else|all others?|the others?|the rest|everything else|anything else|sonst|andernfalls|alle anderen"
    r"|alles andere|die übrigen|sinon|"
    r"autrement|si no|de lo contrario|en caso contrario|altrimenti|senão|caso contrário|иначе|в противном случае|остальн\w+|否则|其他|其余|"
    r"それ以外|そうでなければ|그렇지 않으면|अन्यथा|वरना|jika tidak|selain itu|aksi halde|vinginevyo|وإلا"
)


def spans_of_labels(description: str, labels: Sequence[str]) -> tuple[dict[str, NumberSpan], str]:
    """Label → the range that stands with it, and the label that takes what is otherwise ("" when none does).

    Within a sentence ranges and labels take turns; whichever comes first sets the order of the pairs.
    """
    spans = number_spans(description)
    mentions = [
        (match.start(), match.end(), label)
        for label in labels
        for match in re.finditer(_spoken(label), description, re.IGNORECASE)
        if not any(span.start <= match.start() < span.end for span in spans)
    ]
    others = [match.span() for match in re.finditer(rf"(?:(?<!\w)|(?<=[\u3040-\u9fff]))(?:{_OTHERWISE})", description, re.IGNORECASE)]
    breaks = [0, *(match.end() for match in re.finditer(r"[;；。।\n]|[.!?](?=\s|$)", description)), len(description) + 1]
    found: dict[str, NumberSpan] = {}
    rest = ""
    for start, end in pairwise(breaks):
        here = sorted(mention for mention in mentions if start <= mention[0] < end)
        ranges = [span for span in spans if start <= span.start < end]
        for before, place in others:
            after = next((mention for mention in here if 0 <= mention[0] - place <= 30), None)
            taken = after or next(
                (mention for mention in here[::-1] if mention[1] <= before and _stands_for(description[mention[1] : before])), None
            )
            if taken is not None and start <= place <= end:
                rest = taken[2]
                here = [mention for mention in here if mention != taken]
        found |= {label: span for label, span in _paired(here, ranges).items() if label not in found or found[label].bare}
    return {label: span for label, span in found.items() if label != rest}, rest


def _spoken(label: str) -> str:
    """A pattern for the label as a word, or anywhere where words are not set apart by blanks."""
    plain = re.escape(label)
    return plain if re.search(r"[\u3040-\u9fff\uac00-\ud7af]", label) else rf"(?<![\w-]){plain}(?![\w-])"


def _stands_for(between: str) -> bool:
    """What stands between a label and its "otherwise" says that they belong together."""
    return len(between) <= 3 or re.fullmatch(r"\W{0,2}\s*[:：=→—–-]\s*(?:\w+\s+){0,2}", between) is not None


def _paired(here: Sequence[tuple[int, int, str]], ranges: Sequence[NumberSpan]) -> dict[str, NumberSpan]:
    if not here or not ranges:
        return {}
    if len(ranges) == 1 and not ranges[0].bare:
        only = ranges[0]
        nearest = min(here, key=lambda mention: only.start - mention[1] if mention[1] <= only.start else mention[0] - only.end + 0.5)
        return {nearest[2]: only}
    label_first = here[0][0] < ranges[0].start
    found: dict[str, NumberSpan] = {}
    for place, (start, end, label) in enumerate(here):
        if label_first:
            until = here[place + 1][0] if place + 1 < len(here) else math.inf
            fitting = [span for span in ranges if end <= span.start < until]
            chosen = next((span for span in fitting if not span.bare), fitting[0] if fitting else None)
        else:
            since = here[place - 1][1] if place else -1
            fitting = [span for span in ranges if since <= span.start < start]
            chosen = next((span for span in reversed(fitting) if not span.bare), fitting[-1] if fitting else None)
        if chosen is not None:
            found.setdefault(label, chosen)
    return found
