"""Commands that measure: bench execute, bench agree, bench lookup, bench rows, bench embed, bench retrieval, bench weights,
bench catalog, bench quality."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.output import json_option, note, put, table
from engine.errors import BadInput, ExitCode

if TYPE_CHECKING:
    from models.llama_cpp.bench import Result
    from models.llama_cpp.options import Options


@click.group()
def bench() -> None:
    """Measure how fast this machine is."""


@bench.command()
@click.option("--model", "spec", required=True, help="A GGUF file, by name or path; settings after #, such as #sequences=8.")
@click.option("--rows", type=click.IntRange(1, 100_000), default=64, show_default=True, help="Rows for the arms that take many at once.")
@click.option(
    "--sequential-rows", type=click.IntRange(1, 100_000), default=None, help="Rows one after the other; default: a quarter of --rows."
)
@click.option("--server", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A llama-server program to run beside.")
@click.option("--free", is_flag=True, help="Also ours without a schema.")
@json_option
def execute(spec: str, rows: int, sequential_rows: int | None, server: Path | None, free: bool, as_json: bool) -> int:
    """Rows a second through a model: one after the other, many at once, and the limit that its reading speed sets.

    Rows share a prompt of 350 tokens, have 54 of their own and get 48 tokens under a schema of two fields. The times include
    everything but loading the model and reading the shared prompt once.
    """
    from models.llama_cpp.bench import bench_execute

    path, settings, cache = _file(spec)
    result = bench_execute(
        path,
        settings,
        rows,
        sequential_rows or max(4, rows // 4),
        cache=cache,
        server=server,
        free=free,
        tell=note,
    )
    put(result, as_json, lambda: _shown(result))
    return ExitCode.DONE


@bench.command()
@click.option("--model", "spec", required=True, help="A GGUF file, by name or path; settings after #.")
@click.option("--rows", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Rows answered both ways.")
@json_option
def agree(spec: str, rows: int, as_json: bool) -> int:
    """Whether rows answered many at once get what they get one after the other, and if not, whether rounding explains it."""
    from models.llama_cpp.agreement import agree as measure

    path, settings, cache = _file(spec)
    found = measure(path, settings, rows, cache, note)
    put(
        found,
        as_json,
        lambda: (
            f"{found.equal} of {found.rows} rows are equal; {found.near_ties} part where two tokens are closer than the noise of "
            f"{found.noise:.3f} (median {found.usual_noise:.3f}, {found.places} places), {found.unexplained} elsewhere"
        ),
    )
    return ExitCode.DONE


@bench.command()
@click.option("--model", "spec", required=True, help="A GGUF file, by name or path; settings after #.")
@click.option("--rows", type=click.IntRange(1, 100_000), default=16, show_default=True, help="Rows of each pass.")
@json_option
def lookup(spec: str, rows: int, as_json: bool) -> int:
    """What it is worth to guess from the prompt what an answer says next: where answers copy their row, and where they do not."""
    from models.llama_cpp.lookup_bench import bench_lookup

    path, settings, cache = _file(spec)
    found = bench_lookup(path, settings, rows, cache=cache, tell=note)

    def shown() -> str:
        head = ("UNDER WAY", "ANSWER", "ROWS/S", "GUESSING", "FASTER", "STEPS A ROW", "GUESSING", "SAME ANSWERS")
        return table(
            head,
            [
                (
                    str(gain.under_way),
                    gain.answer,
                    f"{gain.plain:.3f}",
                    f"{gain.guessing:.3f}",
                    f"{gain.times:.2f} ×",
                    f"{gain.plain_steps}",
                    f"{gain.guessing_steps}",
                    f"{gain.equal} of {gain.rows}",
                )
                for gain in found
            ],
        )

    put(found, as_json, shown)
    return ExitCode.DONE


@bench.command()
@click.option("--rows", type=click.IntRange(1000, 10_000_000), default=100_000, show_default=True, help="Rows of each pass.")
@json_option
def rows(rows: int, as_json: bool) -> int:
    """Rows a second through a plan without model steps: a look-up and a template on four columns."""
    from engine.bench_rows import bench_rows

    found = bench_rows(rows)

    def shown() -> str:
        passes = (("read", found.read), ("read, planned", found.planned), ("read, planned, stored", found.stored))
        table_ = table(("", "ROWS/S"), [(name, f"{rate:,.0f}") for name, rate in passes])
        return f"{table_}\nmemory grew by {found.grown_bytes / 2**20:,.1f} MiB in {found.rows:,} rows"

    put(found, as_json, shown)
    return ExitCode.DONE


@bench.command()
@click.option(
    "--catalog",
    "collection",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Cards, one {id, card_markdown, downloads?} or {id, contents, variants} a line; may be gzipped.",
)
@click.option(
    "--queries",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="One {query, gold_cards, gold_alias_cards?} or {query, documents} a line.",
)
@click.option("--model", "spec", help="A language model that names the task in its field's terms, as a further way of search.")
@click.option(
    "--rerank", default=0, type=click.IntRange(0), help="Instead let the model rerank what is found for so many of the queries; slow."
)
@click.option("--embedder", default="minilm", show_default=True, help="minilm, hashing, or a sentence-transformers folder.")
@click.option("--index", "folder", type=click.Path(file_okay=False, path_type=Path), help="Keep the index here, and use it if it is there.")
@json_option
def retrieval(collection: Path, queries: Path, spec: str | None, rerank: int, embedder: str, folder: Path | None, as_json: bool) -> int:
    """How well search finds the right data sets for real queries: words, meaning, both, ours, ours with a model's help."""
    import tempfile
    import time

    from engine.bench_retrieval import bench_retrieval, cards_file, queries_in
    from engine.catalog.catalog import Catalog
    from engine.locations import locate
    from engine.roles import Roles

    if rerank and not spec:
        raise BadInput("--rerank needs --model", "say which model reranks")
    roles = Roles({"embed": embedder, **({"expand": spec} if spec else {})}, locate().ensure())
    try:
        with tempfile.TemporaryDirectory() as scratch:
            cards = Path(scratch) / "cards.jsonl"
            names = cards_file(collection, cards)
            wanted = queries_in(queries, names)
            catalog = Catalog(folder or Path(scratch) / "index", roles.embedder)
            began = time.perf_counter()
            fresh = not catalog.info().cards
            if fresh:
                note(f"indexing {len(names):,} cards")
                catalog.import_cards(cards)
            seconds = time.perf_counter() - began if fresh else 0.0
            model = roles.model("expand") if spec else None
            found = bench_retrieval(catalog, wanted, model, seconds, note, rerank)
    finally:
        roles.close()

    def shown() -> str:
        names = list(found.arms[0].scores)
        rows = [
            (arm.name, *(f"{(one := arm.scores[name]).mean:.1f} ({one.low:.0f}-{one.high:.0f})" for name in names)) for arm in found.arms
        ]
        timed = next(arm for arm in found.arms if arm.p95_ms)
        return "\n".join(
            [
                f"{found.queries} queries on {found.cards:,} cards; mean in per cent (95 % interval)",
                table(("", *names), rows),
                f"one search: p50 {timed.p50_ms:.0f} ms, p95 {timed.p95_ms:.0f} ms"
                + (f"; indexing {found.index_seconds:.0f} s" if found.index_seconds else "")
                + (f"; the model took {found.write_seconds:.0f} s" if found.write_seconds else "")
                + (f"; reranking took {found.rerank_seconds:.0f} s" if found.rerank_seconds else ""),
            ]
        )

    put(found, as_json, shown)
    return ExitCode.DONE


@bench.command()
@click.option(
    "--catalog",
    "collections",
    required=True,
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Cards, as for bench retrieval; may be given again, with a --queries and an --index for each.",
)
@click.option(
    "--queries",
    "files",
    required=True,
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Queries on them.",
)
@click.option(
    "--index",
    "folders",
    required=True,
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The index that `bench retrieval --index` made of them.",
)
@click.option("--embedder", default="minilm", show_default=True, help="The embedder the indexes were made with.")
@json_option
def weights(collections: tuple[Path, ...], files: tuple[Path, ...], folders: tuple[Path, ...], embedder: str, as_json: bool) -> int:
    """What words and downloads should count for in a search, learnt from queries with known answers by five-fold cross-validation."""
    import tempfile

    from engine.bench_retrieval import cards_file, queries_in
    from engine.bench_weights import FOLDS, bench_weights
    from engine.catalog.catalog import Catalog
    from engine.locations import locate
    from engine.roles import Roles

    if not len(collections) == len(files) == len(folders):
        told = f"{len(collections)} --catalog, {len(files)} --queries and {len(folders)} --index were given"
        raise BadInput(told, "Give one --queries and one --index for each --catalog, in the same order.")
    roles = Roles({"embed": embedder}, locate().ensure())
    sets = []
    with tempfile.TemporaryDirectory() as scratch:
        for collection, file, folder in zip(collections, files, folders, strict=True):
            wanted = queries_in(file, cards_file(collection, Path(scratch) / "cards.jsonl"))
            if len(wanted) < FOLDS:
                raise BadInput(f"{file} holds {len(wanted)} queries with an answer", f"Cross-validation wants {FOLDS} or more.")
            sets.append((Catalog(folder, roles.embedder), wanted))
    found = bench_weights(sets, note)

    def shown() -> str:
        rows = [
            *((f"left out {number}", f"{one.words:g}", f"{one.popularity:g}", *one.recall) for number, one in enumerate(found.folds, 1)),
            ("all left out", "", "", *found.left_out),
            ("chosen on all", f"{found.words:g}", f"{found.popularity:g}", *found.all),
        ]
        heads = ("", "WORDS", "DOWNLOADS", *(f"R@5 OF {count}" for count in found.queries))
        return table(heads, [tuple(str(cell) for cell in row) for row in rows])

    put(found, as_json, shown)
    return ExitCode.DONE


@bench.command("catalog")
@click.option(
    "--index",
    "folder",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="An index that `bench retrieval --index` made; a copy of it is grown.",
)
@click.option(
    "--queries", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help='A "query" a line, JSON Lines.'
)
@click.option("--cards", default=100_000, show_default=True, type=click.IntRange(1, 10_000_000), help="Cards to grow to.")
@click.option("--embedder", default="minilm", show_default=True, help="The embedder the index was made with.")
@json_option
def catalog_(folder: Path, queries: Path, cards: int, embedder: str, as_json: bool) -> int:
    """Search times, memory and recall in a large catalog: real cards and perturbed copies of them."""
    from engine.bench_catalog import bench_catalog
    from engine.cli.catalog import queries_of
    from engine.locations import locate
    from engine.roles import Roles

    roles = Roles({"embed": embedder}, locate().ensure())
    found = bench_catalog(folder, roles.embedder(), queries_of(queries), cards, note)

    def shown() -> str:
        ways = (("all", found.all), (f"{found.passing:,} that pass two facets", found.narrowed))
        rows = [(name, f"{one.p50_ms:.0f}", f"{one.p95_ms:.0f}", f"{one.recall:.3f}") for name, one in ways]
        return "\n".join(
            [
                f"{found.cards:,} cards, {found.real:,} of them real; {found.queries} queries",
                table(("AMONG", "P50 MS", "P95 MS", "RECALL AT 25"), rows),
                f"the index opens in {found.open_seconds:.2f} s; the process holds {found.memory_bytes / 2**20:,.0f} MiB",
            ]
        )

    put(found, as_json, shown)
    return ExitCode.DONE


@bench.command()
@click.option("--texts", type=click.IntRange(16, 100_000), default=256, show_default=True, help="Texts for every arm.")
@click.option("--model", "spec", default="minilm", show_default=True, help="minilm, or the folder of a sentence-transformers model.")
@json_option
def embed(texts: int, spec: str, as_json: bool) -> int:
    """Texts a second that are embedded: with the defaults of sentence-transformers, and with each backend that is promising here.

    The backend is measured anew and used from then on.
    """
    from engine.locations import locate
    from engine.roles import translated
    from models.embedding_bench import bench_embed
    from models.registry import open_embedder
    from models.sentence_transformer import SentenceTransformerEmbedder

    with translated(f"embedder {spec}"):
        embedder = open_embedder(spec, digests=locate().ensure().cache)
        if not isinstance(embedder, SentenceTransformerEmbedder):
            raise BadInput(f"{spec} has no weights", "bench embed measures sentence-transformers models; hashing is always fast")
        found = bench_embed(embedder, texts, note)

    def shown() -> str:
        rows = [(arm.name, f"{arm.texts_per_second:,.1f}", f"{arm.times:.2f} ×", f"{arm.cosine:.4f}") for arm in found.arms]
        return f"{table(('', 'TEXTS/S', 'FASTER', 'COSINE'), rows)}\n{found.texts:,} texts; chosen: {found.chosen}"

    put(found, as_json, shown)
    return ExitCode.DONE


@bench.command()
@click.option(
    "--examples", default=100_000, show_default=True, type=click.IntRange(1000, 10_000_000), help="Made examples to look for repeats in."
)
@click.option(
    "--compared", default=3000, show_default=True, type=click.IntRange(100, 20_000), help="Texts of which every two are compared."
)
@click.option(
    "--clean",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Examples without test items, one {input, output, source?} a line.",
)
@click.option(
    "--test",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Test items to hide: a folder of BIG-bench task.json or JSON Lines.",
)
@click.option(
    "--labelled",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Texts with their languages, one {text, language} a line.",
)
@click.option("--language", default="en", show_default=True, help="The language those texts should be in.")
@json_option
def quality(
    examples: int, compared: int, clean: Path | None, folder: Path | None, labelled: Path | None, language: str, as_json: bool
) -> int:
    """How fast and how surely repeats, items of a test and texts in another language are found among examples."""
    from engine.bench_quality import QualityFound, bench_copies, bench_language, bench_leakage, bench_repeats, clean_examples
    from engine.stages.mix import Options

    if folder is not None and clean is None:
        raise BadInput("--test needs --clean", "Give the examples that test items are hidden among.")
    others = clean_examples(clean) if clean is not None else []
    note(f"looking for repeats among {examples:,} examples")
    repeats = bench_repeats(examples, compared, others)
    planted = tuple(bench_leakage(folder, others, note)) if folder is not None else ()
    copies = tuple(bench_copies(folder, others, note, threshold=Options().near_duplicates)) if folder is not None else ()
    found = QualityFound(repeats, planted, copies, bench_language(labelled, language) if labelled is not None else None)

    def shown() -> str:
        lines = [
            f"{repeats.examples:,} made examples of {repeats.tokens_each:.0f} tokens: repeats found in {repeats.seconds:.1f} s, "
            f"{repeats.grown_bytes / 2**20:,.0f} MiB more memory, {repeats.kept:,} kept",
            f"of {repeats.repeats:,} repeats among {repeats.compared:,} texts, comparing every two, {repeats.recall:.2%} were found; "
            f"{repeats.wrong} wrongly",
        ]
        for what, some in (("HIDDEN", planted), ("COPIES", copies)):
            if not some:
                continue
            head = (what, "ITEMS", "FOUND", "CLEAN REMOVED", "SIBLINGS REMOVED", "SECONDS")
            rows = [
                (
                    one.case,
                    f"{one.items}",
                    f"{one.found:.1%}",
                    f"{one.clean_removed} of {one.clean:,}",
                    f"{one.siblings_removed} of {one.siblings:,}",
                    f"{one.seconds:.1f}",
                )
                for one in some
            ]
            lines.append(table(head, rows))
        if (told := found.language) is not None:
            lines.append(f"{told.right:.1%} of {told.texts:,} texts rightly told from {told.expected}, nothing told of {told.not_told}")
        return "\n".join(lines)

    put(found, as_json, shown)
    return ExitCode.DONE


def _file(spec: str) -> tuple[Path, Options, Path]:
    """The GGUF file of a spec, its settings, and the folder that remembers calibrations."""
    from engine.locations import locate
    from engine.roles import translated
    from models.llama_cpp.options import parse_options
    from models.registry import resolve

    locations = locate().ensure()
    with translated(f"model {spec}"):
        resolved = resolve(spec, locations.weight_folders)
        if resolved.kind != "llama_cpp":
            raise BadInput(f"{spec} is not a file", "bench measures GGUF models in this process; a server has tools of its own")
        settings = parse_options(resolved.settings)
        if settings.sequences == 1:
            raise BadInput(f"{spec} answers one row after the other", "bench compares that with many at once; leave sequences=1 out")
        return Path(resolved.target), settings, locations.cache


def _shown(result: Result) -> str:
    names = {
        "sequential": "one after the other",
        "server": "llama-server -np 8",
        "ours": "many at once",
        "free": "many at once, no schema",
    }
    rates = [(title, arm.rows_per_second, str(arm.rows)) for name, title in names.items() if (arm := result.arms.get(name))]
    rows = [
        (title, f"{rate:.3f}", f"{rate / result.sequential:.2f} ×", f"{rate / result.limit:.2f}", count)
        for title, rate, count in [*rates, ("limit: reading speed", result.limit, "-")]
    ]
    where = result.where
    return "\n".join(
        [
            f"{result.model}: {result.chosen}",
            f"rows of {result.row_tokens} tokens after {result.shared_tokens} shared ones, answers of {result.answer_tokens}",
            table(("", "ROWS/S", "FASTER", "OF LIMIT", "ROWS"), rows),
            f"time of many at once: decode {where.decode:.1%}, waiting for masks {where.masks:.1%}, choosing {where.choice:.1%}, "
            f"rest {where.rest:.1%}; {where.sequences} sequences at work on average",
        ]
    )
