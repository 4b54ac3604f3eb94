"""A GGUF model in this process: loads the file, answers requests one after the other.

The same request gives the same text whatever was asked before: see context.py for prompts, sampling.py for the draws.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from models import weights
from models.errors import ModelError, RequestInvalid, WeightsInvalid
from models.language import Completion, Identity, Message, Request
from models.llama_cpp import library
from models.llama_cpp.chat import Chat
from models.llama_cpp.constrain import Constrainer, Constraint
from models.llama_cpp.context import Context
from models.llama_cpp.decode import decode, likelihoods
from models.llama_cpp.vocabulary import Vocabulary

DEFAULT_CONTEXT = 4096
"""Tokens of context when the caller names none: holds a prompt with a data set's card, and costs at most about 0.5 GB."""


class LlamaCppModel:
    """A LanguageModel over llama.cpp with one sequence. Not for use from several threads at once."""

    def __init__(
        self,
        path: Path,
        *,
        context_length: int | None = None,
        threads: int | None = None,
        gpu_layers: int | None = None,
        digests: Path | None = None,
    ) -> None:
        """Load `path`. `gpu_layers` None offloads as many as the build allows; `digests` is a folder that remembers SHA-256 sums."""
        self.weights = weights.describe(path)
        trained = self.weights.context_length or DEFAULT_CONTEXT
        self.context_length = min(trained, context_length or DEFAULT_CONTEXT)
        if self.context_length < 64:
            raise RequestInvalid(f"A context of {self.context_length} tokens holds no prompt", "Ask for 64 or more.")
        self.identity = Identity(path.name, weights.digest(path, digests), f"llama.cpp via llama-cpp-python {library.package_version()}")
        self._native = library.load()
        params = self._native.llama_model_default_params()
        if gpu_layers is not None:
            params.n_gpu_layers = gpu_layers
        self._pointer = self._native.llama_model_load_from_file(str(path).encode("utf-8", "surrogateescape"), params)
        if not self._pointer:
            raise WeightsInvalid(f"llama.cpp cannot load {path}: {library.recent_log()}", "Its architecture may be newer than this build.")
        self._context: Context | None = None
        self._constrainer: Constrainer | None = None
        try:
            self._vocabulary = Vocabulary(self._native, self._native.llama_model_get_vocab(self._pointer))
            source = self._native.llama_model_chat_template(self._pointer, None)
            end = int(self._native.llama_vocab_eos(self._vocabulary.pointer))
            self._chat = Chat(source.decode("utf-8", "replace") if source else "", self._vocabulary, end)
            self.template_problem = self._chat.reason
            """Why the model's own chat template is not used; "" when it is."""
            threads = threads or library.usable_cores()
            self._context = Context(self._native, self._pointer, self._vocabulary.size, self.context_length, threads)
        except BaseException:
            self.close()
            raise

    def render(self, messages: tuple[Message, ...]) -> str:
        """The prompt after the chat template; RequestInvalid when the template refuses these messages."""
        return self._chat.render(messages)

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` alone."""
        return len(self._vocabulary.tokens(text))

    def complete_many(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """One request after the other, each pulled when the one before is answered."""
        for request in requests:
            yield self._complete(request)

    def close(self) -> None:
        """Free the native memory; safe to call twice."""
        self._constrainer = None
        if self._context is not None:
            self._context.close()
            self._context = None
        if self._pointer:
            self._native.llama_model_free(self._pointer)
            self._pointer = None

    def _complete(self, request: Request) -> Completion:
        if self._context is None:
            raise ModelError(f"{self.identity.name} was closed", "Open it again.")
        started = time.perf_counter()
        prompt: list[int] = []
        try:
            prompt = self._chat.tokens(request.messages)
            if len(prompt) >= self.context_length:
                title = f"The prompt has {len(prompt)} tokens, the context holds {self.context_length} for prompt and answer"
                raise RequestInvalid(title, "Shorten the prompt or ask for a longer context.")
            if request.choices:
                return self._weigh(request, prompt, started)
            answer = decode(self._context, prompt, request.sampling, self._vocabulary.ends, self._constraint(request))
        except ModelError as error:
            seconds = time.perf_counter() - started
            return Completion(request.key, "", "error", len(prompt), seconds=seconds, error=error.title)
        return Completion(
            key=request.key,
            text=self._vocabulary.text(answer.tokens),
            finish=answer.finish,
            prompt_tokens=len(prompt),
            completion_tokens=len(answer.tokens),
            seconds=time.perf_counter() - started,
        )

    def _weigh(self, request: Request, prompt: list[int], started: float) -> Completion:
        assert self._context is not None
        answers = [self._vocabulary.tokens(choice) for choice in request.choices]
        scores = likelihoods(self._context, prompt, answers, self._vocabulary.ends)
        return Completion(
            key=request.key,
            text=json.dumps([round(score, 5) for score in scores]),
            finish="stop",
            prompt_tokens=len(prompt),
            completion_tokens=sum(map(len, answers)),
            seconds=time.perf_counter() - started,
        )

    def _constraint(self, request: Request) -> Constraint | None:
        if request.schema is None:
            return None
        if self._constrainer is None:
            # Reading the whole vocabulary takes up to a second; runs without schemas never need it.
            self._constrainer = Constrainer(self._vocabulary)
        return self._constrainer.constraint(request.schema)
