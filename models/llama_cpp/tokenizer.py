"""The tokens of a GGUF file without its weights: what a trainer compares its own tokens with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from models.errors import WeightsInvalid
from models.llama_cpp import library
from models.llama_cpp.chat import Chat
from models.llama_cpp.vocabulary import Vocabulary


class Tokenizer(msgspec.Struct, frozen=True):
    """Vocabulary and chat of a model that is not loaded otherwise; valid inside `open_tokenizer`."""

    vocabulary: Vocabulary
    chat: Chat
    template: str
    """The file's chat template; "" for none."""
    end: int
    """The token that ends a text, or a turn where the file names that; -1 for none."""


@contextmanager
def open_tokenizer(path: Path) -> Iterator[Tokenizer]:
    """Read the vocabulary of the GGUF file at `path`, which takes well under a second; WeightsInvalid when llama.cpp cannot."""
    native = library.load()
    params = native.llama_model_default_params()
    params.vocab_only = True
    pointer = native.llama_model_load_from_file(str(path).encode("utf-8", "surrogateescape"), params)
    if not pointer:
        raise WeightsInvalid(f"llama.cpp cannot read {path}: {library.recent_log()}", "Its architecture may be newer than this build.")
    try:
        vocabulary = Vocabulary(native, native.llama_model_get_vocab(pointer))
        source = native.llama_model_chat_template(pointer, None)
        template = source.decode("utf-8", "replace") if source else ""
        end = int(native.llama_vocab_eos(vocabulary.pointer))
        yield Tokenizer(vocabulary, Chat(template, vocabulary, end), template, end)
    finally:
        native.llama_model_free(pointer)
