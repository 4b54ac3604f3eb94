"""What a training would take, from the model's sizes and the examples' lengths: memory by part, and seconds from a measured rate."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from models.cache_file import CacheFile, key_of
from models.finetune.load import computing
from models.finetune.loop import steps_of
from models.finetune.shape import Shape
from models.llama_cpp.library import processor, usable_cores
from models.training import Device, Precision, TrainingEstimate, TrainingOptions, TrainingPart

NF4_BYTES = 0.516
"""A number in 4 bits, with its share of the doubly quantised scales: 4 + 8/64 + 32/(64·256) bits."""
LIBRARIES = {"cpu": 900 << 20, "cuda": 800 << 20}
"""What torch and the others hold before anything is loaded; on a GPU, CUDA's own."""
TILE = 32768
"""Scores computed at once: trl works on tiles of so many places of the vocabulary, in blocks of tokens."""
RATES = "training-rates.json"
UNMEASURED_SHARE = 0.3
"""Of the speed of a plain matrix product, what training is assumed to reach where it never ran."""


def activation_bytes(shape: Shape, options: TrainingOptions, width: int, checkpointing: bool) -> float:
    """Bytes kept for the backward pass for one token, with numbers of `width` bytes.

    Counted from what a Llama layer with an adapter keeps: two normalisations in 32 bits and their results, queries, keys, values and
    outputs of attention, three products of the feed-forward part; and for each of seven projections the input after dropout in 32
    bits, its mask, and the adapter's inner numbers.
    """
    h, f, q, k = shape.hidden, shape.feed_forward, shape.queries, shape.keys
    dropped = 5 if options.dropout else 4 - width if width < 4 else 0
    layer = 2 * (4 + 2 * width) * h + width * (3 * q + 4 * k + h) + 3 * width * f + dropped * (5 * h + q + f) + 7 * 4 * options.rank
    return shape.layers * width * h + layer if checkpointing else shape.layers * layer


def parts_of(
    shape: Shape, options: TrainingOptions, device: Device, precision: Precision, checkpointing: bool, tokens: int
) -> tuple[TrainingPart, ...]:
    """Memory by part when the largest batch has `tokens` tokens, padding included."""
    width = computing(device, precision).itemsize
    embeddings = min(shape.embedding_parameters, shape.parameters)
    body = (shape.parameters - embeddings) * (NF4_BYTES if precision == "nf4" else width)
    adapter = shape.adapter_parameters(options.rank)
    state = 2 if device == "cuda" and precision == "nf4" else 8
    scores = min(tokens, 1024) * min(shape.vocabulary, TILE) * 4 * 3 + tokens * shape.hidden * (4 + width)
    sizes = (
        ("libraries", LIBRARIES[device]),
        ("base model", body + embeddings * width),
        ("adapter, gradients and optimizer", adapter * (4 + 4 + state)),
        ("activations", tokens * activation_bytes(shape, options, width, checkpointing)),
        ("scores over the vocabulary", scores),
    )
    return tuple(TrainingPart(name, int(size)) for name, size in sizes)


def estimate(
    shape: Shape,
    lengths: Sequence[int],
    validation: Sequence[int],
    options: TrainingOptions,
    device: Device,
    precision: Precision,
    *,
    cache: Path,
    digest: str,
    disk: int,
) -> TrainingEstimate:
    """The whole estimate; `lengths` and `validation` are tokens of each example, `disk` bytes a folder would take that is not made yet."""
    epoch, steps = steps_of(len(lengths), options)
    largest = min(options.batch, len(lengths) + len(validation)) * max([*lengths, *validation], default=0)
    available = _available(device)
    wanted = {"on": (True,), "off": (False,), "auto": (False, True)}[options.gradient_checkpointing]
    for checkpointing in wanted:
        parts = parts_of(shape, options, device, precision, checkpointing, largest)
        if sum(part.bytes for part in parts) <= available:
            break
    tokens = int(sum(lengths) * steps / max(1, epoch))
    measured = steps * options.evaluations // max(1, epoch) + 1 if validation else 0
    work = step_work(shape, tokens, checkpointing) + step_work(shape, sum(validation) * measured, False) / 2
    rate, assumed = _rate(shape, device, precision, checkpointing, cache, digest)
    disk_free = shutil.disk_usage(_existing(cache)).free
    needed = sum(part.bytes for part in parts)
    refusal, way_out = "", ""
    if needed > available:
        refusal = f"The training needs about {needed / 1e9:.1f} GB on the {device.upper()}, and {available / 1e9:.1f} GB are free"
        way_out = ways_out(options, checkpointing, precision)
    elif disk * 1.05 > disk_free:
        refusal = f"The base as a folder takes {disk / 1e9:.1f} GB of disk, and {disk_free / 1e9:.1f} GB are free"
        way_out = "Make room, or set another cache folder."
    said = (
        f"The largest batch has {largest} tokens: as many of the longest examples as it holds.",
        "Layers are those of a Llama: attention and a gated feed-forward part.",
        assumed,
    )
    return TrainingEstimate(
        device=device,
        precision=precision,
        gradient_checkpointing=checkpointing,
        parts=parts,
        available=available,
        disk=disk,
        disk_free=disk_free,
        steps=steps,
        tokens=tokens + sum(validation) * measured,
        seconds=work / rate,
        assumed=said,
        refusal=refusal,
        way_out=way_out,
    )


def ways_out(options: TrainingOptions, checkpointing: bool, precision: Precision) -> str:
    """What would need less memory, by what it costs."""
    ways = []
    if not checkpointing:
        ways.append("turn on gradient_checkpointing (slower)")
    if options.batch > 1:
        smaller = options.batch // 2
        ways.append(f"set batch to {smaller} and accumulation to {options.accumulation * -(-options.batch // smaller)} (the same steps)")
    if precision != "nf4":
        ways.append("set precision to nf4")
    ways.append(f"set max_length below {options.max_length}, which leaves longer examples out")
    ways.append("choose a smaller base")
    said = "; ".join(ways)
    return f"{said[:1].upper()}{said[1:]}."


def step_work(shape: Shape, tokens: int, checkpointing: bool) -> float:
    """Floating point operations of training on so many tokens: forward and backward, but no gradients of the base's weights."""
    head = shape.vocabulary * shape.hidden
    body = shape.parameters - min(shape.embedding_parameters, shape.parameters)
    return tokens * (4.0 * (body + head) + (2.0 * body if checkpointing else 0.0))


def remember_rate(cache: Path, digest: str, device: Device, precision: Precision, operations_per_second: float) -> None:
    """Keep what a training reached, for the next estimate."""
    CacheFile(cache, RATES, float).put(_key(digest, device, precision), operations_per_second)


def _rate(shape: Shape, device: Device, precision: Precision, checkpointing: bool, cache: Path, digest: str) -> tuple[float, str]:
    """Operations a second, and what that rests on."""
    known = CacheFile(cache, RATES, float).get(_key(digest, device, precision))
    if known:
        return known, "The time is from the last training of this base here."
    import torch

    kind = computing(device, precision)
    where = "cuda" if device == "cuda" else "cpu"
    with torch.no_grad():
        left = torch.ones((256, shape.hidden), dtype=kind, device=where)
        right = torch.ones((shape.hidden, shape.feed_forward), dtype=kind, device=where)
        count, started = 0, time.perf_counter()
        while (passed := time.perf_counter() - started) < 0.2 or count < 2:
            (left @ right).sum().item()
            count += 1
    rate = count * 2.0 * 256 * shape.hidden * shape.feed_forward / passed
    return (
        rate * UNMEASURED_SHARE,
        f"The time is {UNMEASURED_SHARE:.0%} of a matrix product's speed, measured now: it may be out by a factor of 3.",
    )


def _available(device: Device) -> int:
    """Bytes free on the device; in main memory, counting what this process holds already."""
    import psutil

    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    return int(psutil.virtual_memory().available + psutil.Process().memory_info().rss)


def _key(digest: str, device: Device, precision: Precision) -> str:
    name = processor()
    if device == "cuda":
        import torch

        name = torch.cuda.get_device_name()
    return key_of(digest, device, precision, name, usable_cores())


def _existing(folder: Path) -> Path:
    return next((one for one in (folder, *folder.parents) if one.is_dir()), Path.cwd())
