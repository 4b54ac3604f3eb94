"""Which language a task's inputs and outputs are in, from its examples, its description and its own word for it."""

from __future__ import annotations

import functools
import re

from engine.errors import EngineError
from engine.plan.profile import script_of
from engine.plan.structure.shape import contents_of
from engine.plan.text_language import language_of
from engine.records import Task

_BY_SCRIPT = {
    "HANGUL": "ko",
    "JAPANESE": "ja",
    "CJK": "zh",
    "GREEK": "el",
    "HEBREW": "he",
    "THAI": "th",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
    "TAMIL": "ta",
    "BENGALI": "bn",
    "TELUGU": "te",
    "GUJARATI": "gu",
}
_NAMES = {
    "en": "english englisch anglais inglés английск 英语 英語 영어 अंग्रेज़ी",
    "de": "german deutsch allemand alemán немецк 德语 ドイツ語 독일어",
    "fr": "french französisch français francés французск 法语 フランス語 프랑스어",
    "es": "spanish spanisch espagnol español испанск 西班牙语 スペイン語 스페인어",
    "it": "italian italienisch italien italiano итальянск",
    "pt": "portuguese portugiesisch portugais portugués português португальск",
    "nl": "dutch niederländisch néerlandais нидерландск",
    "ru": "russian russisch russe ruso русск 俄语 ロシア語",
    "pl": "polish polnisch polonais polaco польск",
    "uk": "ukrainian ukrainisch украинск",
    "tr": "turkish türkisch turc turco турецк türkçe",
    "ar": "arabic arabisch arabe árabe арабск 阿拉伯语",
    "hi": "hindi हिंदी हिन्दी",
    "zh": "chinese mandarin chinesisch chinois chino китайск 中文 中国語 중국어",
    "ja": "japanese japanisch japonais japonés японск 日语 日本語 일본어",
    "ko": "korean koreanisch coréen coreano корейск 韩语 韓国語 한국어",
    "sw": "swahili kiswahili suaheli",
    "id": "indonesian indonesisch",
    "vi": "vietnamese vietnamesisch",
    "fa": "persian farsi persisch",
    "cs": "czech tschechisch",
    "sv": "swedish schwedisch",
    "fi": "finnish finnisch",
    "hu": "hungarian ungarisch",
    "ro": "romanian rumänisch",
    "el": "greek griechisch",
    "he": "hebrew hebräisch",
    "th": "thai",
}
_KNOWN_CODES = frozenset(
    (
        "af am ar az be bg bn bs ca cs cy da de el en eo es et eu fa fi fr ga gl gu ha he hi hr ht hu hy id ig is it "
        "ja ka kk km kn ko ku ky lo lt lv mg mk ml "
        "mn mr ms mt my ne nl no om or pa pl ps pt qu ro ru rw sd si sk sl sn so sq sr st sv sw ta te tg th ti tk tl "
        "tr tt uk ur uz vi xh yo zh zu"
    ).split()
)
_LONG_CODES = {
    "eng": "en",
    "deu": "de",
    "ger": "de",
    "fra": "fr",
    "fre": "fr",
    "spa": "es",
    "ita": "it",
    "por": "pt",
    "nld": "nl",
    "rus": "ru",
    "pol": "pl",
    "ukr": "uk",
    "tur": "tr",
    "ara": "ar",
    "hin": "hi",
    "zho": "zh",
    "cmn": "zh",
    "jpn": "ja",
    "kor": "ko",
    "swa": "sw",
    "swh": "sw",
    "ind": "id",
    "vie": "vi",
    "pes": "fa",
    "ces": "cs",
    "swe": "sv",
    "fin": "fi",
    "hun": "hu",
    "ron": "ro",
    "ell": "el",
    "heb": "he",
    "tha": "th",
}
_LEAST = 40
"""Letters below which words say nothing sure about the language."""


def clear_language(text: str, declared: str) -> str:
    """The declared language, unless the script or, in both halves of the text alike, the words say another one."""
    script = script_of([text])
    if script in _BY_SCRIPT:
        return _BY_SCRIPT[script]
    own = _code(declared)
    if sum(letter.isalpha() for letter in text) < _LEAST:
        return own
    middle = text.find(" ", len(text) // 2)
    told = {told_language(part, own) for part in (text, text[:middle], text[middle:])}
    return told.pop() or own if len(told) == 1 else own


def told_language(text: str, expected: str) -> str:
    """As language_of, "" where the expected language is none that can be told."""
    try:
        return language_of(text, expected)
    except EngineError:
        try:
            return language_of(text)
        except EngineError:
            return ""


def output_language(task: Task) -> str:
    """The language outputs are wanted in: one the description names after "into", else that of the examples' outputs."""
    named = _named_target(task.description)
    if named:
        return named
    return clear_language(" ".join(example.output for example in task.examples), task.language)


def input_language(task: Task) -> str:
    """The language of the examples' inputs, else the task's."""
    return clear_language(" ".join(contents_of(task)), task.language)


def language_code(value: str) -> str:
    """The two-letter code a value such as "de", "de-AT", "deu_Latn" or "German" stands for; "" when it is no language."""
    plain = value.strip().casefold()
    if plain in _names():
        return _names()[plain]
    start = re.split(r"[-_]", plain)[0]
    if start in _KNOWN_CODES:
        return start
    return _LONG_CODES.get(start, "") if len(start) == 3 else ""


def names_language(description: str, code: str) -> bool:
    """The description names the language in one of the ways known here."""
    said = description.casefold()
    return any(name in said if not name.isascii() else re.search(rf"(?<!\w){name}", said) for name in _NAMES.get(code, "").split())


@functools.cache
def _names() -> dict[str, str]:
    return {name: code for code, names in _NAMES.items() for name in names.split()}


def _named_target(description: str) -> str:
    said = description.casefold()
    for code, names in _NAMES.items():
        for name in names.split():
            if re.search(rf"(?:\binto|\bins|\ben|\bau|\bauf|\bal|\bна|\bto)\s+(?:the )?{re.escape(name)}", said) and name not in ("to",):
                return code
            if not name.isascii() and re.search(
                rf"(?:译成|翻译成|翻译为|译为)\s*{re.escape(name)}|{re.escape(name)}(?:に訳|に翻訳|로 번역)", said
            ):
                return code
    return ""


def _code(declared: str) -> str:
    return declared.replace("_", "-").split("-")[0].lower()
