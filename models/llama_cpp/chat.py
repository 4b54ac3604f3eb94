"""Chats to tokens: the model's own template where it works, ChatML or plain turns where not.

What messages say is data. Should a message contain the name of a control token, such as <|im_end|>, it reaches the
model as those characters and cannot end its turn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from models.errors import RequestInvalid, WeightsInvalid
from models.language import Message
from models.llama_cpp.template import ChatTemplate, TemplateFailed

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}{% endfor %}"
    "{{ '<|im_start|>assistant\n' }}"
)
PLAIN = "{% for message in messages %}{{ message.role + ': ' + message.content + '\n\n' }}{% endfor %}{{ 'assistant:' }}"

_TRIAL = (Message("system", "Answer."), Message("user", "Question?"), Message("assistant", "Answer."), Message("user", "Question?"))
_MARKERS = range(0xE000, 0xF8FF)


class ChatVocabulary(Protocol):
    """What a chat needs of a vocabulary: llama.cpp's, or another with the same tokens. See vocabulary.py."""

    bos: int
    adds_bos: bool

    def tokens(self, text: str, *, markup: bool = False) -> list[int]: ...
    def split_markup(self, text: str) -> list[str]: ...
    def name(self, token: int) -> str: ...


class Chat:
    """Renders and tokenises chats for one model."""

    def __init__(self, template: str, vocabulary: ChatVocabulary, end: int) -> None:
        self._vocabulary = vocabulary
        self._names = {"bos_token": vocabulary.name(vocabulary.bos), "eos_token": vocabulary.name(end)}
        self.reason = ""
        """Why the model's own template is not used; "" when it is."""
        self._template, self._system = self._choose(template)

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt as text, with the messages as they are."""
        if text := plain_text(messages):
            return text.content
        return self._rendered([(message.role, message.content) for message in messages])

    def tokens(self, messages: Sequence[Message]) -> list[int]:
        """The prompt as tokens: the template's markup becomes control tokens, the messages' never does."""
        if not messages:
            raise RequestInvalid("A request without messages", "Give at least one user message.")
        if text := plain_text(messages):
            return self._begun(self._vocabulary.tokens(text.content))
        marker = self._marker(messages)
        hidden: list[str] = []
        turns = [(message.role, self._hide(message.content, marker, hidden)) for message in messages]
        tokens: list[int] = []
        for i, piece in enumerate(re.split(f"{marker}([0-9]+){marker}", self._rendered(turns))):
            if i % 2:
                tokens += self._vocabulary.tokens(hidden[int(piece)])
            elif piece:
                tokens += self._vocabulary.tokens(piece, markup=True)
        return self._begun(tokens)

    def _begun(self, tokens: list[int]) -> list[int]:
        """The tokens after the model's mark of a beginning, where it wants one; nothing at all begins with it too."""
        if not tokens and self._vocabulary.bos < 0:
            raise RequestInvalid("A request without any text", "Give at least one word.")
        if not tokens or (self._vocabulary.adds_bos and tokens[:1] != [self._vocabulary.bos]):
            tokens.insert(0, self._vocabulary.bos)
        return tokens

    def _rendered(self, turns: Sequence[tuple[str, str]]) -> str:
        if not self._system:
            turns = _system_into_user(turns)
        try:
            return self._template.render([{"role": role, "content": content} for role, content in turns], **self._names)
        except TemplateFailed as error:
            raise RequestInvalid(
                f"The model's chat template refuses these messages: {error}", "Let user and assistant take turns."
            ) from error

    def _hide(self, content: str, marker: str, hidden: list[str]) -> str:
        pieces = self._vocabulary.split_markup(content)
        for i in range(1, len(pieces), 2):
            hidden.append(pieces[i])
            pieces[i] = f"{marker}{len(hidden) - 1}{marker}"
        return "".join(pieces)

    def _marker(self, messages: Sequence[Message]) -> str:
        """A character that no message contains, so that none can forge it."""
        for code in _MARKERS:
            if not any(chr(code) in message.content for message in messages):
                return chr(code)
        raise RequestInvalid("The messages use every private character of Unicode", "Remove those characters.")

    def _choose(self, source: str) -> tuple[ChatTemplate, bool]:
        """The template, and whether it takes a system turn."""
        if source:
            try:
                template = ChatTemplate(source)
                for with_system in (True, False):
                    if self._works(template, with_system):
                        return template, with_system
                self.reason = "the model's chat template fails on a plain conversation"
            except WeightsInvalid as error:
                self.reason = error.title
        else:
            self.reason = "the model has no chat template"
        known = len(self._vocabulary.tokens("<|im_start|>", markup=True)) == 1
        return ChatTemplate(CHATML if known else PLAIN), True

    def _works(self, template: ChatTemplate, with_system: bool) -> bool:
        turns: list[tuple[str, str]] = [(message.role, message.content) for message in _TRIAL]
        for trial in (turns, turns[:2]):
            if not with_system:
                trial = _system_into_user(trial)
            try:
                text = template.render([{"role": role, "content": content} for role, content in trial], **self._names)
            except TemplateFailed:
                return False
            # A template may also leave the system turn out without a word.
            if not all(content in text for _, content in trial):
                return False
        return True


def plain_text(messages: Sequence[Message]) -> Message | None:
    """The text to go on with, where that is what is asked for. RequestInvalid for one among turns of a chat."""
    texts = [message for message in messages if message.role == "text"]
    if texts and len(messages) > 1:
        raise RequestInvalid("A text among the turns of a chat", "Give a text alone, or turns alone.")
    return texts[0] if texts else None


def _system_into_user(turns: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The system turns put before the first user turn, for models that know no system role."""
    system = "\n\n".join(content for role, content in turns if role == "system")
    others = [(role, content) for role, content in turns if role != "system"]
    if not system:
        return others
    for i, (role, content) in enumerate(others):
        if role == "user":
            others[i] = (role, f"{system}\n\n{content}")
            return others
    return [("user", system), *others]
