"""What the description says of values and labels: when to give a label, what it groups, what to leave out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.plan.labels.words import folded, meanings, words_for


def leave_out(values: Sequence[str], description: str) -> dict[str, str]:
    """Values the description asks to leave out, with the words that say so: by name, by meaning or by initials."""
    found: dict[str, str] = {}
    for sentence in re.split(r"[.!?;。！？।\n]+", description):
        if not _LEAVE_OUT.search(sentence):
            continue
        words = folded(sentence).split()
        text = " ".join(words)
        for value in values:
            plain = folded(value)
            if not plain:
                continue
            if re.search(rf"\b{re.escape(plain)}\b", text):
                found[value] = f"the description leaves out “{value}”"
            elif len(plain) in (2, 3, 4, 5) and plain.isalpha() and _initials(plain, words):
                found[value] = f"“{value}” are the initials of “{_initials(plain, words)}”, which the description leaves out"
            elif any(says(text, word) for meaning in meanings(value) for word in words_for(meaning)):
                found[value] = f"“{value}” means what the description leaves out"
    return found


_LEAVE_OUT = re.compile(
    r"leave out|left out|leave .{1,40} out|skip|ignore|exclude|excluding|except|drop |without the|disregard|do not use|omit"
    r"|auslassen|weglassen|lass .*(weg|aus)|ignorier|außer|ohne die|laisse[rz]? de côté|ignore[rz]|sauf|omit|excep|exclu"
    r"|пропус|исключ|кроме|не учитыв|छोड़|忽略|跳过|排除|除外|除く|無視|제외|무시|تجاهل|باستثناء|acha |ruka|usijumuishe|atla|hariç",
    re.IGNORECASE,
)


def condition_words(description: str, pair: tuple[str, str], vocabulary: Sequence[str]) -> tuple[str, ...]:
    """The words of a vocabulary that the description names as the case for the first label of a pair."""
    text = folded(condition(description, *pair))
    return tuple(word for word in vocabulary if text and len(word) > 1 and says(text, folded(word)))


def condition(description: str, label: str, other: str) -> str:
    """What the description says about when to give a label: the text after it, to the end of its sentence, its "otherwise",
    or to where it says when to give the other one."""
    spoken = re.escape(label)
    found = re.search(
        rf"(?<!\w)[\"'“«]?{spoken}[\"'”»]?(?!\w)\s*,?\s*(?:\w+\s+)?{_WHEN}(.{{3,160}})", description, re.IGNORECASE | re.DOTALL
    )
    if found is None:
        found = re.search(
            rf"{_WHEN}([^.;。]{{3,160}}?)[,，:：]\s*(?:(?!(?:{_OTHERWISE})\b)\w+\s+){{0,3}}[\"'“«]?{spoken}(?!\w)",
            description,
            re.IGNORECASE,
        )
    if found is None:
        return ""
    ends = rf"[.;。；।]|\b(?:{_OTHERWISE})\b|(?<!\w)[\"'“«]?{re.escape(other)}[\"'”»]?\s*,?\s*(?:\w+\s+)?{_WHEN}"
    return re.split(ends, found.group(1), flags=re.IGNORECASE)[0]


_WHEN = (
    r"(?:when|if|where|for|wenn|falls|bei|si|quand|lorsque|cuando|se|если|когда|当|如果|ならば|場合|यदि|अगर|jika|kama|eğer|als)(?=\W|\s)"
)
_OTHERWISE = (
    r"otherwise|else|sonst|andernfalls|sinon|si no|de lo contrario|иначе|в противном случае|否则|それ以外|अन्यथा|"
    r"vinginevyo|aksi|altrimenti|anders"
)


def gloss_of(label: str, labels: Sequence[str], description: str) -> str:
    """What the description says the label takes in: in brackets or after a colon behind it, or before "count as" and the like."""
    spoken = rf"(?<![\w-])[\"'“«]?{re.escape(label)}[\"'”»]?(?![\w-])"
    others = "|".join(re.escape(other) for other in labels if other != label) or "(?!)"
    found = re.findall(rf"{spoken}\s*[(（]([^)）]{{2,200}})[)）]", description, re.IGNORECASE)
    ends = rf"(?:[;；\n。]|[.](?:\s|$)|(?<![\w-])[\"'“«]?(?:{others})(?![\w-])|$)"
    found += re.findall(rf"{spoken}\s*(?:[:：=→]|->|=>|{_TAKES_IN})\s*(.{{2,200}}?){ends}", description, re.IGNORECASE | re.DOTALL)
    found += re.findall(rf"([^.;:()\n。；]{{2,160}}?)\s*{_COUNTS_AS}\s*{spoken}", description, re.IGNORECASE)
    kept = [re.split(_EXCEPT, text, maxsplit=1, flags=re.IGNORECASE)[0] for text in found]
    return folded(_unelided(" ; ".join(kept)))


_TAKES_IN = (
    r"\b(?:means?|includes?|covers?|stands for|heißt|umfasst|steht für|comprend|signifie|incluye|significa|comprende|включает|означает)\b"
    r"|包括|指"
)
_COUNTS_AS = (
    r"(?:\b(?:both|all|each|also|alle|beide|auch|tous|todos|тоже|также|都|均)\b\s*)?"
    r"(?:\b(?:counts? (?:as|to|for)|belongs? (?:to|in|under)|goe?s? (?:in)?to|becomes?|falls? under|is filed under|are filed under|"
    r"zähl(?:t|en) (?:als|zu[mr]?)|gehör(?:t|en) zu[mr]?|wird zu|werden zu|compten?t? comme|cuentan? como|va[n]? a|contano come|"
    r"считается|считаются|относится к|относятся к)\b|->|→|=>|算作|算|归为|归入|属于)"
)
_EXCEPT = r"\b(?:but not|except|without|not|ohne|außer|nicht|sauf|sans|pas|excepto|sin|salvo|кроме|но не)\b|不包括|除外"


def _unelided(text: str) -> str:
    """With the ends that "in- and outdoor" leaves out put back: every end of the later word is tried."""

    def whole(match: re.Match[str]) -> str:
        begin, joint, word = match.groups()
        return " ".join([*(begin + word[place:] for place in range(1, len(word) - 2)), joint, word])

    return re.sub(r"(\w{2,})-\s*((?:\w+|,|/|&)\s*)(\w{5,})", whole, text)


def says(text: str, word: str) -> bool:
    """`word` stands in `text` as a word, or as a part of it where words are not set apart by blanks."""
    if not word:
        return False
    if re.search(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]", word):
        return word in text
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def speaks(text: str, word: str) -> bool:
    """As _says, with an ending of up to four letters for words long enough to be stems."""
    if len(word) >= 5 and word.isalpha() and not re.search(r"[\u3040-\u9fff\uac00-\ud7af]", word):
        return re.search(rf"(?<!\w){re.escape(word)}\w{{0,4}}(?!\w)", text) is not None
    return says(text, word)


def _initials(short: str, words: Sequence[str]) -> str:
    size = len(short)
    for start in range(len(words) - size + 1):
        run = words[start : start + size]
        if "".join(word[0] for word in run) == short:
            return " ".join(run)
    return ""
