"""The training libraries, kept from the network and from printing."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from models.errors import RuntimeUnavailable

NEEDED = ("torch", "transformers", "peft", "trl", "accelerate", "datasets", "gguf")
OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY")


def stay_offline() -> None:
    """Before the imports: nothing is fetched, and bitsandbytes fetches and runs code from the Hub wherever `kernels` is installed."""
    os.environ.update(dict.fromkeys(OFFLINE, "1"))
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    sys.modules.setdefault("kernels", None)  # type: ignore[arg-type]
    # It tells of the kernels it was kept from each time it is imported.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    for name in NEEDED:
        if not find_spec(name):
            raise RuntimeUnavailable(f"{name} is not installed", f"Finetuning needs it: pip install {name}")


@contextmanager
def quiet() -> Iterator[None]:
    """Progress bars, advice and warnings of the libraries stay off the screen; errors do not."""
    stay_offline()
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    names = ("transformers", "trl", "peft", "accelerate", "bitsandbytes", "datasets", "torch")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Only a warning to torch: a product without a derivative trains with wrong gradients.
            warnings.filterwarnings("error", message=".*autograd kernel was not registered")
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
