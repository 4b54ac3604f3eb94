"""JSON schemas as grammars over a vocabulary: which tokens may come next so that the answer obeys its schema."""

from __future__ import annotations

import json
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import RequestInvalid
from models.llama_cpp.sampling import Bits, unpacked
from models.llama_cpp.vocabulary import Vocabulary

COMPILED_LIMIT = 64

# Fixed separators: were blanks free, a model could go on writing them for ever without breaking its schema.
LAYOUT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


class Constraint:
    """The state of one answer under its schema."""

    def __init__(self, matcher: Any, vocabulary_size: int) -> None:
        self.matcher = matcher
        self._vocabulary_size = vocabulary_size

    def allowed(self) -> NDArray[np.bool_]:
        """Which tokens may come next, shape (vocabulary,)."""
        bits: Bits = np.zeros((self._vocabulary_size + 31) // 32, dtype=np.int32)
        self.matcher.unsafe_compute_mask_ptr(bits.ctypes.data, bits.nbytes)
        self.check()
        return unpacked(bits, self._vocabulary_size)

    def accept(self, token: int) -> None:
        """The token was chosen."""
        self.matcher.consume_token(token)
        self.check()

    def forced(self, limit: int) -> list[int]:
        """Up to `limit` tokens that must come next, already accepted: no model is needed to know them."""
        if limit <= 0 or self.matcher.is_stopped():
            return []
        tokens: list[int] = list(self.matcher.compute_ff_tokens())[:limit]
        if tokens:
            self.matcher.consume_tokens(tokens)
            self.check()
        return tokens

    def valid(self, tokens: Sequence[int]) -> int:
        """How many of these tokens could come next, one after the other."""
        return int(self.matcher.validate_tokens(tokens))

    def finished(self) -> bool:
        """The answer is whole and nothing can follow."""
        return bool(self.matcher.is_stopped())

    def check(self) -> None:
        """RequestInvalid when the grammar could not go on."""
        if self.matcher.is_error():
            raise RequestInvalid(f"The schema's grammar failed: {_first_line(self.matcher.get_error())}", "Make the schema simpler.")


class Constrainer:
    """Compiles schemas for one vocabulary and keeps the last ones."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        import llguidance.llamacpp
        from llguidance import LLExecutor

        self._vocabulary = vocabulary
        with warnings.catch_warnings():
            # It calls a deprecated function for every token of the vocabulary.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._tokenizer = llguidance.llamacpp.lltokenizer_from_vocab(vocabulary.pointer, eos_token=sorted(vocabulary.ends) or None)
        self._compiled: OrderedDict[str, Any] = OrderedDict()
        # One thread: masks are computed while the model decodes, and it needs the others.
        self._executor = LLExecutor(num_threads=1)

    def masks(self, constraints: Sequence[Constraint | None]) -> Bits:
        """What may come next in each row; anything where there is no constraint. Errors show in each constraint's `check`."""
        bits: Bits = np.full((len(constraints), (self._vocabulary.size + 31) // 32), -1, dtype=np.int32)
        matchers = [(constraint.matcher, row) for row, constraint in enumerate(constraints) if constraint]
        if matchers:
            self._executor.unsafe_compute_mask_ptr(matchers, bits.ctypes.data, bits.shape[1] * bits.itemsize, len(bits))
        return bits

    def constraint(self, schema: dict[str, Any]) -> Constraint:
        """A fresh state for `schema`; RequestInvalid when no grammar can express it."""
        from llguidance import LLMatcher

        try:
            key = json.dumps(schema)
            matcher = self._compiled.get(key)
            if matcher is None:
                matcher = LLMatcher(self._tokenizer, LLMatcher.grammar_from_json_schema(key, overrides=LAYOUT), log_level=0)
        except (TypeError, ValueError) as error:
            raise RequestInvalid(f"The schema is not JSON: {_first_line(str(error))}", "Check the schema.") from error
        if matcher.is_error():
            raise RequestInvalid(f"The schema cannot become a grammar: {_first_line(matcher.get_error())}", "Use simpler keywords.")
        self._compiled[key] = matcher
        self._compiled.move_to_end(key)
        if len(self._compiled) > COMPILED_LIMIT:
            self._compiled.popitem(last=False)
        return Constraint(matcher.deep_copy(), self._vocabulary.size)


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0][:300]
