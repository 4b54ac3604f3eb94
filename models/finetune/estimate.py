"""What a training would take, from the model's sizes and the examples' lengths: memory by part, and seconds from a measured rate."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from models.cache_file import CacheFile, key_of
from models.finetune.load import choose_processes, computing
from models.finetune.loop import steps_of
from models.finetune.machine import free_bytes
from models.finetune.shape import Shape
from models.finetune.tokens import Row
from models.llama_cpp.library import processor, usable_cores
from models.training import Device, Precision, TrainingEstimate, TrainingOptions, TrainingPart

NF4_BYTES = 0.516
"""A number in 4 bits, with its share of the doubly quantised scales: 4 + 8/64 + 32/(64·256) bits."""
LIBRARIES = {"cpu": 600 << 20, "cuda": 800 << 20}
"""What torch and the others hold before anything is loaded; on a GPU, CUDA's own."""
TILE = (4096, 32768)
"""Scores computed at once: trl works on tiles of so many tokens by so many places of the vocabulary."""
TILES = {"cpu": 7, "cuda": 2}
"""Copies of a tile that are held at the same time."""
UNUSED = {"cpu": 1.5, "cuda": 1.15}
"""What allocators take for each byte of activations; on a CPU measured with SmolLM2-135M: 1.43 in fp32, 1.57 in nf4."""
RATES = "training-rates.json"
TRIED_TOKENS = {"cpu": 256, "cuda": 4096}
"""Rows of the product that a speed is measured with: on a GPU a small one takes no longer to do than to begin."""
UNMEASURED_SHARE = 0.3
"""Of the speed of a plain matrix product, what training is assumed to reach where it never ran."""


def activation_bytes(shape: Shape, options: TrainingOptions, device: Device, width: int, checkpointing: bool, kept: int = 0) -> float:
    """Bytes kept for the backward pass for one token, with numbers of `width` bytes; between layers of `kept`, else as many.

    Counted from what a Llama layer with an adapter keeps: the inputs of two normalisations in 32 bits; queries, keys and values for
    every head, and what attention gives; three products of the feed-forward part; and for the adapter of each of seven projections
    its input after dropout in 32 bits, dropout's mask (32 bits on a CPU, 8 on a GPU) and its inner numbers.
    """
    h, f, q = shape.hidden, shape.feed_forward, shape.queries
    mask = 0 if not options.dropout else 4 if device == "cpu" else 1
    layer = 8 * h + width * (4 * q + 3 * f) + (4 + mask) * (5 * h + q + f) + 7 * 4 * options.rank
    return UNUSED[device] * (shape.layers * (kept or width) * h + layer if checkpointing else shape.layers * layer)


def parts_of(
    shape: Shape,
    options: TrainingOptions,
    device: Device,
    precision: Precision,
    checkpointing: bool,
    tokens: int,
    learnt: int,
    processes: int = 1,
) -> tuple[TrainingPart, ...]:
    """Memory by part when the largest batch has `tokens` tokens, padding included, and `learnt` of them are completions'.

    Of several processes that share a batch each has a model; on GPUs it is one's memory that counts, on a CPU that of all.
    """
    models, shares = (processes, 1) if device == "cpu" else (1, processes)
    tokens, learnt = -(-tokens // shares), -(-learnt // shares)
    width = computing(device, precision).itemsize
    embeddings = min(shape.embedding_parameters, shape.parameters)
    body = (shape.parameters - embeddings) * (NF4_BYTES if precision == "nf4" else width)
    # Normalisations of a base in 4 bits give 32, and each layer hands on what it is given.
    kept = 4 if precision == "nf4" else width
    adapter = shape.adapter_parameters(options.rank)
    state = 2 if device == "cuda" and precision == "nf4" else 8
    tile = min(learnt, models * TILE[0]) * min(shape.vocabulary, TILE[1]) * 4
    sizes = (
        ("libraries", models * LIBRARIES[device]),
        ("base model", models * (body + embeddings * width)),
        ("adapter, gradients and optimizer", models * adapter * (4 + 4 + state)),
        ("activations", tokens * activation_bytes(shape, options, device, width, checkpointing, kept)),
        ("scores over the vocabulary", TILES[device] * tile + tokens * shape.hidden * (4 + width)),
    )
    return tuple(TrainingPart(name, int(size)) for name, size in sizes)


def estimate(
    shape: Shape,
    rows: Sequence[Row],
    held: Sequence[Row],
    options: TrainingOptions,
    device: Device,
    precision: Precision,
    *,
    cache: Path,
    digest: str,
    disk: int,
) -> TrainingEstimate:
    """The whole estimate; `disk` are the bytes of a folder that is not made yet."""
    lengths, validation = [len(row.tokens) for row in rows], [len(row.tokens) for row in held]
    epoch, steps = steps_of(len(lengths), options)
    learnt = sum(sorted((len(row.tokens) - row.prompt for row in (*rows, *held)), reverse=True)[: options.batch])
    largest = min(options.batch, len(lengths) + len(validation)) * max([*lengths, *validation], default=0)
    processes = choose_processes(options, device)
    available = free_bytes(device, processes)
    wanted = {"on": (True,), "off": (False,), "auto": (False, True)}[options.gradient_checkpointing]
    for checkpointing in wanted:
        parts = parts_of(shape, options, device, precision, checkpointing, largest, learnt, processes)
        if sum(part.bytes for part in parts) <= available:
            break
    tokens = int(sum(lengths) * steps / max(1, epoch))
    measured = steps * options.evaluations // max(1, epoch) + 1 if validation else 0
    work = (
        work_per_token(shape, rows, checkpointing) * tokens
        + work_per_token(shape, held, False) / 2 * sum(validation) * measured * processes
    )
    disk_free = shutil.disk_usage(_existing(cache)).free
    needed = sum(part.bytes for part in parts)
    refusal, way_out = "", ""
    if needed > available:
        refusal = f"The training needs about {needed / 1e9:.1f} GB on the {device.upper()}, and {available / 1e9:.1f} GB are free"
        way_out = ways_out(options, checkpointing, precision, processes)
    elif disk * 1.05 > disk_free:
        refusal = f"The base as a folder takes {disk / 1e9:.1f} GB of disk, and {disk_free / 1e9:.1f} GB are free"
        way_out = "Make room, or set another cache folder."
    # What does not fit is not tried for its speed.
    rate, assumed = (0.0, "") if refusal else _rate(shape, device, precision, processes, cache, digest)
    said = (
        f"The largest batch has {largest} tokens: as many of the longest examples as it holds.",
        "Layers are those of a Llama: attention and a gated feed-forward part.",
        *filter(None, (assumed,)),
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
        seconds=work / rate if rate else 0.0,
        assumed=said,
        refusal=refusal,
        way_out=way_out,
    )


def ways_out(options: TrainingOptions, checkpointing: bool, precision: Precision, processes: int = 1) -> str:
    """What would need less memory, by what it costs."""
    ways = ["set processes to 1, where one GPU has more memory free than the others, or on a CPU"] if processes > 1 else []
    if not checkpointing:
        ways.append("turn on gradient_checkpointing (slower)")
    if options.batch > 1:
        parts = next(count for count in range(2, options.batch + 1) if options.batch % count == 0)
        ways.append(f"set batch to {options.batch // parts} and accumulation to {options.accumulation * parts} (the same steps)")
    if precision != "nf4":
        ways.append("set precision to nf4")
    ways.append(f"set max_length below {options.max_length}, which leaves longer examples out")
    ways.append("choose a smaller base")
    said = "; ".join(ways)
    return f"{said[:1].upper()}{said[1:]}."


def work_per_token(shape: Shape, rows: Sequence[Row], checkpointing: bool) -> float:
    """Floating point operations of training on one token of these examples, on the mean.

    Forward and backward, but no gradients of the base's weights; scores over the vocabulary for what is learnt alone, and once more
    on the way back.
    """
    head = shape.vocabulary * shape.hidden
    body = shape.parameters - min(shape.embedding_parameters, shape.parameters)
    learnt = sum(len(row.tokens) - row.prompt for row in rows) / max(1, sum(len(row.tokens) for row in rows))
    return (6.0 if checkpointing else 4.0) * body + 6.0 * head * learnt


def remember_rate(cache: Path, digest: str, device: Device, precision: Precision, processes: int, operations_per_second: float) -> None:
    """Keep what a training reached, for the next estimate."""
    CacheFile(cache, RATES, float).put(_key(digest, device, precision, processes), operations_per_second)


def _rate(shape: Shape, device: Device, precision: Precision, processes: int, cache: Path, digest: str) -> tuple[float, str]:
    """Operations a second, and what that rests on."""
    known = CacheFile(cache, RATES, float).get(_key(digest, device, precision, processes))
    if known:
        return known, "The time is from the last training of this base here."
    import torch

    kind, rows = computing(device, precision), TRIED_TOKENS[device]
    with torch.no_grad():
        left = torch.ones((rows, shape.hidden), dtype=kind, device=device)
        right = torch.ones((shape.hidden, shape.feed_forward), dtype=kind, device=device)
        (left @ right).sum().item()  # the first takes as long as it takes to load what multiplies
        count, started = 0, time.perf_counter()
        while (passed := time.perf_counter() - started) < 0.2 or count < 2:
            (left @ right).sum().item()
            count += 1
    rate = count * 2.0 * rows * shape.hidden * shape.feed_forward / passed * (processes if device == "cuda" else 1)
    return (
        rate * UNMEASURED_SHARE,
        f"The time is {UNMEASURED_SHARE:.0%} of a matrix product's speed, measured now: it may be out by a factor of 3.",
    )


def _key(digest: str, device: Device, precision: Precision, processes: int) -> str:
    name = processor()
    if device == "cuda":
        import torch

        name = torch.cuda.get_device_name()
    return key_of(digest, device, precision, name, usable_cores(), *([processes] if processes > 1 else []))


def _existing(folder: Path) -> Path:
    return next((one for one in (folder, *folder.parents) if one.is_dir()), Path.cwd())
