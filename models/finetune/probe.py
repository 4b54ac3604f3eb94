"""Whether two tokenizers cut texts alike: where they do not, a model would be trained on other tokens than it is asked with."""

from __future__ import annotations

from collections.abc import Iterable

from models.errors import WeightsInvalid
from models.llama_cpp.chat import ChatVocabulary

TEXTS = (
    "The box didn't arrive; we've been waiting since 2024-01-05, and it's $1,234.50 (3.14%)!",
    "ALL CAPS, camelCase, snake_case, don't, I'LL, they're... who?!  two  spaces,   three\n\n\n\tlines \r\n end  ",
    "def f(x):\n    return x**2 + 0x1F  # ok\n\n{\"a\": [1, 22, 333, 4444], 'b': null}</p> https://example.org/?q=1&r=%20",
    "Zażółć gęślą jaźń – Größe, naïve café, Łódź, İstanbul, ệ, A\u0301e\u0301, ﬁ ½ ① ² Ⅷ",
    "Привет, мир! Сегодня 12 марта. Γειά σου Κόσμε. שלום עולם. مرحبا بالعالم ١٢٣",
    "日本語のテキストと漢字、カタカナ。中文文本，没有空格。한국어 텍스트 2024년",
    "हिन्दी में लिखा हुआ पाठ १२३ বাংলা தமிழ் ภาษาไทย ไม่มีช่องว่าง አማርኛ",
    "😀👩\u200d👩\u200d👧 🇩🇪 ❤\ufe0f ∑∫√≠ → ✓ \u200b\u00a0\u3000 ¿? ¡!",
    "",
    " ",
    "\n",
    " leading",
    "trailing ",
)
"""Words of several scripts, numbers, code, marks and white space: what pre-tokenizers treat differently."""


def compare(ours: ChatVocabulary, theirs: ChatVocabulary, names: Iterable[str], what: str) -> None:
    """WeightsInvalid when the two differ on a probe text, or on control tokens of these names. `what` is the model, for the message."""
    texts = [*TEXTS, *(f"a {name}\nb" for name in names)]
    for markup in (False, True):
        for text in texts:
            one, other = ours.tokens(text, markup=markup), theirs.tokens(text, markup=markup)
            if one != other:
                at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
                shown = "".join(c if c.isprintable() else " " for c in text[:40])
                raise WeightsInvalid(
                    f"{what}: transformers and llama.cpp cut {shown!r} into other tokens, from token {at + 1} on",
                    "Training on it would teach other tokens than it is asked with. Choose another base model.",
                )
