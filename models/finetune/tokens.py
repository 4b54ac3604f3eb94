"""Examples as token ids: rendered with the chat template and cut into tokens exactly as the runtime does it at inference."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from models.errors import RequestInvalid
from models.language import Message
from models.llama_cpp.chat import Chat, ChatVocabulary
from models.training import TrainingExample

IGNORED = -100
"""The label of tokens that are read but not learnt."""


class Row(msgspec.Struct, frozen=True):
    """One example as tokens: the prompt's, the completion's, and the one that ends it."""

    tokens: tuple[int, ...]
    prompt: int
    """How many of them are the prompt's."""

    @property
    def labels(self) -> list[int]:
        """What is learnt at each place: nothing in the prompt, everything after it."""
        return [IGNORED] * self.prompt + list(self.tokens[self.prompt :])


class FolderVocabulary:
    """The vocabulary of a transformers tokenizer, with the methods of llama.cpp's. `ends` are the tokens that end an answer."""

    def __init__(self, tokenizer: Any, *, adds_bos: bool) -> None:
        self._tokenizer = tokenizer
        self.bos = -1 if tokenizer.bos_token_id is None else int(tokenizer.bos_token_id)
        self.adds_bos = adds_bos and self.bos >= 0
        names = sorted({str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}, key=len, reverse=True)
        self._markup = re.compile("(" + "|".join(map(re.escape, names)) + ")") if names else re.compile(r"((?!))")

    def tokens(self, text: str, *, markup: bool = False) -> list[int]:
        """Tokens of `text`; with `markup`, texts such as <|im_end|> become the control tokens they name."""
        text = text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
        if not text:
            return []
        return list(self._tokenizer(text, add_special_tokens=False, split_special_tokens=not markup)["input_ids"])

    def split_markup(self, text: str) -> list[str]:
        """Cut a text at every name of a control token: even items are plain, odd ones such names."""
        return self._markup.split(text)

    def name(self, token: int) -> str:
        """The text of a control token, "" for none."""
        return str(self._tokenizer.convert_ids_to_tokens(token) or "") if token >= 0 else ""


class Reader:
    """Turns the examples of one base model into rows."""

    def __init__(self, vocabulary: ChatVocabulary, chat: Chat, ends: Iterable[int], end: int) -> None:
        """`ends` are the tokens at which the runtime stops, `end` the one used where the chat template names none."""
        self._vocabulary = vocabulary
        self._chat = chat
        self._ends = frozenset(ends)
        self.end = self._turn_end(end)
        """The token learnt at the end of every completion."""

    def prompt(self, given: tuple[Message, ...] | str) -> list[int]:
        """A prompt as tokens, a text being rendered already; RequestInvalid when it is empty."""
        if isinstance(given, str):
            prompt = self._vocabulary.tokens(given, markup=True)
            if self._vocabulary.adds_bos and prompt[:1] != [self._vocabulary.bos]:
                prompt.insert(0, self._vocabulary.bos)
        else:
            prompt = self._chat.tokens(given)
        if not prompt:
            raise RequestInvalid("An example has an empty prompt", "Give every example an input.")
        return prompt

    def row(self, example: TrainingExample) -> Row:
        """The example as tokens; RequestInvalid when its prompt is empty."""
        prompt = self.prompt(example.prompt)
        return Row((*prompt, *self._vocabulary.tokens(example.completion), self.end), len(prompt))

    def rows(self, examples: Sequence[TrainingExample], max_length: int) -> tuple[list[Row], int]:
        """All examples that have at most `max_length` tokens, and how many have more."""
        rows = [self.row(example) for example in examples]
        fitting = [row for row in rows if len(row.tokens) <= max_length]
        return fitting, len(rows) - len(fitting)

    def _turn_end(self, end: int) -> int:
        """What the template puts after an answer, where the runtime stops at it."""
        said = "4b1d"
        try:
            text = self._chat.render((Message("user", "a"), Message("assistant", said), Message("user", "b")))
        except RequestInvalid:
            text = ""
        after = self._vocabulary.tokens(text.partition(said)[2], markup=True)
        if after and after[0] in self._ends:
            return after[0]
        if end < 0:
            raise RequestInvalid("The base model has no token that ends a text", "Choose another base model.")
        return end
