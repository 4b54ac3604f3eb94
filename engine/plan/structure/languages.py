"""Which language a task's inputs and outputs are in, from its examples, its description and its own word for it."""

from __future__ import annotations

import functools
import re

from engine.errors import EngineError
from engine.plan.profile import script_of
from engine.plan.structure.shape import contents_of
from engine.plan.text_language import SCRIPTS, language_of, primary_code, widest_language_of
from engine.records import Task

_BY_SCRIPT = {script: codes for script, codes in SCRIPTS.items() if " " not in codes}
_NAMES = {
    "en": "english englisch anglais inglés inglese английск англійськ 英语 英語 영어 अंग्रेज़ी अंग्रेजी ingilizce kiingereza tiếng_anh",
    "de": "german deutsch allemand alemán tedesco немецк 德语 德文 ドイツ語 독일어 almanca kijerumani जर्मन tiếng_đức",
    "fr": "french französisch français francés francese французск 法语 法文 フランス語 프랑스어 fransızca kifaransa tiếng_pháp",
    "es": "spanish spanisch espagnol español spagnolo испанск 西班牙语 西班牙文 スペイン語 스페인어 ispanyolca tiếng_tây_ban_nha",
    "it": "italian italienisch italien italiano итальянск 意大利语 イタリア語 이탈리아어 italyanca",
    "pt": "portuguese portugiesisch portugais portugués português португальск 葡萄牙语 ポルトガル語 포르투갈어 portekizce",
    "nl": "dutch niederländisch néerlandais nederlands нидерландск 荷兰语 オランダ語 네덜란드어",
    "ru": "russian russisch russe ruso русск русский російськ 俄语 俄文 ロシア語 러시아어 rusça tiếng_nga",
    "pl": "polish polnisch polonais polaco polski польск 波兰语 폴란드어",
    "uk": "ukrainian ukrainisch ukrainien украинск українськ українська 乌克兰语",
    "tr": "turkish türkisch turc turco турецк türkçe 土耳其语 トルコ語 터키어",
    "ar": "arabic arabisch arabe árabe арабск 阿拉伯语 阿拉伯文 アラビア語 아랍어 العربية arapça",
    "hi": "hindi हिंदी हिन्दी 印地语 ヒンディー語 힌디어",
    "zh": "chinese mandarin chinesisch chinois chino китайск 中文 汉语 中国語 중국어 çince",
    "ja": "japanese japanisch japonais japonés японск 日语 日文 日本語 일본어 japonca",
    "ko": "korean koreanisch coréen coreano корейск 韩语 韩文 韓国語 한국어 korece",
    "sw": "swahili kiswahili suaheli суахили 斯瓦希里语",
    "id": "indonesian indonesisch indonésien bahasa_indonesia индонезийск 印尼语",
    "vi": "vietnamese vietnamesisch vietnamien vietnamita tiếng_việt вьетнамск 越南语 ベトナム語 베트남어",
    "fa": "persian farsi persisch فارسی персидск",
    "cs": "czech tschechisch čeština česky чешск",
    "sv": "swedish schwedisch suédois svenska шведск",
    "fi": "finnish finnisch finnois suomi финск",
    "hu": "hungarian ungarisch hongrois magyar венгерск",
    "ro": "romanian rumänisch roumain română румынск",
    "el": "greek griechisch grec ελληνικά греческ",
    "he": "hebrew hebräisch hébreu עברית",
    "th": "thai thailändisch ภาษาไทย ไทย 泰语 タイ語 태국어",
    "sq": "albanian albanisch albanais shqip албанск",
    "mk": "macedonian mazedonisch macédonien македонск македонски",
    "bg": "bulgarian bulgarisch bulgare български болгарск",
    "hr": "croatian kroatisch croate hrvatski хорватск",
    "sr": "serbian serbisch serbe српски srpski сербск",
    "bs": "bosnian bosnisch bosanski",
    "sl": "slovenian slovene slowenisch slovenščina",
    "sk": "slovak slowakisch slovenčina словацк",
    "lt": "lithuanian litauisch lietuvių литовск",
    "lv": "latvian lettisch latviešu латышск",
    "et": "estonian estnisch eesti эстонск",
    "da": "danish dänisch danois dansk датск",
    "no": "norwegian norwegisch norvégien norsk норвежск",
    "is": "icelandic isländisch íslenska",
    "ga": "irish gaeilge irisch",
    "cy": "welsh walisisch cymraeg",
    "eu": "basque baskisch euskara",
    "ca": "catalan katalanisch català catalán",
    "gl": "galician galicisch galego",
    "mt": "maltese maltesisch malti",
    "be": "belarusian belarussisch беларуск белорусск",
    "ka": "georgian georgisch ქართული грузинск",
    "hy": "armenian armenisch հայերեն армянск",
    "az": "azerbaijani aserbaidschanisch azərbaycan",
    "kk": "kazakh kasachisch қазақ казахск",
    "uz": "uzbek usbekisch oʻzbek",
    "mn": "mongolian mongolisch монгол",
    "ur": "urdu اردو",
    "bn": "bengali bangla বাংলা",
    "ta": "tamil தமிழ்",
    "te": "telugu తెలుగు",
    "ml": "malayalam മലയാളം",
    "kn": "kannada ಕನ್ನಡ",
    "mr": "marathi मराठी",
    "gu": "gujarati ગુજરાતી",
    "pa": "punjabi panjabi ਪੰਜਾਬੀ",
    "ne": "nepali नेपाली",
    "si": "sinhala sinhalese සිංහල",
    "my": "burmese birmanisch မြန်မာ",
    "km": "khmer ខ្មែរ",
    "lo": "laotian laotisch",
    "ms": "malay malaysian malaiisch bahasa_melayu",
    "tl": "tagalog filipino",
    "jv": "javanese javanisch",
    "am": "amharic amharisch አማርኛ",
    "ha": "hausa",
    "yo": "yoruba yorùbá",
    "ig": "igbo",
    "zu": "zulu isizulu",
    "xh": "xhosa isixhosa",
    "so": "somali soomaali",
    "rw": "kinyarwanda",
    "om": "oromo",
    "sn": "shona",
    "af": "afrikaans",
    "ht": "haitian haitianisch kreyòl",
    "qu": "quechua",
    "eo": "esperanto",
    "la": "latin lateinisch",
    "ku": "kurdish kurdisch kurdî",
    "ps": "pashto",
    "sd": "sindhi",
    "tg": "tajik",
    "tk": "turkmen",
    "ky": "kyrgyz",
    "tt": "tatar",
}
_KNOWN_CODES = frozenset((*_NAMES, *"km st ti".split()))
_LONG_CODES = {
    long: short
    for short, several in {
        "en": "eng",
        "de": "deu ger",
        "fr": "fra fre",
        "es": "spa",
        "it": "ita",
        "pt": "por",
        "nl": "nld dut",
        "ru": "rus",
        "pl": "pol",
        "uk": "ukr",
        "tr": "tur",
        "ar": "ara arb",
        "hi": "hin",
        "zh": "zho cmn chi",
        "ja": "jpn",
        "ko": "kor",
        "sw": "swa swh",
        "id": "ind",
        "vi": "vie",
        "fa": "pes fas per",
        "cs": "ces cze",
        "sv": "swe",
        "fi": "fin",
        "hu": "hun",
        "ro": "ron rum",
        "el": "ell gre",
        "he": "heb",
        "th": "tha",
        "sq": "sqi alb als",
        "mk": "mkd mac",
        "bg": "bul",
        "hr": "hrv",
        "sr": "srp",
        "sl": "slv",
        "sk": "slk slo",
        "lt": "lit",
        "lv": "lav lvs",
        "et": "est",
        "da": "dan",
        "no": "nor nob nno",
        "is": "isl ice",
        "ga": "gle",
        "cy": "cym wel",
        "eu": "eus baq",
        "ca": "cat",
        "gl": "glg",
        "mt": "mlt",
        "be": "bel",
        "ka": "kat geo",
        "hy": "hye arm",
        "az": "aze azj",
        "kk": "kaz",
        "uz": "uzb uzn",
        "mn": "mon khk",
        "ur": "urd",
        "bn": "ben",
        "ta": "tam",
        "te": "tel",
        "ml": "mal",
        "kn": "kan",
        "mr": "mar",
        "gu": "guj",
        "pa": "pan",
        "ne": "nep npi",
        "si": "sin",
        "my": "mya bur",
        "km": "khm",
        "lo": "lao",
        "ms": "msa may zsm",
        "tl": "tgl fil",
        "jv": "jav",
        "am": "amh",
        "ha": "hau",
        "yo": "yor",
        "ig": "ibo",
        "zu": "zul",
        "xh": "xho",
        "so": "som",
        "rw": "kin",
        "om": "orm gaz",
        "sn": "sna",
        "af": "afr",
        "ht": "hat",
        "qu": "que quy",
        "eo": "epo",
        "la": "lat",
        "ku": "kur kmr ckb",
        "ps": "pus pbt",
        "tg": "tgk",
        "tk": "tuk",
        "ky": "kir",
    }.items()
    for long in several.split()
}
_FAMILIES = (
    "gl pt es ca",
    "ca es oc",
    "no nb nn da",
    "nb nn da sv",
    "hr sr bs sl",
    "id ms jv",
    "cs sk",
    "uk ru be",
    "bg mk sr ru",
    "af nl",
    "ht fr",
    "lb de nl",
    "fy nl af",
    "fo is da nb",
    "mt it",
    "ku tr az",
    "kk ky tt tg ba ru mn",
    "tk az tr uz",
    "hi mr ne",
    "fa ps ur sd ckb ku tg",
    "zu xh sn rw st tn ts",
    "sw rw lg",
    "tl ceb",
    "fi et",
)
"""Languages whose words are alike, and with those that cannot be told the ones they are taken for."""
_ONE_TONGUE = {"hr": ("sr", "bs"), "sr": ("hr", "bs"), "bs": ("hr", "sr"), "no": ("nb", "nn"), "nb": ("no", "nn"), "nn": ("no", "nb")}
_SURE = 0.8
_SURE_OF_NEIGHBOUR = 0.97
"""How likely a language has to be for the text to be in it, and not in the one expected."""
_LEAST = 40
"""Letters below which words say nothing sure about the language, but for the ones that are hardly any other's."""
_FEW = 24


def clear_language(text: str, declared: str) -> str:
    """The declared language, unless the script or, in both halves of the text alike, the words say another one."""
    script = script_of([text])
    if script in _BY_SCRIPT:
        return _BY_SCRIPT[script]
    own = _code(declared)
    letters = sum(letter.isalpha() for letter in text)
    middle = text.find(" ", len(text) // 2)
    parts = (text, text[:middle], text[middle:])
    if letters < _LEAST:
        if letters < _FEW or len(text.split()) < 4 or widest_language_of(text)[1] < _SURE_OF_NEIGHBOUR:
            return own
        told = {widest_language_of(part)[0] for part in parts}
        return own if told & _neighbours(own) or len(told) > 1 else told.pop()
    told = {told_language(part, own) for part in parts}
    return told.pop() or own if len(told) == 1 else own


def told_language(text: str, expected: str) -> str:
    """The expected language unless the text is clearly in another one; "" where that other one is not sure.

    Few languages are told apart well from their neighbours, and some are none that can be told: a neighbour is no other language then.
    """
    known = can_be_told(expected)
    try:
        near = language_of(text, expected) if known else language_of(text)
        if known and near == expected:
            return near
        told, sure = widest_language_of(text)
    except EngineError:
        return ""
    if expected and told in _neighbours(expected) and (not known or sure < _SURE_OF_NEIGHBOUR or told in _ONE_TONGUE.get(expected, ())):
        return expected
    agreed = told == near
    return told if agreed or (sure >= _SURE and (known or not expected)) else ""


@functools.cache
def can_be_told(code: str) -> bool:
    """Whether texts can be told to be in the language at all."""
    try:
        return bool(primary_code(code))
    except EngineError:
        return False


@functools.cache
def _neighbours(code: str) -> frozenset[str]:
    return frozenset(other for family in _FAMILIES if code in family.split() for other in family.split() if other != code)


def output_language(task: Task) -> str:
    """The language outputs are wanted in: one the description names after "into", else that of the examples' outputs."""
    named = _named_target(task.description)
    if named:
        return named
    return clear_language(" ".join(example.output for example in task.examples), task.language)


def input_language(task: Task) -> str:
    """The language of the examples' inputs; where these are too short to tell, the one the description names, else the task's."""
    text = " ".join(contents_of(task))
    declared = task.language
    if task.examples and sum(letter.isalpha() for letter in text) < _LEAST:
        declared = _only_named(task.description) or declared
    return clear_language(text, declared)


@functools.cache
def _only_named(description: str) -> str:
    """The one language a description names with a capital or in letters of its own, if it is not one to write in."""
    if _named_target(description):
        return ""
    written = {code for name, code in _names().items() if len(name) > 3 and (name.capitalize() if name.isascii() else name) in description}
    return written.pop() if len(written) == 1 else ""


def language_code(value: str) -> str:
    """The two-letter code a value such as "de", "de-AT", "deu_Latn" or "German" stands for; "" when it is no language."""
    plain = re.sub(r"\(.*?\)", "", value).strip().casefold()
    if plain in _names():
        return _names()[plain]
    words = plain.split()
    if 1 < len(words) <= 3:  # North Macedonian, Brazilian Portuguese
        return _names().get(words[-1], "") if len(words[-1]) > 3 else ""
    start = re.split(r"[-_]", plain)[0]
    if start in _KNOWN_CODES:
        return start
    return _LONG_CODES.get(start, "") if len(start) == 3 else ""


def names_language(description: str, code: str) -> bool:
    """The description names the language in one of the ways known here."""
    said = description.casefold()
    return any(name in said if not name.isascii() else re.search(rf"(?<!\w){name}", said) for name in _spellings(code) if len(name) > 1)


def _spellings(code: str) -> tuple[str, ...]:
    return tuple(name.replace("_", " ") for name in _NAMES.get(code, "").split())


@functools.cache
def _names() -> dict[str, str]:
    return {name: code for code in _NAMES for name in _spellings(code)}


@functools.cache
def _named_target(description: str) -> str:
    found = _target_pattern().search(description.casefold())
    return _names()[next(name for name in found.groups() if name)] if found else ""


@functools.cache
def _target_pattern() -> re.Pattern[str]:
    """A language's name after a word that means "into", or before one where that is the order."""
    spelled = sorted((name for name in _names() if len(name) > 2 or not name.isascii()), key=lambda name: -len(name))
    every = "|".join(map(re.escape, spelled))
    foreign = "|".join(re.escape(name) for name in spelled if not name.isascii())
    return re.compile(
        rf"(?:\binto|\bins|\ben|\bau|\bauf|\bal|\bна|\bto|\bsang)\s+(?:the )?({every})"
        rf"|(?:译成|翻译成|翻译为|译为)\s*({foreign})|({foreign})(?:に訳|に翻訳|로 번역)"
    )


def _code(declared: str) -> str:
    code = declared.replace("_", "-").split("-")[0].lower()
    return _LONG_CODES.get(code, code)
