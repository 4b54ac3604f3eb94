"""What a user may set about this runtime, in a spec after "#": `model.gguf#sequences=8,flash=off`. Of it only the adapter belongs to a
call's name, as part of the model's digest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote

import msgspec
from msgspec import Meta

from models.errors import ModelError

LEAST_BATCH = 16
"""Tokens that must fit a batch: what a few sequences are fed at once."""


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Speed, memory and devices; what is not set is measured or chosen."""

    sequences: Annotated[int, Meta(ge=0, le=256)] = 0
    """Requests worked on at once. 0: as many as are fastest here. 1: one after the other, which makes answers repeat to the byte;
    layout, flash, cache, batch and lookup are for many at once, and then without effect."""
    layout: Literal["auto", "separate", "unified"] = "auto"
    """Whether sequences have caches of their own or share one."""
    flash: Literal["auto", "on", "off"] = "auto"
    """Flash attention."""
    cache: Literal["auto", "f16", "bf16", "q8_0"] = "auto"
    """Type of the cache. auto: f16, or bf16 where the processor computes with it and it is measured to be faster. q8_0 takes half the
    memory."""
    batch: Annotated[int, Meta(ge=0, le=8192)] = 0
    """Tokens decoded at once at most, LEAST_BATCH or more, and at least one for each sequence. 0: the usual number."""
    threads: Annotated[int, Meta(ge=0, le=1024)] = 0
    """Threads. 0: the physical cores this process may use."""
    gpu_layers: Annotated[int, Meta(ge=-1)] = -1
    """Layers put on a GPU where the build has one. -1: all that fit."""
    lookup: Literal["on", "off"] = "on"
    """Guess what answers copy from their prompts, while few are under way and guesses come true."""
    adapter: str = ""
    """Path of a LoRA adapter as a GGUF file; it is applied to the model. In a spec "," is written %2C, "#" %23 and "%" %25. "": none."""


def adapter_setting(path: Path) -> str:
    """The setting that names an adapter, for a spec."""
    return f"adapter={str(path).translate({ord(sign): f'%{ord(sign):02X}' for sign in '%,#'})}"


def read_adapter(value: str) -> str:
    """The path that a setting names."""
    return unquote(value)


def parse_options(text: str) -> Options:
    """Options from "name=value,name=value"; ModelError naming what is wrong."""
    given: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise ModelError(f"{part!r} is no setting of a model", f"Write NAME=VALUE; names: {', '.join(Options.__struct_fields__)}")
        given[name] = read_adapter(value) if name == "adapter" else value
    try:
        options = msgspec.convert(given, Options, strict=False)
    except msgspec.ValidationError as error:
        raise ModelError(f"model setting {text!r}: {error}", f"Names: {', '.join(Options.__struct_fields__)}") from error
    if 0 < options.batch < LEAST_BATCH:
        title = f"model setting batch={options.batch}: a batch has {LEAST_BATCH} tokens or more"
        raise ModelError(title, f"Write batch={LEAST_BATCH}, or leave it out.")
    return options
