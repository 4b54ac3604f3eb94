"""Commands about data sets: catalog add, import, search, info, show, fetch, remove."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.output import bar, json_option, note, put, table, to_json
from engine.errors import BadInput, ExitCode

if TYPE_CHECKING:
    from engine.catalog.index import Catalog

SHOWN_REFUSALS = 5


@click.group()
def catalog() -> None:
    """Find, add and look at data sets."""


@catalog.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@click.option("--starter", is_flag=True, help="Add the small data sets that come with DataTune.")
@json_option
def add(folders: tuple[Path, ...], starter: bool, as_json: bool) -> int:
    """Add folders of data (Parquet, CSV, TSV, JSONL, JSON, xlsx, save_to_disk), with or without a card, or folders of such folders."""
    from engine.catalog import starter_folders

    if not folders and not starter:
        raise BadInput("no folder given", "datatune catalog add FOLDER…, or --starter")
    for folder in folders:
        if not folder.is_dir():
            raise BadInput(f"{folder}: no such folder", "give a folder that holds data files")
    found = open_catalog()
    reports = [found.add_folder(folder.resolve(), progress=bar("adding")) for folder in [*folders, *(starter_folders() if starter else ())]]
    return _report(reports, as_json, bool([r for r in reports if r.added or r.updated or r.unchanged]))


@catalog.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def import_(file: Path, as_json: bool) -> int:
    """Add cards from CARDS.jsonl or .jsonl.gz, lines {id, card_markdown, downloads?}; the rows stay where they are."""
    if not file.is_file():
        raise BadInput(f"{file}: no such file", "give a JSONL file of cards")
    report = open_catalog().import_cards(file, progress=bar("cards"))
    return _report([report], as_json, bool(report.added or report.updated or report.unchanged))


@catalog.command()
@click.argument("text", required=False)
@click.option("--queries", type=click.Path(path_type=Path), help='JSONL with a "query" a line; out comes {query, results} a line, in order.')
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 10_000), help="How many results.")
@click.option("--here", is_flag=True, help="Only data sets whose rows are on this machine.")
@json_option
def search(text: str | None, queries: Path | None, k: int, here: bool, as_json: bool) -> int:
    """Search cards by meaning and words."""
    if (text is None) == (queries is None):
        raise BadInput("give either TEXT or --queries FILE", "datatune catalog search 'sentiment of tweets'")
    found = open_catalog()
    if queries is not None:
        asked = _queries(queries)
        for query, hits in zip(asked, found.search_many(asked, k), strict=True):
            click.echo(to_json({"query": query, "results": [{"id": hit.id, "score": hit.score} for hit in hits]}))
        return ExitCode.DONE
    assert text is not None
    hits = found.search(text, k * 20 if here else k)
    hits = [hit for hit in hits if hit.available][:k] if here else hits
    rows = [(n, f"{hit.score:.3f}", "here" if hit.available else "fetch", hit.id, "; ".join(hit.reasons)) for n, hit in enumerate(hits, 1)]
    put(
        {"query": text, "results": hits},
        as_json,
        lambda: table(("RANK", "SCORE", "ROWS", "DATA SET", "WHY"), rows, widest=70) if rows else "nothing found; see: datatune catalog info",
    )
    return ExitCode.DONE


@catalog.command()
@json_option
def info(as_json: bool) -> int:
    """Say what the catalog holds."""
    found = open_catalog().info()

    def text() -> str:
        import msgspec

        return "\n".join(f"{key.replace('_', ' ')}: {value:,}" if isinstance(value, int) else f"{key.replace('_', ' ')}: {value}" for key, value in msgspec.to_builtins(found).items())

    put(found, as_json, text)
    return ExitCode.DONE


@catalog.command()
@click.argument("dataset", metavar="ID")
@json_option
def show(dataset: str, as_json: bool) -> int:
    """Show one data set: its card's facts, configs, splits and columns."""
    found = open_catalog()
    entry = found.get(dataset)
    splits = found.splits(dataset) if entry.available else {}

    def text() -> str:
        card = entry.card
        lines = [f"{card.id}: {card.title}", card.summary, f"licence: {card.licence or 'not stated'}; languages: {', '.join(card.languages) or 'not stated'}"]
        lines.append("rows: on this machine" if entry.available else f"rows: not on this machine; datatune catalog fetch {dataset}")
        lines.extend(f"config {config}: {', '.join(names)}" for config, names in splits.items())
        lines.extend(f"column {column.name} ({column.kind}) {column.description}" for column in card.columns[:40])
        return "\n".join(line for line in lines if line)

    put({"entry": entry, "splits": splits}, as_json, text)
    return ExitCode.DONE


@catalog.command()
@click.argument("dataset", metavar="ID")
@click.option("--yes", is_flag=True, help="Download without asking.")
@json_option
def fetch(dataset: str, yes: bool, as_json: bool) -> int:
    """Download a data set's files from the Hub, after showing their size. The only command that uses the network."""
    from engine.catalog.hub import fetch as fetch_files
    from engine.catalog.hub import measure

    size = measure(dataset)
    note(f"{dataset}: {size.files} files, {size.bytes / 1e6:,.1f} MB, licence {size.licence or 'not stated'}")
    if not yes and not click.confirm("Download?", err=True):
        return ExitCode.CANCELLED
    folder = fetch_files(dataset, progress=bar("fetching"))
    report = open_catalog().add_fetched(dataset, folder)
    put({"dataset": dataset, "folder": str(folder), "report": report}, as_json, lambda: f"{dataset} is here: {folder}")
    return ExitCode.DONE


@catalog.command()
@click.argument("datasets", metavar="ID…", nargs=-1, required=True)
@json_option
def remove(datasets: tuple[str, ...], as_json: bool) -> int:
    """Forget data sets; their files stay."""
    found = open_catalog()
    for dataset in datasets:
        found.remove(dataset)
    put({"removed": datasets}, as_json, lambda: f"forgot {', '.join(datasets)}")
    return ExitCode.DONE


def open_catalog() -> Catalog:
    """The catalog of this home."""
    from engine.catalog.index import Catalog
    from engine.locations import locate
    from engine.roles import Roles

    locations = locate().ensure()
    return Catalog(locations.catalog, Roles({}, locations).embedder)


def _queries(file: Path) -> list[str]:
    import json

    asked = []
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    query = json.loads(line)["query"]
                    if not isinstance(query, str):
                        raise TypeError("query is not text")
                    asked.append(query)
    except OSError as error:
        raise BadInput(f"{file}: cannot be read: {error.strerror}", "give a JSONL file") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{file}, line {number}: not an object with a text \"query\" ({error})", "") from error
    return asked


def _report(reports: list[Any], as_json: bool, something: bool) -> int:
    total = {name: sum(getattr(r, name) for r in reports) for name in ("added", "updated", "unchanged")}
    refused = [refusal for report in reports for refusal in report.refused]

    def text() -> str:
        lines = [", ".join(f"{count:,} {name}" for name, count in total.items() if count) or "nothing added"]
        lines.extend(f"left out {refusal.id}: {refusal.reason}" for refusal in refused[:SHOWN_REFUSALS])
        if len(refused) > SHOWN_REFUSALS:
            lines.append(f"and {len(refused) - SHOWN_REFUSALS} more left out; --json lists all")
        return "\n".join(lines)

    put(total | {"refused": refused}, as_json, text)
    return ExitCode.DONE if something else ExitCode.BAD_INPUT
