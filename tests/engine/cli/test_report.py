"""datatune report: one file, of any run, that holds no other address and no live text of strangers."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

from tests.engine.cli.conftest import CARD, Datatune
from tests.engine.stages.house import House, notes

HOSTILE = '</script><script>document.title="taken"</script><img src=x onerror=alert(1)> "{{ 7 * 7 }}" \u202eabc\x1b[31m'


class Page(HTMLParser):
    """Elements, and the text outside of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        self.text += "" if self._inside in ("script", "style") else data


def test_the_file_holds_everything_of_the_run_and_points_nowhere(datatune: Datatune, finished: str, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    said = datatune("report", finished, "--to", file)
    assert said.code == 0 and str(file) in said.out
    page = Page(file.read_text())
    for words in ("weather-notes", "local/notes", "self-ROUGE-L", "cc-by-4.0", "Map of the inputs", "Adds up", "said neighbour number"):
        assert words in page.text
    assert "NO" not in re.findall(r"\b(?:yes|NO)\b", page.text)
    addresses = [value for _, names in page.elements for name, value in names.items() if name in ("src", "href", "action", "data")]
    assert addresses and all(value and value.startswith("#") for value in addresses)
    ids = {names["id"] for _, names in page.elements if "id" in names}
    assert {value[1:] for value in addresses if value} <= ids
    policy = next(names["content"] for tag, names in page.elements if tag == "meta" and "http-equiv" in names)
    assert policy and policy.startswith("default-src 'none'") and "unsafe" not in policy


def test_what_strangers_wrote_is_text_and_nothing_else(datatune: Datatune, house: House, tmp_path: Path) -> None:
    rows = [row | {"note": f"{row['note']} {HOSTILE}"} for row in notes(60)]
    house.add("odd", rows, CARD.replace("# Weather", f"# {HOSTILE} Weather"))
    house.pipeline(dataset="local/odd", options={"execute": {"examples": 20}})
    file = tmp_path / "report.html"
    assert datatune("report", house.session.run, "--to", file).code == 0
    text = file.read_text()
    page = Page(text)
    assert [tag for tag, _ in page.elements].count("script") == 2 and "img" not in {tag for tag, _ in page.elements}
    assert not [name for _, names in page.elements for name in names if name.startswith("on")]
    assert HOSTILE[:20] in page.text and "{{ 7 * 7 }}" in page.text and "\u202e" not in text and "\x1b" not in text
    points = re.search(r'<script type="application/json" id="points">(.*?)</script>', text, re.DOTALL)
    assert points and len(json.loads(points[1])) == 20 and "document.title" in points[1]


def test_a_run_without_examples_has_a_report_that_says_so(datatune: Datatune, house: House, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    said = datatune("report", house.session.run, "--to", file, "--json")
    assert said.code == 0 and said.json["sources"] == 0 and "no examples yet" in said.json["notes"][0]
    page = Page(file.read_text())
    assert "Nothing was measured" in page.text and "Map of the inputs" not in page.text


def test_a_place_that_cannot_be_written_is_one_clear_line(datatune: Datatune, finished: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = datatune("report", finished, "--to", tmp_path / "file" / "report.html")
    assert said.code == 2 and "cannot be written" in said.err and "Traceback" not in said.err


def test_a_report_takes_the_place_of_the_one_before(datatune: Datatune, finished: str, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    datatune("report", finished, "--to", file)
    first = file.read_text()
    datatune("report", finished, "--to", file, "--samples", 1)
    assert len(file.read_text()) < len(first) and [path.name for path in tmp_path.glob("report*")] == ["report.html"]
