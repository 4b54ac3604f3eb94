"""A GGUF model in this process: loads the file, answers many requests at once, or one after the other.

One after the other, the same request gives the same text whatever was asked before: see context.py. Many at once: see batch.py.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from models import weights
from models.cache_file import CacheFile
from models.errors import ModelError, RequestInvalid, WeightsInvalid
from models.language import Completion, Identity, Message, Request, Speed, unhindered
from models.llama_cpp import library
from models.llama_cpp.adapter import Adapter, adapted
from models.llama_cpp.batch import Steps
from models.llama_cpp.calibration import FILE, WIDTHS, Cache, Calibration, Flash, calibrate
from models.llama_cpp.chat import Chat
from models.llama_cpp.constrain import Constrainer
from models.llama_cpp.context import Context
from models.llama_cpp.decode import decode
from models.llama_cpp.devices import devices, load_model
from models.llama_cpp.jobs import Failed, Job, Weighing, Writing
from models.llama_cpp.measured import calibration_key
from models.llama_cpp.options import Options
from models.llama_cpp.sequences import CACHE_BYTES, SHORTEST, Layout, Sequences, cell_bytes
from models.llama_cpp.together import Together
from models.llama_cpp.vocabulary import Vocabulary

USUAL = 16
"""Sequences where nothing was measured."""
BATCH = 512
MOST_ON_CPU = 64
MOST_ON_GPU = WIDTHS[-1]
WORTH_CALIBRATING = 200
"""Calls from which on a calibration takes less time than it saves."""
FILLER = "The quick brown fox jumps over the lazy dog while the old clock on the wall strikes nine. " * 8
DEFAULT_CONTEXT = 4096
"""Tokens of context when the caller names none: holds a prompt with a data set's card, and costs at most about 0.5 GB."""


def identity_of(path: Path, options: Options, cache: Path | None) -> Identity:
    """Which model a GGUF file is with these options, without loading it; reads the whole file where its SHA-256 is not known yet."""
    identity = Identity(path.name, weights.digest(path, cache), f"llama.cpp via llama-cpp-python {library.package_version()}")
    return adapted(identity, Path(options.adapter).expanduser(), cache) if options.adapter else identity


class LlamaCppModel:
    """A LanguageModel over llama.cpp. Not for use from several threads at once."""

    def __init__(
        self,
        path: Path,
        *,
        context_length: int | None = None,
        options: Options | None = None,
        cache: Path | None = None,
    ) -> None:
        """Load `path`; `cache` is a folder that remembers SHA-256 sums and calibrations."""
        self.options = options or Options()
        self.weights = weights.describe(path)
        trained = self.weights.context_length or DEFAULT_CONTEXT
        self.context_length = min(trained, context_length or DEFAULT_CONTEXT)
        if self.context_length < 64:
            raise RequestInvalid(f"A context of {self.context_length} tokens holds no prompt", "Ask for 64 or more.")
        self._file_digest = weights.digest(path, cache)
        self.identity = identity_of(path, self.options, cache)
        adapter = Path(self.options.adapter).expanduser() if self.options.adapter else None
        self._calibrations = CacheFile(cache, FILE, Calibration)
        self._native = library.load()
        wanted, layers = self.options.gpu_layers, self.weights.layers
        self._pointer, self.gpu_layers = load_model(self._native, path, wanted, layers)
        """Layers on a GPU, where the build has one; -1: all."""
        if not self._pointer:
            raise WeightsInvalid(f"llama.cpp cannot load {path}: {library.recent_log()}", "Its architecture may be newer than this build.")
        self._context: Context | None = None
        """For one request after the other."""
        self._together: Together | None = None
        self._constrainer: Constrainer | None = None
        try:
            self._room = max(CACHE_BYTES, sum(gpu.free for gpu in devices()) // 2 if self.gpu_layers else 0)
            """Bytes the cache of many sequences may take: on a GPU half of what the model left."""
            self._adapter = Adapter(self._native, self._pointer, adapter) if adapter is not None else None
            self._vocabulary = Vocabulary(self._native, self._native.llama_model_get_vocab(self._pointer))
            source = self._native.llama_model_chat_template(self._pointer, None)
            end = int(self._native.llama_vocab_eos(self._vocabulary.pointer))
            self._chat = Chat(source.decode("utf-8", "replace") if source else "", self._vocabulary, end)
            self.template_problem = self._chat.reason
            """Why the model's own chat template is not used; "" when it is."""
            self._windowed = self._native.llama_model_n_swa(self._pointer) > 0
            self._original_length = self._read_original_length()
            """Tokens up to which positions are turned in one way, beyond in another, by the length of a sequence; 0 for no such place."""
            self._threads = self.options.threads or library.usable_cores()
            self.calibration = self._calibrations.get(self._calibration_key)
            """What was measured on this machine, now or before."""
        except BaseException:
            self.close()
            raise

    def render(self, messages: tuple[Message, ...]) -> str:
        """The prompt after the chat template; RequestInvalid when the template refuses these messages."""
        return self._chat.render(messages)

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` alone."""
        return len(self._vocabulary.tokens(text))

    def tokens(self, messages: tuple[Message, ...]) -> list[int]:
        """The prompt as tokens."""
        return self._chat.tokens(messages)

    def tokens_of(self, text: str) -> list[int]:
        """Tokens of `text` alone."""
        return self._vocabulary.tokens(text)

    @property
    def layout(self) -> Layout:
        """How the cache is divided, or will be."""
        return self._together.layout if self._together else self._wanted()

    @property
    def steps(self) -> Steps | None:
        """Where the time of batched steps went; None before the first, or with one sequence."""
        return self._together.steps if self._together else None

    @property
    def batched(self) -> bool:
        """Whether several requests are worked on at once, so that a repetition may word an answer differently."""
        return self.options.sequences != 1

    def complete_many(self, requests: Iterable[Request | None], between: Callable[[], None] = unhindered) -> Iterator[Completion]:
        """As many requests at once as there are sequences, each pulled when one is free."""
        self._must_be_open()
        jobs = (self.job(request) if request else None for request in requests)
        for job in self.run(jobs, between) if self.batched else self.run_singly(jobs, between):
            yield job.completion(self._vocabulary)

    def run(self, jobs: Iterator[Job | None], between: Callable[[], None]) -> Iterator[Job]:
        """Bring jobs to their end, many at once."""
        return self._many().run(jobs, between)

    def run_singly(self, jobs: Iterator[Job | None], between: Callable[[], None]) -> Iterator[Job]:
        """Bring jobs to their end one after the other; a None ends the stream."""
        for job in jobs:
            if job is None:
                return
            started = time.perf_counter()
            # Outside: a context that cannot be had is no row's fault, and the next row would not get it either.
            context = self.single
            try:
                decode(context, job, between)
            except ModelError as error:
                job.fail(error.title)
                # What went wrong, numbers above all, must not stay in the cache.
                context.clear()
            job.seconds = time.perf_counter() - started
            yield job

    def close(self) -> None:
        """Free the native memory; safe to call twice."""
        self._constrainer = None
        if self._together is not None:
            self._together.close()
        if self._context is not None:
            self._context.close()
            self._context = None
        if self._pointer:
            self._native.llama_model_free(self._pointer)
            self._pointer = None

    def prepare(self, calls: int, between: Callable[[], None] = unhindered) -> str:
        """Calibrate, unless that was done, few calls are coming or the user decided."""
        decided = bool(self.options.sequences) and self.options.layout != "auto"
        if not self.batched or decided or calls < WORTH_CALIBRATING or self.calibration:
            return ""
        return str(self.calibrate(between))

    @property
    def shortage(self) -> str:
        """What is less than it could be here; "" for nothing."""
        if self.gpu_layers < 0 or self.gpu_layers == self.options.gpu_layers:
            return ""
        return f"{self.gpu_layers} of {self.weights.layers} layers are on the GPU: it has no room for more, so answers take longer"

    @property
    def speed(self) -> Speed | None:
        """As calibrated; None before that, and where the user chose the layout."""
        known = self.calibration if self.batched else None
        return Speed(known.read, known.write) if known and known.sequences == self._wanted().count else None

    def calibrate(self, between: Callable[[], None] = unhindered) -> Calibration:
        """Measure how this model is fastest here, within what the user set; remembered in the cache folder.

        What `between` raises before a step ends it.
        """
        if self._together is not None:
            self._together.close()
            self._together = None
        ask = self.options
        auto = [False] if self._divided else [False, True]
        kinds = auto if ask.layout == "auto" else [self._wanted().unified]
        flashes: list[Flash] = ["on", "off"] if ask.flash == "auto" else [ask.flash]
        most = ask.sequences or (MOST_ON_GPU if self._native.llama_supports_gpu_offload() else MOST_ON_CPU)
        numbers: Cache = "f16" if ask.cache == "auto" else ask.cache
        widest = msgspec.structs.replace(self._wanted(), count=most, cache=numbers)
        caches: list[Cache] = ["bf16"] if ask.cache == "auto" and library.computes_bf16() else []
        free = [(kind, flash) for flash in flashes for kind in kinds]
        calibration = calibrate(self.start, self._vocabulary.tokens(FILLER), widest, free, self._cell, between, caches, self._room)
        self._calibrations.put(self._calibration_key, calibration)
        self.calibration = calibration
        return calibration

    @property
    def _calibration_key(self) -> str:
        return calibration_key(self._file_digest, self.options)

    def start(self, layout: Layout) -> Sequences:
        """Sequences of this model; the caller closes them."""
        self._must_be_open()
        return Sequences(self._native, self._pointer, self._vocabulary.size, layout, self._threads, self._adapter)

    def _many(self) -> Together:
        if self._together is None:
            lookup = self.options.lookup == "on"
            native, model = self._native, self._pointer
            shares = not (native.llama_model_is_recurrent(model) or native.llama_model_is_hybrid(model))
            self._together = Together(self.start, self._cell, self._wanted(), self._constraints, lookup, self._shortest, shares, self._room)
        return self._together

    def _wanted(self) -> Layout:
        """The user's settings, then what was measured, then what suits most machines."""
        ask, known = self.options, self.calibration
        flash = ask.flash if ask.flash != "auto" or not known else known.flash
        layout = Layout(
            count=0,
            length=0,
            unified=(ask.layout == "unified" if ask.layout != "auto" or not known else known.unified) and not self._original_length,
            flash=flash,
            cache=self._cache_type,
            batch=ask.batch or BATCH,
        )
        return layout.of(ask.sequences or (known.sequences if known else USUAL), self.context_length)

    @property
    def _cell(self) -> int:
        """Bytes the cache takes for one token."""
        return cell_bytes(self.weights.cache_bytes_per_token, self._cache_type)

    @property
    def _cache_type(self) -> Cache:
        if self.options.cache != "auto":
            return self.options.cache
        return self.calibration.cache if self.calibration else "f16"

    @property
    def _divided(self) -> bool:
        """Whether sequences must have caches of their own: one for all would lose what a window has passed."""
        return self._windowed or self._original_length > 0

    def _read_original_length(self) -> int:
        found = ctypes.create_string_buffer(32)
        key = f"{self.weights.architecture}.rope.scaling.original_context_length".encode()
        read = self._native.llama_model_meta_val_str(self._pointer, key, found, len(found))
        return int(found.value) if read > 0 and found.value.isdigit() else 0

    @property
    def _shortest(self) -> int:
        """Sequences may not be shorter where a short one would be read otherwise than one of the whole context."""
        original = self._original_length
        return self.context_length if 0 < original < self.context_length else SHORTEST

    @property
    def single(self) -> Context:
        """The context for one after the other, made on first use."""
        if self._context is None:
            size, length = self._vocabulary.size, self.context_length
            self._context = Context(self._native, self._pointer, size, length, self._threads, self._adapter)
        return self._context

    def job(self, request: Request) -> Job:
        """What a request becomes; one that cannot be served has failed already."""
        self._must_be_open()
        prompt: list[int] = []
        try:
            prompt = self._chat.tokens(request.messages)
            room = self.context_length - len(prompt)
            if room <= 0:
                title = f"The prompt has {len(prompt)} tokens, the context holds {self.context_length} for prompt and answer"
                raise RequestInvalid(title, "Shorten the prompt or ask for a longer context.")
            if request.choices:
                answers = [self._vocabulary.tokens(choice) for choice in request.choices]
                if max(map(len, answers)) > room:
                    title = f"The prompt has {len(prompt)} tokens and an answer {max(map(len, answers))}, "
                    raise RequestInvalid(f"{title}the context holds {self.context_length} for both", "Shorten the prompt.")
                ends = () if request.messages[0].role == "text" else self._vocabulary.ends
                return Weighing(request, prompt, answers, ends)
            limit = min(request.sampling.max_tokens, room)
            if limit < 1:
                raise RequestInvalid(f"max_tokens is {limit}", "Ask for at least one token.")
            constraint = self._constraints().constraint(request.schema) if request.schema is not None else None
            return Writing(request, prompt, limit, self._vocabulary.ends, constraint)
        except ModelError as error:
            return Failed(request, prompt, error.title)

    def _must_be_open(self) -> None:
        if not self._pointer:
            raise ModelError(f"{self.identity.name} was closed", "Open it again.")

    def _constraints(self) -> Constrainer:
        if self._constrainer is None:
            # Reading the whole vocabulary takes up to a second; runs without schemas never need it.
            self._constrainer = Constrainer(self._vocabulary)
        return self._constrainer
