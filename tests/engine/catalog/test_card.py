"""Cards are read however broken they are, and what is read is worth searching."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.catalog.card import RAW_LIMIT, class_names_in, parse_card, read_card

WHOLE = """---
pretty_name: River Gauges
license: cc-by-4.0
language:
- no
- en
task_categories:
- text-classification
tags: [water, sensors]
size_categories:
- 1K<n<10K
dataset_info:
- config_name: daily
  features:
  - name: reading
    dtype: float32
  - name: alarm
    dtype:
      class_label:
        names:
          '0': no
          '1': yes
  - name: tags
    sequence:
      class_label:
        names: [dry, wet]
  splits:
  - name: train
    num_examples: 40
configs:
- config_name: daily
  default: true
  data_files:
  - split: train
    path: data/train-*.csv
  - split: test
    path: [data/a.csv, data/b.csv]
---
# Dataset Card for River Gauges

![badge](https://example.org/b.png) [More Information Needed]

## Table of Contents
- [Summary](#summary)

## Citation
Someone, 1999

## Dataset Summary
Water levels of *small* rivers, read [every hour](https://example.org).
<!-- a remark -->

## Data Fields
- `reading` (float): metres above the **zero** of the gauge.
- alarm: 0 no, 1 yes
"""


def test_front_matter_and_body_are_both_read() -> None:
    card = parse_card("someone/river_gauges", WHOLE, downloads=7)
    assert card.title == "River Gauges"
    assert card.licence == "cc-by-4.0"
    assert card.languages == ("no", "en")
    assert card.task_categories == ("text-classification",)
    assert card.tags == ("water", "sensors")
    assert card.size == "1K<n<10K"
    assert card.downloads == 7
    assert card.columns["reading"] == "metres above the zero of the gauge."
    assert card.notes == ()


def test_class_names_stay_words_even_when_yaml_would_make_them_booleans() -> None:
    features = {feature.name: feature for feature in parse_card("a", WHOLE).features}
    assert features["alarm"].dtype == "class"
    assert features["alarm"].class_names == ("no", "yes")
    assert features["tags"].dtype == "list"
    assert features["tags"].class_names == ("dry", "wet")


def test_declared_files_are_read_in_every_form() -> None:
    (config,) = parse_card("a", WHOLE).configs
    assert (config.name, config.default, config.rows) == ("daily", True, 40)
    assert [(entry.split, entry.patterns) for entry in config.files] == [
        ("train", ("data/train-*.csv",)),
        ("test", ("data/a.csv", "data/b.csv")),
    ]
    bare = parse_card("a", "---\nconfigs:\n- config_name: x\n  data_dir: here\n- config_name: y\n  data_files: y.csv\n---\n")
    assert [(config.name, config.files[0].patterns) for config in bare.configs] == [("x", ("here/**",)), ("y", ("y.csv",))]


def test_the_summary_is_prose_without_markup_contents_or_placeholders() -> None:
    summary = parse_card("a", WHOLE).summary
    assert summary.startswith("Water levels of small rivers, read every hour.")
    for unwanted in ("More Information", "badge", "http", "remark", "1999", "Summary", "<", "**"):
        assert unwanted not in summary


def test_a_card_that_is_all_template_has_no_summary() -> None:
    template = "# Dataset Card for [Dataset Name]\n## Dataset Description\n- **Homepage:**\n- **Paper:**\n"
    template += "### Dataset Summary\n[More Information Needed]\n### Languages\n[Needs More Information]\n"
    card = parse_card("a/word_pairs", template)
    assert card.summary == ""
    assert card.title == "word pairs"


def test_the_summary_ends_at_a_word_within_900_characters() -> None:
    summary = parse_card("a", "# T\n" + "wonderful words " * 200).summary
    assert len(summary) <= 900
    assert summary.endswith(("wonderful…", "words…"))


def test_control_and_direction_characters_never_get_through() -> None:
    card = parse_card("a", '---\npretty_name: "x"\n---\n# T\x1b[31m\nse\u202ecret\x00 text\ud800 here\r\nnext')
    for text in (card.raw, card.summary, card.title):
        assert not set(text) & {"\x1b", "\u202e", "\x00", "\r"}
        text.encode("utf-8")
    assert "secret text" in card.summary


@pytest.mark.parametrize(
    ("markdown", "note"),
    [
        ("", "the card is empty"),
        ("---\ntitle: [a, b\nother: {\n---\nWords.", "front matter"),
        ("---\njust a sentence\n---\nWords.", "front matter"),
        ("words " * 50_000, "characters"),
    ],
)
def test_what_is_wrong_with_a_card_is_a_note_and_never_a_failure(markdown: str, note: str) -> None:
    card = parse_card("a/b", markdown)
    assert any(note in line for line in card.notes)
    assert len(card.raw) <= RAW_LIMIT


def test_fields_after_a_stray_line_of_front_matter_are_still_read() -> None:
    card = parse_card("a", "---\nTODO: add tags: copy them: here\n--- \nlicense: mit\n---\nBody.")
    assert (card.licence, card.summary) == ("mit", "Body.")
    assert "YAML" in card.notes[0]


def test_hostile_front_matter_is_read_in_bounded_time_and_runs_nothing() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    card = parse_card("a", f"---\n{bomb}tags: *i\nlicense: mit\n---\nBody.")
    assert card.licence == "mit"
    code = parse_card("a", "---\nlicense: !!python/object/apply:os.system ['exit 1']\n---\nBody.")
    assert "exit" in code.licence or code.licence == ""
    nested = parse_card("a", "---\nx: " + "[" * 5000 + "\n---\nBody.")
    assert nested.summary == "Body."


def test_licence_language_and_task_come_from_the_body_when_there_is_no_front_matter() -> None:
    card = parse_card("a", "# A\n\nSome words.\n\n- Language: de\n- Task: spelling, rewriting\n- Licence: CC0\n")
    assert (card.licence, card.languages, card.task_categories) == ("CC0", ("de",), ("spelling", "rewriting"))


def test_bullets_without_a_description_are_no_descriptions() -> None:
    assert parse_card("a", "Columns:\n- `one`\n- `two`\n- `three`: the third\n").columns == {"three": "the third"}


def test_machine_made_cards_are_marked() -> None:
    assert parse_card("someone/autotrain-data-thing", "Words").generated
    assert parse_card("a/b", "# AutoTrain\nThis dataset has been automatically processed by AutoTrain for project b.").generated
    assert not parse_card("someone/trains", "Words about autumn trains").generated


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_a_card_in_any_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "README.md"
    path.write_bytes("# Öl\n\nGrößen von Bäumen.".encode(encoding))
    assert read_card("a", path).summary == "Größen von Bäumen."


@pytest.mark.parametrize(
    ("description", "names"),
    [
        ("0 sunny, 1 rainy day, 2 fog", ("sunny", "rainy day", "fog")),
        ("possible values including agree (0), unsure (1), disagree (2).", ("agree", "unsure", "disagree")),
        ("0 = no; 1 = yes", ("no", "yes")),
        ("either `cold` (0) or `warm` (1)", ("cold", "warm")),
        ("0 – Sport, 1 – Politik und 2 – Kultur", ("Sport", "Politik", "Kultur")),
        ("0 or 1", ()),
        ("the index (0, 1, 2 or 3) of the right answer", ()),
        ("1 worst, 5 best", ()),
        ("a score from 0 to 5", ()),
        ("0 red, 2 blue", ()),
        ("whether the answer is right (1) or not (0)", ()),
    ],
)
def test_class_names_in_words_are_read_only_when_complete(description: str, names: tuple[str, ...]) -> None:
    assert class_names_in(description) == names
