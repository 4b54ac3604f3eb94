"""How well the catalog finds the data sets that people used: real queries with known answers, several ways of search side by side."""

from __future__ import annotations

import json
import math
import random
import re
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.catalog.catalog import Catalog
from engine.catalog.published import unfit_id
from engine.catalog.ranking import Weights
from engine.catalog.search import Hit, Query
from engine.catalog.text_file import open_text
from engine.errors import BadInput
from engine.prompts import likelihood
from engine.prompts import retrieve as prompt
from engine.records import Value
from models.language import LanguageModel, Request, Sampling

DEPTH = 100
"""Hits that rankings are fused over."""
RANK_OFFSET = 60.0
RESAMPLES = 1000
RERANKED = 10
"""Hits that a model looks at."""

Tell = Callable[[str], None]


class Wanted(Value):
    """One query and what it should find."""

    query: str
    gold: tuple[tuple[str, ...], ...]
    """Each data set that is right, with the ids it also goes by."""


class Score(Value):
    """A mean over queries in per cent, with the bounds of its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


class Arm(Value):
    """One way of search."""

    name: str
    queries: int
    scores: dict[str, Score]
    """P@5, R@5, R@10, MAP@5 and MRR@5."""
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    """Of one search in a warm process; 0 where it was not timed alone."""


class Found(Value):
    """What the benchmark found."""

    cards: int
    queries: int
    index_seconds: float
    """Reading the cards, embedding them and writing the index; 0 for one that was there."""
    write_seconds: float
    """The model's time for all queries; 0 without a model."""
    rerank_seconds: float
    """The model's time for reranking; 0 where nothing was reranked."""
    arms: tuple[Arm, ...]


def bench_retrieval(
    catalog: Catalog, wanted: Sequence[Wanted], model: LanguageModel | None, seconds: float, tell: Tell, rerank: int = 0
) -> Found:
    """Search for every query in every way; with a model, let it rerank what is found for `rerank` of them, drawn by seed."""
    asked = [one.query for one in wanted]
    arms = []

    def arm(name: str, ranked: Sequence[Sequence[Sequence[str]]], times: Sequence[float] = (), some: Sequence[Wanted] = wanted) -> None:
        arms.append(_arm(name, some, ranked, times))
        tell(f"{name}: R@5 {arms[-1].scores['R@5'].mean:.1f}")

    words = catalog.search_many(asked, DEPTH, weights=Weights(meaning=0.0, words=1.0, popularity=0.0))
    meaning = catalog.search_many(asked, DEPTH, weights=Weights(words=0.0, popularity=0.0))
    arm("words (BM25)", _ids(words))
    arm("meaning (cosine)", _ids(meaning))
    arm("both, by rank (RRF)", [_fused(one, other) for one, other in zip(words, meaning, strict=True)])
    arm("both, by score", _ids(catalog.search_many(asked, DEPTH, weights=Weights(popularity=0.0))))
    times, ours = [], []
    for query in asked:
        began = time.perf_counter()
        ours.append(catalog.search(query, 25))
        times.append(time.perf_counter() - began)
    arm("ours", _ids(ours), times)
    written_seconds = rerank_seconds = 0.0
    if model is not None and rerank:
        drawn = sorted(random.Random(1).sample(range(len(wanted)), min(rerank, len(wanted))))
        some, first = [wanted[place] for place in drawn], [ours[place] for place in drawn]
        began = time.perf_counter()
        reranked = reranked_hits(model, catalog, [one.query for one in some], [hits[:RERANKED] for hits in first], tell)
        rerank_seconds = time.perf_counter() - began
        arm(f"ours, {len(some)} queries", _ids(first), some=some)
        arm(f"ours, the first {RERANKED} by the task's likelihood", _ids(reranked), some=some)
        arm("both, by rank", [_fused(one, other) for one, other in zip(first, reranked, strict=True)], some=some)
    if model is not None and not rerank:
        began = time.perf_counter()
        written = write_queries(model, asked, tell)
        written_seconds = time.perf_counter() - began
        full = [Query(query, (text,)) if text else query for query, text in zip(asked, written, strict=True)]
        arm("ours, and the model's name for the task", _ids(catalog.search_many(full, DEPTH)))
        alone = [text or query for query, text in zip(asked, written, strict=True)]
        arm("the model's name alone", _ids(catalog.search_many(alone, DEPTH)))
    return Found(catalog.info().cards, len(wanted), round(seconds, 1), round(written_seconds, 1), round(rerank_seconds, 1), tuple(arms))


def write_queries(model: LanguageModel, queries: Sequence[str], tell: Tell) -> list[str]:
    """For each query the model's name for the task, in order; "" where it gave none."""
    sampling = Sampling(max_tokens=prompt.MAX_TOKENS)
    requests = [Request(str(number), prompt.messages(query), prompt.schema(), sampling) for number, query in enumerate(queries)]
    written = [""] * len(queries)
    for done, completion in enumerate(model.complete_many(requests), 1):
        written[int(completion.key)] = prompt.read(completion.text) if completion.finish == "stop" else ""
        if done % 25 == 0:
            tell(f"tasks named: {done} of {len(queries)}")
    return written


def reranked_hits(
    model: LanguageModel, catalog: Catalog, queries: Sequence[str], found: Sequence[Sequence[Hit]], tell: Tell
) -> list[list[Hit]]:
    """The hits of each query, those first whose cards make the query likeliest to the model."""

    def card(hit: Hit) -> str:
        known = catalog.get(hit.id).card
        return f"{known.title}. {', '.join(known.tags[:12])}. {known.summary}"

    requests = [
        likelihood.request(f"{place} {rank}", card(hit), query)
        for place, (query, hits) in enumerate(zip(queries, found, strict=True))
        for rank, hit in enumerate(hits)
    ]
    model.prepare(len(requests))
    weighed: dict[tuple[int, int], float] = {}
    for done, completion in enumerate(model.complete_many(requests), 1):
        place, rank = map(int, completion.key.split())
        weighed[place, rank] = json.loads(completion.text)[0] if completion.finish == "stop" else -math.inf
        if done % 250 == 0:
            tell(f"cards weighed: {done} of {len(requests)}")
    return [
        [hit for _, _, hit in sorted(((-weighed[place, rank], rank, hit) for rank, hit in enumerate(hits)), key=lambda one: one[:2])]
        for place, hits in enumerate(found)
    ]


def cards_file(collection: Path, target: Path) -> dict[str, str]:
    """Write a collection as a dump that `import` takes; original id → id there. Raises BadInput for a file that is none.

    A collection is {id, card_markdown, downloads?} a line, or DataFinder's {id, contents, variants}; names under which papers use a data
    set say how popular it is where downloads are unknown.
    """
    names: dict[str, str] = {}
    with target.open("w", encoding="utf-8") as out:
        for place, record in _objects(collection):
            if not isinstance(record.get("id"), str):
                raise BadInput(f'{collection}, {place}: no text "id"', "Give cards, one {id, card_markdown} or {id, contents} a line.")
            if record["id"] in names:
                continue
            name = names[record["id"]] = _fit(record["id"], len(names))
            downloads = record.get("downloads") if "downloads" in record else len(record.get("variants") or ())
            markdown = record.get("card_markdown") or record.get("contents") or ""
            if name != record["id"]:
                markdown = f"# {record['id']}\n\n{markdown}"
            out.write(json.dumps({"id": name, "card_markdown": markdown, "downloads": downloads or 0}) + "\n")
    return names


def queries_in(path: Path, names: dict[str, str]) -> list[Wanted]:
    """Queries with gold ids: {query, gold_cards, gold_alias_cards?} or {query, documents}. Those without gold are left out."""
    wanted = []
    for place, record in _objects(path):
        gold = record.get("gold_cards", record.get("documents"))
        if not isinstance(record.get("query"), str) or not isinstance(gold, list):
            raise BadInput(f'{path}, {place}: no "query" with "gold_cards" or "documents"', "See: datatune bench retrieval --help")
        aliases = tuple(names.get(one, one) for one in record.get("gold_alias_cards") or ())
        groups = tuple((names.get(one, one), *aliases) for one in gold if one)
        if groups:
            wanted.append(Wanted(record["query"], groups))
    if not wanted:
        raise BadInput(f"{path} holds no query with an answer", "Give lines {query, gold_cards} or {query, documents}.")
    return wanted


def _objects(path: Path) -> Iterable[tuple[str, dict[str, Any]]]:
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if not isinstance(record, dict):
                raise BadInput(f"{path}, line {number}: no JSON object", "Give JSON Lines, packed with gzip or not.")
            yield f"line {number}", record


def _fit(name: str, number: int) -> str:
    """An id the catalog takes, as like the name as can be."""
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.")
    return f"{plain[:150] or 'set'}-{number}" if unfit_id(name) else name


def _ids(results: Sequence[Sequence[Hit]]) -> list[list[tuple[str, ...]]]:
    return [[(hit.id, *hit.aliases) for hit in hits] for hits in results]


def _fused(one: Sequence[Hit], other: Sequence[Hit]) -> list[tuple[str, ...]]:
    """Reciprocal rank fusion (Cormack et al., SIGIR 2009)."""
    scores: dict[tuple[str, ...], float] = {}
    for ranking in (one, other):
        for rank, hit in enumerate(ranking, 1):
            key = (hit.id, *hit.aliases)
            scores[key] = scores.get(key, 0.0) + 1 / (RANK_OFFSET + rank)
    return sorted(scores, key=lambda key: -scores[key])


def _arm(name: str, wanted: Sequence[Wanted], ranked: Sequence[Sequence[Sequence[str]]], times: Sequence[float]) -> Arm:
    rows = [measures(one.gold, found) for one, found in zip(wanted, ranked, strict=True)]
    scores = {measure: _score([row[measure] for row in rows]) for measure in rows[0]}
    ordered = sorted(times)

    def at(share: float) -> float:
        return round(1000 * ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)], 1) if ordered else 0.0

    return Arm(name, len(wanted), scores, at(0.5), at(0.95))


def measures(gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> dict[str, float]:
    """Precision, recall, average precision and reciprocal rank of one query; each hit is an id with its aliases, each gold so too."""
    right = [{place for place, names in enumerate(gold) if set(names) & set(hit)} for hit in found[:10]]

    def recall(k: int) -> float:
        return len(set().union(*right[:k])) / len(gold)

    hits = [bool(places) for places in right[:5]]
    precise = [sum(hits[: rank + 1]) / (rank + 1) for rank, hit in enumerate(hits) if hit]
    return {
        "P@5": sum(hits) / 5,
        "R@5": recall(5),
        "R@10": recall(10),
        "MAP@5": sum(precise) / min(len(gold), 5),
        "MRR@5": next((1 / rank for rank, hit in enumerate(hits, 1) if hit), 0.0),
    }


def _score(values: Sequence[float]) -> Score:
    draw = random.Random(1)
    means = sorted(sum(draw.choices(values, k=len(values))) / len(values) for _ in range(RESAMPLES))
    low, high = means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES) - 1]
    return msgspec.convert({"mean": _percent(sum(values) / len(values)), "low": _percent(low), "high": _percent(high)}, Score)


def _percent(value: float) -> float:
    return round(100 * value, 1)
