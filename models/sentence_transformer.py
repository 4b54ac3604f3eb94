"""Embeds texts with a sentence-transformers model from a local folder: no network, no code from the folder, safetensors only."""

from __future__ import annotations

import copy
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Any

from models.cache_file import CacheFile, key_of
from models.embedding_backend import FILE, VERSION, Backend, Choice, Precision, choose
from models.errors import RuntimeUnavailable, WeightsInvalid, WeightsMissing
from models.llama_cpp.library import processor, usable_cores
from models.weights import digest

if TYPE_CHECKING:
    import numpy as np

BATCH = 32
"""Texts of a batch where the library batches."""
BATCH_TOKENS = 512
"""Tokens of a batch where we do: what a layer makes of them stays in a core's cache."""
LONGEST = 128
"""Tokens of a text that are read at most; the model's own limit may be lower. Measured with all-MiniLM-L6-v2, 105 task descriptions
and 6,051 cards of 153 tokens on average: recall among the first five 26.7 with 256 tokens, 27.6 with 128, 22.9 with 96, 17.1 with 64."""
CHARACTERS = 20_000
"""A text is cut here before it is tokenised: tokenising a megabyte to read 128 tokens of it takes seconds."""
MANY = 200
"""From so many texts in one call on, measuring which backend is fastest pays at once; the catalog gives 256."""
LEVELS = 63
"""Steps of an int8 weight to either side. Of 127, two products with 8-bit inputs may exceed the 16 bits in which processors without
VNNI add them; and 7 bits for weights cost less accuracy (cosine 0.994) than 7 bits for inputs do (0.982)."""


class SentenceTransformerEmbedder:
    """An Embedder over one folder."""

    def __init__(self, folder: Path, *, device: str | None = None, digests: Path | None = None) -> None:
        """Load the model in `folder`. `device` as torch names it, None for the best there is; `digests` remembers SHA-256 sums and
        which backend was fastest."""
        self.folder = folder
        self._device = device
        self._model = self._loaded()
        self._digest = digest(sorted(folder.glob("*.safetensors"))[0], digests)
        self.dimensions = int(self._model.get_embedding_dimension())
        self.name = f"sentence-transformers-{self._digest[:16]}-{self._model.max_seq_length}"
        self._tokenizer = _own_tokenizer(self._model)
        self._models: dict[Precision, Any] = {"float32": self._model}
        self._pools: dict[int, ThreadPoolExecutor] = {}
        """By number of workers. They stay: made anew for each call, threads lose what working side by side gains."""
        self._choices = CacheFile(digests, FILE, Choice)
        self.choice: Choice | None = self._choices.get(self._choice_key) if self._tokenizer else None
        """What was measured; None before that, and where the library does it all."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Rows of length 1, in the order of `texts`; all 0 for texts that are empty or blank.

        The first call with many texts measures which backend is fastest here, which takes a few seconds; all that follow use it.
        """
        import numpy as np

        vectors: np.ndarray = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        places = [place for place, text in enumerate(texts) if text.strip()]
        if not places:
            return vectors
        # A lone surrogate would stop the tokenizer.
        given = [texts[place][:CHARACTERS].encode("utf-8", "replace").decode("utf-8") for place in places]
        if self._tokenizer is None:
            vectors[places] = self._model.encode(
                given, batch_size=BATCH, show_progress_bar=False, convert_to_numpy=True, normalize_embeddings=True
            )
            return vectors
        if self.choice is None and len(given) >= MANY:
            self.calibrate()
        vectors[places] = self.encode(self.choice.backend if self.choice else Backend(), given)
        return vectors

    def calibrate(self) -> Choice | None:
        """Measure which backend is fastest here, and use and remember it; None where the library does it all."""
        if self._tokenizer is None:
            return None
        self.choice = choose(self.encode, usable_cores())
        self._choices.put(self._choice_key, self.choice)
        self._keep_only(self.choice.backend)
        return self.choice

    def encode(self, backend: Backend, texts: Sequence[str]) -> np.ndarray:
        """Rows of length 1 for texts that are not blank, through `backend`. RuntimeUnavailable when it does not work here."""
        import numpy as np
        import torch

        model = self._in(backend.precision)
        vectors: np.ndarray = np.zeros((len(texts), self.dimensions), dtype=np.float32)

        def one(batch: tuple[list[int], list[list[int]]]) -> None:
            places, tokens = batch
            with torch.inference_mode():
                given = torch.tensor(tokens)
                made = model({"input_ids": given, "attention_mask": torch.ones_like(given)})["sentence_embedding"]
                vectors[places] = torch.nn.functional.normalize(made.float(), dim=1).numpy()

        batches = list(self._batches(texts))
        try:
            mapped = map if backend.workers == 1 or len(batches) == 1 else self._side_by_side(backend.workers).map
            for _ in mapped(one, batches):
                pass
        except RuntimeError as error:
            raise _unavailable(backend.precision, error) from error
        return vectors

    def _batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], list[list[int]]]]:
        """Places and token numbers of texts with equally many tokens, the longest first.

        Nothing is padded, so what shares a batch with a text has no effect on its vector.
        """
        tokens = [encoded.ids for encoded in self._tokenizer.encode_batch(list(texts))]
        places: list[int] = []
        for place in sorted(range(len(tokens)), key=lambda place: -len(tokens[place])):
            length = len(tokens[place])
            if places and (length != len(tokens[places[0]]) or (len(places) + 1) * length > BATCH_TOKENS):
                yield places, [tokens[one] for one in places]
                places = []
            places.append(place)
        if places:
            yield places, [tokens[one] for one in places]

    def _side_by_side(self, workers: int) -> ThreadPoolExecutor:
        if workers not in self._pools:
            self._pools[workers] = _pool(workers)
        return self._pools[workers]

    def _in(self, precision: Precision) -> Any:
        """The model in a precision, made on first use."""
        if precision not in self._models:
            try:
                if precision == "float32":
                    self._models[precision] = self._loaded()
                elif precision == "bfloat16" and self.choice and self.choice.backend.precision == "bfloat16":
                    # Decided: nobody needs the other numbers any more.
                    self._model = self._in("float32").bfloat16()
                    self._models = {precision: self._model}
                elif precision == "bfloat16":
                    self._models[precision] = copy.deepcopy(self._in("float32")).bfloat16()
                else:
                    # New layers around the same weights, of which those of the linear layers are then replaced.
                    whole = self._in("float32")
                    shared = {id(weight): weight for weight in whole.parameters()}
                    self._models[precision] = _with_int8(copy.deepcopy(whole, shared))
            except (AttributeError, RuntimeError) as error:
                # What another build or a later version of torch lacks.
                raise _unavailable(precision, error) from error
        return self._models[precision]

    def _keep_only(self, backend: Backend) -> None:
        # int8 shares most weights with float32, bfloat16 none.
        kept = (backend.precision,) if backend.precision == "bfloat16" else ("float32", backend.precision)
        self._models = {name: model for name, model in self._models.items() if name in kept}
        self._model = self._models.get(backend.precision, self._model)
        for workers in [workers for workers in self._pools if workers != backend.workers]:
            self._pools.pop(workers).shutdown()

    def _loaded(self) -> Any:
        model = load(self.folder, self._device)
        model.max_seq_length = min(model.max_seq_length or LONGEST, LONGEST)
        return model

    @property
    def _choice_key(self) -> str:
        libraries = [version(name) for name in ("torch", "transformers", "sentence-transformers")]
        return key_of(VERSION, self._digest, self._model.max_seq_length, *libraries, processor(), usable_cores())


def load(folder: Path, device: str | None = None) -> Any:
    """The SentenceTransformer in `folder`, as its own settings have it. WeightsMissing, WeightsInvalid or RuntimeUnavailable."""
    if not folder.is_dir() or not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
        raise WeightsMissing(f"{folder} holds no sentence-transformers model", "It should have config.json and model.safetensors.")
    _stay_offline_and_quiet()
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging
    except ImportError as error:
        raise RuntimeUnavailable("sentence-transformers is not installed", "Install it, or use the embedder: hashing") from error
    transformers_logging.disable_progress_bar()
    try:
        # Given use_safetensors, a pickled file beside them is never opened.
        model = SentenceTransformer(
            str(folder.resolve()),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
        int(model.get_embedding_dimension())
    except Exception as error:
        # The library raises whatever its many loaders do.
        line = str(error).strip().split("\n", 1)[0][:300]
        raise WeightsInvalid(f"The model in {folder} cannot be loaded: {line}", "Copy or download the folder again.") from error
    return model.eval()


def _stay_offline_and_quiet() -> None:
    """Before the imports: they pull in bitsandbytes, which fetches and runs code from the Hub wherever `kernels` is installed."""
    sys.modules.setdefault("kernels", None)  # type: ignore[arg-type]
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def _own_tokenizer(model: Any) -> Any:
    """A copy of the model's tokenizer that truncates and never pads; None where the library must do it all: on a GPU, or with a
    prompt, several inputs or a tokenizer that is not in Rust."""
    from sentence_transformers.models import Transformer
    from tokenizers import Tokenizer

    rust = getattr(model.tokenizer, "backend_tokenizer", None)
    if model.device.type != "cpu" or model.default_prompt_name or not isinstance(model[0], Transformer) or not isinstance(rust, Tokenizer):
        return None
    own = Tokenizer.from_str(rust.to_str())
    own.no_padding()
    own.enable_truncation(model.max_seq_length)
    return own


def _unavailable(precision: Precision, error: Exception) -> RuntimeUnavailable:
    return RuntimeUnavailable(f"Embedding in {precision} does not work here: {str(error)[:200]}", "Use the embedder: hashing")


def _pool(workers: int) -> ThreadPoolExecutor:
    """Threads that share out the cores among them: each has its part for itself."""
    import torch

    cores = torch.get_num_threads()
    started = Barrier(workers)

    def start() -> None:
        torch.set_num_threads(max(1, cores // workers))
        started.wait()

    pool = ThreadPoolExecutor(workers)
    for future in [pool.submit(start) for _ in range(workers)]:
        future.result()
    # Each thread set its own number, but also the one that later threads begin with.
    torch.set_num_threads(cores)
    return pool


def _with_int8(module: Any) -> Any:
    """The module with the weights of its linear layers in int8, one scale an output; other parts as they are.

    Raises what torch raises where it has no such kernels.
    """
    import torch

    class Int8Linear(torch.nn.Module):  # type: ignore[misc]
        """A linear layer whose inputs are rounded to 256 steps, from the least to the greatest of each text."""

        def __init__(self, linear: Any) -> None:
            super().__init__()
            weight = linear.weight.detach()
            scale = weight.abs().amax(dim=1).clamp(min=1e-8) / LEVELS
            with warnings.catch_warnings():
                # Torch means to remove this way to make them some day. Rounding inputs with torch's other operations takes all that
                # int8 gains.
                warnings.simplefilter("ignore")
                rounded = torch.quantize_per_channel(weight, scale.double(), torch.zeros(len(scale), dtype=torch.long), 0, torch.qint8)
            self.packed = torch.ops.quantized.linear_prepack(rounded, None if linear.bias is None else linear.bias.detach())

        def forward(self, texts: Any) -> Any:
            made = [torch.ops.quantized.linear_dynamic(text[None], self.packed) for text in texts]
            return made[0] if len(made) == 1 else torch.cat(made)

    for name, child in module.named_children():
        if isinstance(child, torch.nn.Linear):
            setattr(module, name, Int8Linear(child))
        else:
            _with_int8(child)
    return module
