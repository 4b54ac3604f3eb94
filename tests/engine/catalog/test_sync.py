"""Reading cards from the Hub, tried against a server that fails, throttles and cuts connections."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlparse

import pytest

from engine.catalog import hub_cards
from engine.catalog.catalog import Catalog, Report
from engine.catalog.hub_cards import GIVE_UP, Wish
from engine.errors import Cancelled, Unavailable
from models.hashing import HashingEmbedder

PAGE = 4


def commit(number: int) -> str:
    return f"{number:040x}"


class CardHub(ThreadingHTTPServer):
    """Lists `cards` (id → markdown, None for no card) by downloads and serves them; `faults` say by path what goes wrong, in turn."""

    daemon_threads = True

    def __init__(self, cards: dict[str, str | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.cards = cards
        self.commits = {dataset: commit(number) for number, dataset in enumerate(cards, 1)}
        self.faults: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.on_card: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def read(self) -> list[str]:
        """Ids whose cards were asked for, each time."""
        return [path.split("/resolve/")[0].removeprefix("/datasets/") for path in self.asked if "/resolve/" in path]


class _Answers(BaseHTTPRequestHandler):
    server: CardHub

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        path, query = unquote(urlparse(self.path).path), parse_qs(urlparse(self.path).query)
        self.server.asked.append(path)
        fault = next((faults.pop(0) for part, faults in self.server.faults.items() if part in path and faults), "")
        if fault == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"only a little")
        elif fault:
            self._say(int(fault), b"{}", {"Retry-After": "0"})
        elif path == "/api/datasets":
            self._list(query)
        else:
            dataset, _, name = path.removeprefix("/datasets/").partition("/resolve/")
            self.server.on_card()
            card = self.server.cards.get(dataset)
            known = name == f"{self.server.commits.get(dataset)}/README.md"
            if not known or card is None:
                self._say(404, b"{}", {"X-Error-Code": "EntryNotFound"})
                return
            first, last = (int(place) for place in self.headers["Range"].removeprefix("bytes=").split("-"))
            part = card.encode()[first : last + 1]
            self._say(206, part) if part else self._say(416, b"")

    def _list(self, query: dict[str, list[str]]) -> None:
        start = int(query.get("cursor", ["0"])[0])
        wanted = [part.removeprefix("language:") for part in query.get("filter", [])]
        every = [
            {"id": dataset, "sha": self.server.commits[dataset], "downloads": 1000 - number, "private": False, "disabled": False}
            for number, (dataset, card) in enumerate(self.server.cards.items())
            if all(f"language: {code}" in (card or "") for code in wanted)
        ]
        following = {**query, "cursor": [str(start + PAGE)]}
        pairs = "&".join(f"{name}={value}" for name, values in following.items() for value in values)
        headers = {"Link": f'<{self.server.url}/api/datasets?{pairs}>; rel="next"'} if start + PAGE < len(every) else {}
        self._say(200, json.dumps(every[start : start + PAGE]).encode(), headers)

    def _say(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


SUBJECTS = "rivers bridges markets bakers windows letters gardens lakes harbours teachers lamps".split()
CARDS: dict[str, str | None] = {
    f"maker/set-{n}": f"---\nlanguage: {'sw' if n % 3 else 'en'}\n---\n# Set {n}\n\nNotes on {subject}."
    for n, subject in enumerate(SUBJECTS)
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[CardHub]:
    # What the Hub's own client waits between two tries is its business; here nobody waits.
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    with CardHub(dict(CARDS)) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog", HashingEmbedder)


def counts(report: Report) -> tuple[int, int, int, int]:
    return report.added, report.updated, report.unchanged, len(report.refused)


def test_all_cards_are_read_once_and_can_be_found(hub: CardHub, catalog: Catalog) -> None:
    assert counts(catalog.sync(Wish())) == (11, 0, 0, 0)
    entry = catalog.get("maker/set-4")
    assert (entry.card.title, entry.card.downloads, entry.revision) == ("Set 4", 996, commit(5))
    assert catalog.search("lakes in autumn")[0].id == "maker/set-7"
    assert catalog.info().embedded == 11


def test_only_what_changed_is_read_again(hub: CardHub, catalog: Catalog) -> None:
    catalog.sync(Wish())
    hub.asked.clear()
    hub.cards["maker/set-3"], hub.commits["maker/set-3"] = "# Other notes", commit(99)
    hub.cards["maker/new"], hub.commits["maker/new"] = "# New", commit(100)
    assert counts(catalog.sync(Wish())) == (1, 1, 10, 0)
    assert sorted(hub.read()) == ["maker/new", "maker/set-3"]
    assert catalog.get("maker/set-3").card.title == "Other notes"


def test_downloads_alone_are_taken_up_without_reading_a_card(hub: CardHub, catalog: Catalog) -> None:
    catalog.sync(Wish())
    hub.asked.clear()
    hub.cards = dict(reversed(hub.cards.items()))  # the list gives more downloads to what stands first
    assert counts(catalog.sync(Wish())) == (0, 0, 11, 0)
    assert hub.read() == []
    assert "997 downloads" in catalog.search("lakes in autumn", 1)[0].reasons


def test_of_a_long_card_no_more_is_read_than_is_of_use_and_an_empty_one_is_no_failure(
    hub: CardHub, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_cards, "MOST_BYTES", 20)
    hub.cards |= {"maker/set-1": "# Long\n\n" + "words " * 100, "maker/set-2": ""}
    assert counts(catalog.sync(Wish(limit=3))) == (3, 0, 0, 0)
    assert len(catalog.get("maker/set-1").card.raw) == 20
    assert catalog.get("maker/set-2").card.notes == ("the card is empty",)


def test_the_wish_bounds_what_is_read(hub: CardHub, catalog: Catalog) -> None:
    assert counts(catalog.sync(Wish(limit=5))) == (5, 0, 0, 0)
    assert counts(catalog.sync(Wish(min_downloads=994))) == (2, 0, 5, 0)
    assert counts(catalog.sync(Wish(languages=("en",)))) == (1, 0, 3, 0)
    assert catalog.info().cards == 8


def test_a_data_set_without_a_card_has_its_id(hub: CardHub, catalog: Catalog) -> None:
    hub.cards["maker/set-2"] = None
    assert counts(catalog.sync(Wish())) == (11, 0, 0, 0)
    assert catalog.get("maker/set-2").card.notes == ("the card is empty",)


@pytest.mark.parametrize("fault", ["429", "500", "503", "cut"])
def test_a_hub_that_fails_now_and_then_is_asked_again(hub: CardHub, catalog: Catalog, fault: str) -> None:
    hub.faults = {"/api/datasets": [fault], "/set-1/": [fault, fault], "/set-8/": [fault]}
    assert counts(catalog.sync(Wish())) == (11, 0, 0, 0)


def test_a_card_that_cannot_be_had_is_left_out_and_tried_the_next_time(hub: CardHub, catalog: Catalog) -> None:
    hub.faults = {"/set-6/": ["503"] * (hub_cards.TRIES + 1)}
    report = catalog.sync(Wish())
    assert counts(report) == (10, 0, 0, 1)
    assert report.refused[0].what == "maker/set-6" and "503" in report.refused[0].reason
    assert counts(catalog.sync(Wish())) == (1, 0, 10, 0)


def test_a_hub_that_stays_away_ends_it_and_what_was_read_is_kept(hub: CardHub, catalog: Catalog) -> None:
    hub.faults = {f"/set-{n}/": ["500"] * 100 for n in range(4, 4 + GIVE_UP)}
    with pytest.raises(Unavailable, match="500"):
        catalog.sync(Wish())
    assert catalog.info().cards == 4
    hub.faults.clear()
    assert counts(catalog.sync(Wish())) == (7, 0, 4, 0)


def test_a_list_that_breaks_off_keeps_what_it_named_before(hub: CardHub, catalog: Catalog) -> None:
    hub.faults = {"/api/datasets": ["", "", "503", "503", "503", "503", "503", "503", "503", "503"]}
    with pytest.raises(Unavailable, match="503"):
        catalog.sync(Wish())
    assert catalog.info().cards == 8


def test_a_stop_loses_no_more_than_a_batch_and_going_on_reads_the_rest(
    hub: CardHub, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.catalog.catalog.SYNCED_AT_ONCE", 3)
    taken = 0

    def stop() -> None:
        nonlocal taken
        taken += 1
        if taken > 7:
            raise Cancelled("enough", "")

    with pytest.raises(Cancelled):
        catalog.sync(Wish(), between=stop)
    kept = catalog.info().cards
    assert kept == 7
    hub.asked.clear()
    assert counts(catalog.sync(Wish())) == (4, 0, 7, 0)
    assert len(hub.read()) == 4


def test_rows_on_this_machine_stay_linked(hub: CardHub, catalog: Catalog, tmp_path: Path) -> None:
    catalog.sync(Wish(limit=2))
    folder = tmp_path / "rows"
    folder.mkdir()
    (folder / "train.csv").write_text("a,b\nx,1\n")
    catalog.add_folder(folder, card_id="maker/set-0")
    assert counts(catalog.sync(Wish(limit=2))) == (0, 0, 2, 0), "rows do not change which card was read"
    hub.cards["maker/set-0"], hub.commits["maker/set-0"] = "# Renewed", commit(50)
    assert counts(catalog.sync(Wish(limit=2))) == (0, 1, 1, 0)
    assert (catalog.get("maker/set-0").card.title, catalog.get("maker/set-0").folder) == ("Renewed", str(folder))


def test_without_a_hub_the_reason_is_one_line(monkeypatch: pytest.MonkeyPatch, catalog: Catalog) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(Unavailable, match="cannot be reached"):
        catalog.sync(Wish())
