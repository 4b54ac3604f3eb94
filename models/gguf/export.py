"""Exports an adapter as a llama.cpp LoRA file, or merged into its base. What was made is loaded and asked before it gets its name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import msgspec

from models import weights
from models.errors import ModelError, RuntimeUnavailable, WeightsInvalid
from models.gguf.adapter import Adapter
from models.gguf.base import Base
from models.gguf.write import Numbers, Reported, size_of, unreported, write_merged
from models.language import Request

QUANTISATIONS: dict[str, int] = {
    name: number
    for number, name in weights.FILE_TYPES.items()
    if name
    in ("Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M", "Q4_K_S", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q3_K_M", "Q3_K_L", "Q3_K_S", "Q2_K")
}
"""What llama.cpp can make without an importance matrix → its number of that file type."""
QUANTISED_SHARE = 0.6
"""A quantised file has at most so many bytes of the same model in 16 bits: Q8_0 has 0.53, where rows fit no block they stay larger."""
SPARE = 64 << 20
"""Bytes left free on the disk."""


class Exported(msgspec.Struct, frozen=True):
    """A file that was made, loaded and asked."""

    path: str
    size: int
    """Bytes."""
    digest: str
    """SHA-256, in hex."""
    quantisation: str
    """As the file's matrices are stored: F16, Q4_K_M and so on; F32 for an adapter."""
    answer: str
    """What it answered."""


def adapter_gguf(folder: Path, base: Path, out: Path, question: Request, reported: Reported = unreported) -> Exported:
    """Write the peft adapter in `folder` as a LoRA file for the GGUF model `base`, load both and ask them `question`.

    ModelError says why an adapter cannot be exported; then nothing is left at `out` that was not there before.
    """
    model = Base(base)
    adapter = Adapter(folder, model)
    numbers = sum(4 * (delta.a[1].shape[0] * (sum(delta.tensor.shape))) for delta in adapter.deltas.values())
    with _made(out, base, numbers + (1 << 20)) as part:
        _write_adapter(adapter, model, part)
        return _checked(part, out, "F32", question, reported, base)


def merged_gguf(
    folder: Path, base: Path, out: Path, question: Request, quantisation: str = "F16", reported: Reported = unreported
) -> Exported:
    """Write the GGUF model `base` with the peft adapter in `folder` merged into it, load it and ask it `question`.

    `quantisation` is F32, F16 or one of QUANTISATIONS, made by llama.cpp from F16. Metadata, tokenizer and chat template stay the
    base's; only the file type changes. ModelError says why it cannot be made; then nothing is left at `out` that was not there before.
    `reported` hears of the numbers being merged; quantising them, which follows, is one call of llama.cpp's that nothing interrupts.
    """
    if quantisation not in (*get_args(Numbers), *QUANTISATIONS):
        raise ModelError(f"{quantisation!r} is no quantisation", f"Those there are: F32, F16, {', '.join(QUANTISATIONS)}")
    model = Base(base)
    adapter = Adapter(folder, model)
    if quantisation in QUANTISATIONS:
        whole = size_of(model, "F16")
        with _made(out, base, int(whole * (1 + QUANTISED_SHARE))) as part, _scratch(out.with_name(f"{out.name}.f16.part")) as plain:
            write_merged(model, adapter, plain, "F16", reported)
            _quantise(plain, part, quantisation)
            plain.unlink()
            return _checked(part, out, quantisation, question, reported)
    numbers: Numbers = "F32" if quantisation == "F32" else "F16"
    with _made(out, base, size_of(model, numbers)) as part:
        write_merged(model, adapter, part, numbers, reported)
        return _checked(part, out, quantisation, question, reported)


def _write_adapter(adapter: Adapter, base: Base, path: Path) -> None:
    """Format: general.type adapter, adapter.type lora, alpha; of each tensor NAME.lora_a and NAME.lora_b. Applied with alpha/rank."""
    import numpy as np
    from gguf import GGUFWriter

    alpha = adapter.config.lora_alpha
    writer = GGUFWriter(path, base.architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    deltas = list(adapter.deltas.values())
    for delta in deltas:
        length, rows = delta.tensor.shape
        rank = delta.a[1].shape[0]
        writer.add_tensor_info(f"{delta.tensor.name}.lora_a", (rank, length), np.dtype(np.float32), 4 * rank * length)
        writer.add_tensor_info(f"{delta.tensor.name}.lora_b", (rows, rank), np.dtype(np.float32), 4 * rank * rows)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for delta in deltas:
            a, b = adapter.factors(delta)
            # 1 but where layers have an alpha of their own, or another scaling.
            rest = delta.scale * a.shape[0] / alpha
            writer.write_tensor_data(a)
            writer.write_tensor_data(b if rest == 1 else b * np.float32(rest))
    finally:
        writer.close()


def _quantise(source: Path, target: Path, quantisation: str) -> None:
    import ctypes

    from models.llama_cpp import library

    native = library.load()
    params = native.llama_model_quantize_default_params()
    params.nthread = library.usable_cores()
    params.ftype = QUANTISATIONS[quantisation]
    code = native.llama_model_quantize(bytes(source), bytes(target), ctypes.byref(params))
    if code != 0:
        raise RuntimeUnavailable(f"llama.cpp cannot quantise to {quantisation}: {library.recent_log()}", "Export as F16 or Q8_0.")


def _checked(part: Path, out: Path, quantisation: str, question: Request, reported: Reported, base: Path | None = None) -> Exported:
    """Load what was written, ask it, give it its name."""
    from models.llama_cpp.model import LlamaCppModel
    from models.llama_cpp.options import Options

    options = Options(sequences=1, adapter=str(part) if base else "")
    size = part.stat().st_size
    reported(size, size)
    model = LlamaCppModel(base or part, options=options)
    try:
        (answered,) = model.complete_many([question], lambda: reported(size, size))
    finally:
        model.close()
    if answered.finish == "error":
        raise WeightsInvalid(f"{out} was made, but does not answer: {answered.error}", "Nothing was kept. Evaluate the adapter first.")
    digest = weights.digest(part)
    with part.open("rb") as file:
        # A name that stands before its data would be a half file after a power cut.
        os.fsync(file.fileno())
    part.replace(out)
    return Exported(str(out), size, digest, quantisation, answered.text)


@contextmanager
def _made(out: Path, base: Path, needed: int) -> Iterator[Path]:
    """Where a file is written that becomes `out`; refused where the disk has no room for `needed` bytes."""
    if out.resolve() == base.resolve():
        raise ModelError(f"{out} is the base itself", "Name another file: the base is kept.")
    try:
        free = shutil.disk_usage(out.parent).free
    except OSError as error:
        raise ModelError(f"Cannot write to {out.parent}: {error.strerror}", "Name a folder that is there.") from error
    if free < needed + SPARE:
        title = f"{out} needs {needed / 1e9:.1f} GB on the way, the disk has {free / 1e9:.1f} GB free"
        raise ModelError(title, "Make room, or export to another disk.")
    with _scratch(out.with_name(f"{out.name}.part")) as part:
        try:
            yield part
        except OSError as error:
            raise ModelError(f"Cannot write {out}: {error.strerror or error}", "Make room, or export to another folder.") from error


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """A file that is not there afterwards. One that a kill left is written over by the next try."""
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
