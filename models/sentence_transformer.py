"""Embeds texts with a sentence-transformers model from a local folder: no network, no code from the folder, safetensors only."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import RuntimeUnavailable, WeightsInvalid, WeightsMissing
from models.weights import digest

if TYPE_CHECKING:
    import numpy as np

BATCH = 32
LONGEST = 512
"""Tokens of a text that are read at most; the model's own limit may be lower."""
CHARACTERS = 20_000
"""A text is cut here before it is tokenised: tokenising a megabyte to read 512 tokens of it takes seconds."""


class SentenceTransformerEmbedder:
    """An Embedder over one folder."""

    def __init__(self, folder: Path, *, device: str | None = None, digests: Path | None = None) -> None:
        """Load the model in `folder`. `device` as torch names it, None for the best there is; `digests` remembers SHA-256 sums."""
        weights = sorted(folder.glob("*.safetensors"))
        if not folder.is_dir() or not (folder / "config.json").is_file() or not weights:
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
            self._model: Any = SentenceTransformer(
                str(folder.resolve()),
                device=device,
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            )
            size = self._model.get_embedding_dimension()
        except Exception as error:
            # The library raises whatever its many loaders do.
            line = str(error).strip().split("\n", 1)[0][:300]
            raise WeightsInvalid(f"The model in {folder} cannot be loaded: {line}", "Copy or download the folder again.") from error
        self._model.max_seq_length = min(self._model.max_seq_length or LONGEST, LONGEST)
        self.dimensions = int(size)
        self.name = f"sentence-transformers-{digest(weights[0], digests)[:16]}-{self._model.max_seq_length}"

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Rows of length 1, in the order of `texts`; all 0 for texts that are empty or blank."""
        import numpy as np

        vectors: np.ndarray = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        places = [place for place, text in enumerate(texts) if text.strip()]
        if places:
            # A lone surrogate would stop the tokenizer.
            given = [texts[place][:CHARACTERS].encode("utf-8", "replace").decode("utf-8") for place in places]
            vectors[places] = self._model.encode(
                given, batch_size=BATCH, show_progress_bar=False, convert_to_numpy=True, normalize_embeddings=True
            )
        return vectors


def _stay_offline_and_quiet() -> None:
    """Before the imports: they pull in bitsandbytes, which fetches and runs code from the Hub wherever `kernels` is installed."""
    sys.modules.setdefault("kernels", None)  # type: ignore[arg-type]
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
