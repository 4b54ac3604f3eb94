"""Cards read from the Hub itself, when the user asks for it: the list of data sets by downloads, then each card that changed."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from engine.catalog.hub import TIMEOUT_SECONDS, hub_endpoint, translated
from engine.catalog.published import Published, unfit_id
from engine.errors import Unavailable
from engine.records import Value

AT_ONCE = 8
AHEAD = 4 * AT_ONCE
"""Cards asked for before the first of them is taken."""
TRIES = 6
LONGEST_WAIT = 60.0
MOST_BYTES = 800_000
"""Of a card that are asked for: more than is kept of one."""
GIVE_UP = 5
"""So many cards in a row that cannot be had mean that the Hub cannot."""


class Wish(Value, frozen=True):
    """Which data sets of the Hub are wanted; those with most downloads come first."""

    limit: int = 0
    """0 for all."""
    min_downloads: int = 0
    """In the last month."""
    languages: tuple[str, ...] = ()
    """Codes as cards state them; () for any."""


class Listed(Value, frozen=True):
    """A data set in the Hub's list."""

    dataset: str
    revision: str
    downloads: int


class Lost(Value, frozen=True):
    """A card that could not be read, and why."""

    dataset: str
    reason: str


def listed(wish: Wish, endpoint: str | None = None) -> Iterator[Listed]:
    """The data sets wished for, most downloads first, page by page. Uses the network. Raises Unavailable."""
    address = hub_endpoint(endpoint)
    with translated("the list of data sets", address):
        from huggingface_hub import HfApi

        languages = list(wish.languages) or None
        found = HfApi(endpoint=address).list_datasets(
            sort="downloads", limit=wish.limit or None, language=languages, expand=["sha", "downloads", "private", "disabled"]
        )
        for info in found:
            downloads = int(info.downloads or 0)
            if downloads < wish.min_downloads:
                return
            if not info.private and not info.disabled and not unfit_id(info.id):
                yield Listed(info.id, str(info.sha or ""), downloads)


def cards_of(
    wanted: Iterable[Listed], endpoint: str | None = None, between: Callable[[], None] = lambda: None
) -> Iterator[Published | Lost]:
    """Their cards, in the same order, a few fetched at once. Uses the network.

    A data set without a card gets an empty one. Raises Unavailable when several in a row cannot be read; what came before was
    yielded.
    """
    address = hub_endpoint(endpoint)
    stop = threading.Event()
    pending: deque[tuple[Listed, Future[str]]] = deque()
    source = iter(wanted)
    broken: Unavailable | None = None
    failures = 0
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="cards") as pool:
        try:
            while True:
                try:
                    while not broken and len(pending) < AHEAD and (one := next(source, None)):
                        pending.append((one, pool.submit(_card, one, address, stop)))
                except Unavailable as error:  # the list broke off: what it named before is still wanted
                    broken = error
                if not pending and broken:
                    raise broken
                if not pending:
                    return
                between()
                one, future = pending.popleft()
                try:
                    markdown = future.result()
                except Unavailable as error:
                    failures += 1
                    if failures >= GIVE_UP:
                        raise
                    yield Lost(one.dataset, error.title)
                    continue
                failures = 0
                yield Published(one.dataset, markdown, one.downloads, one.revision)
        finally:
            stop.set()
            for _, future in pending:
                future.cancel()


def _card(one: Listed, address: str, stop: threading.Event) -> str:
    """The card's markdown, "" when there is none or none that may be read. Raises Unavailable."""
    if stop.is_set():
        return ""
    with translated(one.dataset, address):
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, http_backoff  # type: ignore[attr-defined]

        url = hf_hub_url(one.dataset, "README.md", repo_type="dataset", revision=one.revision or None, endpoint=address)
        response = http_backoff(
            "GET",
            url,
            headers=build_hf_headers() | {"Range": f"bytes=0-{MOST_BYTES - 1}"},
            timeout=TIMEOUT_SECONDS,
            follow_redirects=True,
            max_retries=TRIES,
            max_wait_time=LONGEST_WAIT,
        )
        if response.status_code in (401, 403, 404, 416):  # 416: an empty file has no first byte
            return ""
        hf_raise_for_status(response)
        return response.content[:MOST_BYTES].decode("utf-8", errors="replace")
