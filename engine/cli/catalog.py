"""Commands about data sets: catalog add, import, sync, search, serve, info, show, quote, fetch, remove."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.output import json_option, note, put, table, to_json
from engine.cli.progress import Meter
from engine.errors import BadInput, ExitCode

if TYPE_CHECKING:
    from engine.catalog.catalog import Catalog
    from engine.catalog.pace import Progress
    from engine.catalog.search import Hit

SHOWN_REFUSALS = 5
NOTHING_FOUND = "nothing found; see: datatune catalog info"


@click.group()
def catalog() -> None:
    """Find, add and look at data sets."""


@catalog.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@click.option("--starter", is_flag=True, help="Add the small data sets that come with DataTune.")
@json_option
def add(folders: tuple[Path, ...], starter: bool, as_json: bool) -> int:
    """Add folders of data (Parquet, CSV, TSV, JSONL, JSON, xlsx, save_to_disk), with or without a card, or folders of such folders."""
    from engine.catalog import STARTER_PREFIX, starter_folders

    if not folders and not starter:
        raise BadInput("no folder given", "datatune catalog add FOLDER…, or --starter")
    for folder in folders:
        if not folder.is_dir():
            raise BadInput(f"{folder}: no such folder", "give a folder that holds data files")
    found = open_catalog()
    reports = [found.add_folder(folder.resolve(), progress=_progress()) for folder in folders]
    if starter:
        reports += [found.add_folder(folder, prefix=STARTER_PREFIX) for folder in starter_folders()]
    return _report(reports, as_json, bool([r for r in reports if r.added or r.updated or r.unchanged]))


@catalog.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def import_(file: Path, as_json: bool) -> int:
    """Add cards from CARDS.jsonl, .jsonl.gz or .parquet, each {id, card_markdown, downloads?}; the rows stay where they are."""
    if not file.is_file():
        raise BadInput(f"{file}: no such file", "give a JSONL or Parquet file of cards")
    report = open_catalog().import_cards(file, progress=_progress())
    return _report([report], as_json, bool(report.added or report.updated or report.unchanged))


@catalog.command()
@click.option(
    "--limit", default=10_000, show_default=True, type=click.IntRange(0), help="How many data sets, most downloads first; 0 for all."
)
@click.option("--min-downloads", default=0, show_default=True, type=click.IntRange(0), help="Only those downloaded so often last month.")
@click.option("--language", "languages", multiple=True, metavar="CODE", help="Only those that state this language; may be given again.")
@json_option
def sync(limit: int, min_downloads: int, languages: tuple[str, ...], as_json: bool) -> int:
    """Read cards from the Hub: those that are new or have changed. Uses the network; stop it when you like and go on later."""
    from engine.catalog.hub_cards import Wish

    report = open_catalog().sync(Wish(limit, min_downloads, languages), progress=_progress())
    return _report([report], as_json, True)


@catalog.command()
@click.argument("text", required=False)
@click.option(
    "--queries", type=click.Path(path_type=Path), help='JSONL with a "query" a line; out comes {query, results} a line, in order.'
)
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 10_000), help="How many results.")
@click.option("--here", is_flag=True, help="Only data sets whose rows are on this machine.")
@click.option("--language", "languages", multiple=True, metavar="CODE", help="Only those that state it; may be given again.")
@click.option("--licence", "licences", multiple=True, metavar="NAME", help="Only those that state it, such as mit; may be given again.")
@click.option("--min-rows", default=0, type=click.IntRange(0), help="Only those that may have so many rows.")
@click.option("--max-rows", default=0, type=click.IntRange(0), help="Only those that may have so few.")
@click.option("--min-downloads", default=0, type=click.IntRange(0), help="Only those downloaded so often.")
@click.option("--open", "open_only", is_flag=True, help="Leave out those that only who asks its owner gets.")
@json_option
def search(
    text: str | None,
    queries: Path | None,
    k: int,
    here: bool,
    languages: tuple[str, ...],
    licences: tuple[str, ...],
    min_rows: int,
    max_rows: int,
    min_downloads: int,
    open_only: bool,
    as_json: bool,
) -> int:
    """Search cards by meaning and words, among all or among those that state what you ask for."""
    from engine.catalog.facets import Facets

    if (text is None) == (queries is None):
        raise BadInput("give either TEXT or --queries FILE", "datatune catalog search 'sentiment of tweets'")
    found = open_catalog()
    only = found.here() if here else None
    facets = Facets(languages, licences, min_rows, max_rows, min_downloads, open_only, only)
    if queries is not None:
        asked = queries_of(queries)
        for query, hits in zip(asked, found.search_many(asked, k, facets=facets), strict=True):
            results = [{"id": hit.id, "score": hit.score, "aliases": hit.aliases} for hit in hits]
            click.echo(to_json({"query": query, "results": results}))
        return ExitCode.DONE
    assert text is not None
    hits = found.search(text, k, facets=facets)
    if found.reading:
        note("the cards are still being read by another process; what is not read yet is found by words: see datatune catalog info")
    rows = [
        (n, f"{hit.score:.3f}", "here" if hit.available else "fetch", _named(hit), "; ".join(hit.reasons)) for n, hit in enumerate(hits, 1)
    ]
    put(
        {"query": text, "results": [{name: getattr(hit, name) for name in hit.__struct_fields__} for hit in hits]},
        as_json,
        lambda: (
            table(("RANK", "SCORE", "ROWS", "DATA SET", "WHY"), rows, widest=70) if rows else "nothing found; see: datatune catalog info"
        ),
    )
    return ExitCode.DONE


@catalog.command()
@click.option("--embedder", default="minilm", show_default=True, help="minilm, hashing, or a sentence-transformers folder.")
@json_option
def embed(embedder: str, as_json: bool) -> int:
    """Read the meaning of cards that an embedder has not seen; runs by itself when the embedder changes. Safe to stop and to repeat."""
    found = open_catalog(embedder)
    found.read_all(progress=_progress())
    put(found.info(), as_json, lambda: f"{found.info().embedded:,} cards embedded with {embedder}")
    return ExitCode.DONE


@catalog.command()
@json_option
def info(as_json: bool) -> int:
    """Say what the catalog holds."""
    found = open_catalog().info()

    def text() -> str:
        import msgspec

        facts: dict[str, object] = msgspec.to_builtins(found)
        return "\n".join(f"{key.replace('_', ' ')}: {f'{value:,}' if isinstance(value, int) else value}" for key, value in facts.items())

    put(found, as_json, text)
    return ExitCode.DONE


@catalog.command()
@click.argument("dataset", metavar="ID")
@json_option
def show(dataset: str, as_json: bool) -> int:
    """Show one data set: its card's facts, configs, splits and columns."""
    found = open_catalog()
    entry = found.get(dataset)
    splits = _splits(found, dataset)

    def text() -> str:
        card = entry.card
        lines = [
            f"{card.dataset}: {card.title}",
            card.summary,
            f"licence: {card.licence or 'not stated'}; languages: {', '.join(card.languages) or 'not stated'}",
        ]
        lines.append("rows: on this machine" if splits else f"rows: not on this machine; datatune catalog fetch {dataset}")
        lines.extend(f"config {config}: {', '.join(names)}" for config, names in splits.items())
        lines.extend(f"column {name} {card.columns.get(name, '')}".rstrip() for name in entry.columns[:40])
        return "\n".join(line for line in lines if line)

    put({"entry": entry, "splits": splits}, as_json, text)
    return ExitCode.DONE


@catalog.command()
@click.option("--embedder", default="", help="minilm, hashing, or a sentence-transformers folder.")
@json_option
def serve(embedder: str, as_json: bool) -> int:
    """Answer searches for a program: {"id", "search", "k", …} or {"id", "show"} a line, JSON both ways."""
    from engine.catalog_serve import serve as answer
    from engine.locations import locate
    from engine.rows_here import RowsHere

    found = open_catalog(embedder)

    def put_line(value: dict[str, Any]) -> None:
        click.echo(to_json(value))
        sys.stdout.flush()

    answer(sys.stdin, found, RowsHere(found, locate().cache), put_line)
    return ExitCode.DONE


@catalog.command()
@click.argument("dataset", metavar="ID")
@json_option
def quote(dataset: str, as_json: bool) -> int:
    """Say how much `fetch` would download. Uses the network."""
    from engine.catalog import hub

    found = hub.quote(dataset)
    value = {"dataset": dataset, "revision": found.revision, "files": len(found.files), "bytes": found.bytes, "left_out": found.left_out}
    put(value, as_json, lambda: f"{dataset}: {len(found.files)} files, {found.bytes / 1e6:,.1f} MB, {found.left_out} files left out")
    return ExitCode.DONE


@catalog.command()
@click.argument("dataset", metavar="ID")
@click.option("--yes", is_flag=True, help="Download without asking.")
@json_option
def fetch(dataset: str, yes: bool, as_json: bool) -> int:
    """Download a data set's files from the Hub, after showing their size. This, `quote` and `sync` use the network, no others."""
    from engine.catalog import hub

    quoted = hub.quote(dataset)
    left_out = f", {quoted.left_out} files left out" if quoted.left_out else ""
    note(f"{dataset}: {len(quoted.files)} files, {quoted.bytes / 1e6:,.1f} MB{left_out}")
    if not yes and not click.confirm("Download?", err=True):
        return ExitCode.CANCELLED
    meter = Meter("fetching", sys.stderr.isatty())
    snapshot = hub.fetch(quoted, progress=lambda done, total: meter.show(done, total, "bytes"))
    meter.end()
    report = open_catalog().add_fetched(dataset)
    put({"snapshot": snapshot, "report": report}, as_json, lambda: f"{dataset} is here, revision {snapshot.revision}")
    return ExitCode.DONE


@catalog.command()
@click.argument("datasets", metavar="ID…", nargs=-1, required=True)
@json_option
def remove(datasets: tuple[str, ...], as_json: bool) -> int:
    """Forget data sets; their files stay."""
    found = open_catalog()
    for dataset in datasets:
        if not found.remove(dataset):
            raise BadInput(f"the catalog has no data set {dataset!r}", "see: datatune catalog search TEXT")
    put({"removed": datasets}, as_json, lambda: f"forgot {', '.join(datasets)}")
    return ExitCode.DONE


def open_catalog(embedder: str = "") -> Catalog:
    """The catalog of this home."""
    from engine.catalog_here import catalog_here
    from engine.locations import locate
    from engine.roles import Roles
    from engine.settings import read_settings

    locations = locate().ensure()
    return catalog_here(locations, Roles({"embed": embedder} if embedder else read_settings(locations).models, locations))


def _named(hit: Hit) -> str:
    copies = f" (also {hit.aliases[0]}{f' and {len(hit.aliases) - 1} more' if len(hit.aliases) > 1 else ''})" if hit.aliases else ""
    return hit.id + copies


def _splits(found: Catalog, dataset: str) -> dict[str, tuple[str, ...]]:
    from engine.errors import Unavailable

    try:
        data = found.data(dataset)
    except Unavailable:
        return {}
    return {config.name: tuple(split.name for split in config.splits) for config in data.configs}


def _progress() -> Callable[[Progress], None]:
    """Shows a catalog's own progress reports."""
    meters: dict[str, Meter] = {}

    def show(report: Progress) -> None:
        meter = meters.setdefault(report.activity, Meter(report.activity, sys.stderr.isatty()))
        meter.show(report.done, report.total or None, "")

    return show


def queries_of(file: Path) -> list[str]:
    """The queries in a JSONL file. Raises BadInput for a line without one."""
    import json

    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: cannot be read: {error}", "give a JSONL file") from error
    asked = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            query = json.loads(line)["query"]
        except (ValueError, KeyError, TypeError):
            query = None
        if not isinstance(query, str):
            raise BadInput(
                f'{file}, line {number}: not an object with a text "query"', 'write lines such as {"query": "tweets with their tone"}'
            )
        asked.append(query)
    return asked


def _report(reports: list[Any], as_json: bool, something: bool) -> int:
    total = {name: sum(getattr(r, name) for r in reports) for name in ("added", "updated", "unchanged")}
    refused = [refusal for report in reports for refusal in report.refused]
    unread = [one for report in reports for one in report.unread]

    def text() -> str:
        lines = [", ".join(f"{count:,} {name}" for name, count in total.items() if count) or "nothing added"]
        lines.extend(f"left out {refusal.what}: {refusal.reason}" for refusal in refused[:SHOWN_REFUSALS])
        if len(refused) > SHOWN_REFUSALS:
            lines.append(f"and {len(refused) - SHOWN_REFUSALS} more left out; --json lists all")
        lines.extend(f"in {one.what}: {one.reason}" for one in unread[:SHOWN_REFUSALS])
        if len(unread) > SHOWN_REFUSALS:
            lines.append(f"and {len(unread) - SHOWN_REFUSALS} more files that are not read; --json lists all")
        return "\n".join(lines)

    put(total | {"datasets": [name for r in reports for name in r.datasets], "refused": refused, "unread": unread}, as_json, text)
    return ExitCode.DONE if something else ExitCode.BAD_INPUT
