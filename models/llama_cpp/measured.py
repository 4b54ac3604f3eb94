"""What calibrations found on this machine, by model file and settings, without loading the model."""

from __future__ import annotations

from pathlib import Path

from models import weights
from models.cache_file import CacheFile, key_of
from models.llama_cpp import library
from models.llama_cpp.calibration import FILE, VERSION, Calibration
from models.llama_cpp.devices import devices
from models.llama_cpp.options import Options


def calibration_key(digest: str, options: Options) -> str:
    """What a calibration is remembered under: the file's SHA-256, this build, this processor and GPU, and what the user decided.

    All adapters of a file count as one: which numbers they add makes no difference to speed, and a comparison has many.
    """
    # Not the machine's name: containers on one machine have many.
    runtime = f"llama.cpp via llama-cpp-python {library.package_version()}"
    build = (digest, runtime, library.build(), library.processor(), options.threads or library.usable_cores())
    more = [*(["adapter"] if options.adapter else []), *(gpu.description for gpu in devices())]
    return key_of(
        VERSION, *build, options.gpu_layers, options.sequences, options.layout, options.flash, options.cache, options.batch, *more
    )


def measured(path: Path, cache: Path, options: Options | None = None) -> Calibration | None:
    """What was measured of a file with these settings; None before that. Reads no weights: a file whose SHA-256 is not known yet was
    never measured. The native library is loaded only where something was measured, since loading a wrong build can end the process.
    """
    digest = weights.known_digest(path, cache)
    known = CacheFile(cache, FILE, Calibration)
    if not digest or not known.all():
        return None
    return known.get(calibration_key(digest, options or Options()))
