"""The Hugging Face Hub: data sets found in its local cache, and fetched from it when, and only when, the user asks."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from engine.catalog.scan import ENDINGS
from engine.catalog.text_file import plain_name
from engine.errors import BadInput, StoreUnusable, Unavailable
from engine.records import Value

DEFAULT_REFERENCE = "main"
TIMEOUT_SECONDS = 30.0
_ID = re.compile(r"[\w.\-]{1,96}(?:/[\w.\-]{1,96})?")
_BESIDE_DATA = ("readme.md", "state.json", "dataset_dict.json", "dataset_info.json", "dataset_infos.json")


class Snapshot(Value, frozen=True):
    """One commit of a data set in the cache."""

    dataset: str
    path: str
    within: str
    """Folder that the snapshot's links lead into."""
    revision: str


class RemoteFile(Value, frozen=True):
    """One file the Hub offers."""

    path: str
    size: int


class Quote(Value, frozen=True):
    """What fetching a data set would bring: data files and the card, no code and nothing pickled."""

    dataset: str
    revision: str
    files: tuple[RemoteFile, ...]
    left_out: int
    """Files that are no data we read."""
    endpoint: str

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)


def cache_folder() -> Path:
    """The Hub's cache on this machine, as its own tools find it."""
    environment = os.environ
    if named := environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE"):
        return Path(named).expanduser()
    home = environment.get("HF_HOME") or str(Path(environment.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    return Path(home).expanduser() / "hub"


def cached_snapshot(dataset: str, cache: Path | None = None) -> Snapshot:
    """The snapshot of a Hub id in the cache, the one "main" names or else the newest. Raises Unavailable when there is none."""
    storage = _storage(dataset, cache)
    if storage is not None:
        reference = storage / "refs" / DEFAULT_REFERENCE
        commits = [reference.read_text("utf-8").strip()] if reference.is_file() else []
        folders = [storage / "snapshots" / commit for commit in commits if re.fullmatch(r"[0-9a-f]{6,64}", commit)]
        folders += sorted((storage / "snapshots").glob("*"), key=lambda folder: folder.stat().st_mtime, reverse=True)
        for folder in folders:
            if folder.is_dir() and any(
                _wanted(path.relative_to(folder).as_posix()) for path in folder.rglob("*") if path.name != "README.md"
            ):
                return Snapshot(dataset=dataset, path=str(folder), within=str(storage), revision=folder.name)
    raise Unavailable(f"The rows of {dataset} are not on this machine", f"Fetch them with: datatune catalog fetch {dataset}")


def is_cached(dataset: str, cache: Path | None = None) -> bool:
    """Whether the cache holds rows of a Hub id; reads folder names only."""
    storage = _storage(dataset, cache)
    if storage is None:
        return False
    try:
        cached_snapshot(dataset, cache)
    except Unavailable:
        return False
    return True


def cached_ids(cache: Path | None = None) -> list[str]:
    """The Hub ids whose rows are in the cache."""
    folder = cache or cache_folder()
    names = (path.name.removeprefix("datasets--").replace("--", "/", 1) for path in sorted(folder.glob("datasets--*")))
    return [name for name in names if is_cached(name, cache)]


def quote(dataset: str, *, endpoint: str | None = None) -> Quote:
    """Ask the Hub what a data set holds and how large it is. Uses the network.

    Raises Unavailable when it is gated, private, missing, not readable without running its code, or out of reach.
    """
    if not _ID.fullmatch(dataset) or ".." in dataset:
        raise BadInput(f"{dataset!r} is no id of the Hub", "An id looks like owner/name.")
    address = hub_endpoint(endpoint)
    with translated(dataset, address):
        from huggingface_hub import HfApi

        info = HfApi(endpoint=address).dataset_info(dataset, files_metadata=True, timeout=TIMEOUT_SECONDS)
    listed = [RemoteFile(path=file.rfilename, size=int(file.size or 0)) for file in info.siblings or ()]
    files = tuple(file for file in listed if _wanted(file.path))
    if not any(PurePosixPath(file.path).name.lower() not in _BESIDE_DATA for file in files):
        script = any(file.path.endswith(".py") for file in listed)
        reason = (
            "is a loading script, and DataTune never runs code that comes with data" if script else "holds no data files that can be read"
        )
        raise Unavailable(
            f"{dataset} {reason}", "Look for a version of it in Parquet files." if script else f"It has {len(listed)} other files."
        )
    return Quote(dataset=dataset, revision=str(info.sha), files=files, left_out=len(listed) - len(files), endpoint=address)


def fetch(quoted: Quote, *, cache: Path | None = None, progress: Callable[[int, int], None] | None = None) -> Snapshot:
    """Download what was quoted into the Hub's cache; files already there are kept. Uses the network.

    `progress` gets (bytes done, bytes in all) after each file. Raises Unavailable as `quote` does, StoreUnusable when it does not fit.
    """
    folder = cache or cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise StoreUnusable(f"The Hub's cache {folder} cannot be written: {error.strerror or error}") from error
    if quoted.bytes > free:
        raise StoreUnusable(
            f"{quoted.dataset} needs {quoted.bytes:,} bytes and {folder} has {free:,} free", "Free some space or set HF_HUB_CACHE."
        )
    done = 0
    with translated(quoted.dataset, quoted.endpoint):
        from huggingface_hub import hf_hub_download
        from huggingface_hub.utils.tqdm import disable_progress_bars

        disable_progress_bars()
        for file in quoted.files:
            hf_hub_download(
                quoted.dataset,
                file.path,
                repo_type="dataset",
                revision=quoted.revision,
                endpoint=quoted.endpoint,
                cache_dir=folder,
                etag_timeout=TIMEOUT_SECONDS,
            )
            done += file.size
            if progress:
                progress(done, quoted.bytes)
    storage = folder / f"datasets--{quoted.dataset.replace('/', '--')}"
    reference = storage / "refs" / DEFAULT_REFERENCE
    reference.parent.mkdir(parents=True, exist_ok=True)
    reference.write_text(quoted.revision, "utf-8")
    return cached_snapshot(quoted.dataset, cache)


def _storage(dataset: str, cache: Path | None) -> Path | None:
    """Where the cache keeps an id, if it does."""
    if not _ID.fullmatch(dataset) or ".." in dataset:
        return None
    storage = (cache or cache_folder()) / f"datasets--{dataset.replace('/', '--')}"
    return storage if (storage / "snapshots").is_dir() else None


def _wanted(path: str) -> bool:
    """Data that can be read, or a file that describes it, at a place that stays inside."""
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\\" in path:
        return False
    return parts.name.lower() in _BESIDE_DATA or PurePosixPath(plain_name(parts.name)).suffix.lower() in ENDINGS


def hub_endpoint(endpoint: str | None = None) -> str:
    """The Hub's address: the one given, else HF_ENDPOINT's, else the usual one."""
    from huggingface_hub import constants

    return (endpoint or os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


@contextmanager
def translated(dataset: str, endpoint: str) -> Iterator[None]:
    """The Hub client's errors as ours, one line each; `dataset` names what was asked for."""
    import httpx2
    from huggingface_hub import errors

    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # It would tell of every try on stderr, across the progress bar.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        yield
    except errors.GatedRepoError as error:
        raise Unavailable(
            f"{dataset} is gated: its owner grants access one by one", "Ask on its page, then log in with: hf auth login"
        ) from error
    except errors.OfflineModeIsEnabled as error:
        raise Unavailable(f"{dataset} cannot be fetched: offline mode is on", "Unset HF_HUB_OFFLINE.") from error
    except errors.RepositoryNotFoundError as error:
        raise Unavailable(
            f"{endpoint} has no data set {dataset}, or it is private", "Check the id; for a private one: hf auth login"
        ) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise Unavailable(f"{endpoint} refuses access to {dataset} ({status})", "Log in with: hf auth login") from error
        raise Unavailable(f"{endpoint} answered {status} for {dataset}", "Try again later.") from error
    except (httpx2.HTTPError, errors.LocalEntryNotFoundError, ConnectionError, TimeoutError) as error:
        raise Unavailable(f"{endpoint} cannot be reached", "Check the network, or HF_ENDPOINT.") from error
    except errors.HFValidationError as error:
        raise BadInput(f"{dataset!r} is no id of the Hub", "An id looks like owner/name.") from error
    except OSError as error:
        raise StoreUnusable(f"{dataset} cannot be stored: {error.strerror or error}", "Check free space and permissions.") from error
