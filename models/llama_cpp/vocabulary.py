"""A loaded model's vocabulary: text to tokens and back, which tokens end an answer, which texts are markup."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from typing import Any

from models.errors import WeightsInvalid


class Vocabulary:
    """Tokens of one loaded model; valid as long as the model is."""

    def __init__(self, native: Any, pointer: Any) -> None:
        self._native = native
        self.pointer = pointer
        self.size = int(native.llama_vocab_n_tokens(pointer))
        if self.size <= 0:
            raise WeightsInvalid("The model has no vocabulary", "Give the GGUF file of a model that writes text.")
        self.bos = int(native.llama_vocab_bos(pointer))
        self.adds_bos = bool(native.llama_vocab_get_add_bos(pointer)) and self.bos >= 0
        self.ends = frozenset(token for token in range(self.size) if native.llama_vocab_is_eog(pointer, token))
        """Tokens that end an answer."""
        self._markup = self._markup_pattern()

    def tokens(self, text: str, *, markup: bool = False) -> list[int]:
        """Tokens of `text`; with `markup`, texts such as <|im_end|> become the control tokens they name."""
        data = text.encode("utf-8", "surrogatepass").replace(b"\0", b" ")
        room = len(data) + 8
        buffer = (ctypes.c_int32 * room)()
        count = self._native.llama_tokenize(self.pointer, data, len(data), buffer, room, False, markup)
        if count < 0:
            room = -count
            buffer = (ctypes.c_int32 * room)()
            count = self._native.llama_tokenize(self.pointer, data, len(data), buffer, room, False, markup)
        return list(buffer[: max(0, count)])

    def piece(self, token: int, *, markup: bool = False) -> bytes:
        """Bytes of one token; control tokens have none unless `markup` asks for their names."""
        room = 256
        while True:
            buffer = ctypes.create_string_buffer(room)
            count = self._native.llama_token_to_piece(self.pointer, token, buffer, room, 0, markup)
            if count >= 0:
                return buffer.raw[:count]
            room = -count

    def text(self, tokens: Sequence[int]) -> str:
        """Text of an answer; a character cut off in the middle by the last token is left out, damaged ones are replaced."""
        data = b"".join(self.piece(token) for token in tokens)
        for cut in range(1, 4):
            # A lead byte within the last three whose continuation is missing: an unfinished character.
            if len(data) >= cut and data[-cut] >= 0xC0:
                if cut < (2 if data[-cut] < 0xE0 else 3 if data[-cut] < 0xF0 else 4):
                    data = data[:-cut]
                break
        return data.decode("utf-8", "replace")

    def split_markup(self, text: str) -> list[str]:
        """Cut a text at everything that would become a control token: even items are plain, odd ones such names."""
        return self._markup.split(text)

    def name(self, token: int) -> str:
        """The text of a control token, "" for none."""
        return self.piece(token, markup=True).decode("utf-8", "replace") if token >= 0 else ""

    def _markup_pattern(self) -> re.Pattern[str]:
        native = self._native
        special = native.LLAMA_TOKEN_ATTR_CONTROL | native.LLAMA_TOKEN_ATTR_UNKNOWN
        tokens = (token for token in range(self.size) if native.llama_vocab_get_attr(self.pointer, token) & special)
        names = sorted({self.name(token) for token in tokens} - {""}, key=len, reverse=True)
        return re.compile("(" + "|".join(map(re.escape, names)) + ")") if names else re.compile(r"((?!))")
