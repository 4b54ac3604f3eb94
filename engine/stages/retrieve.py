"""Retrieve: the data sets whose cards come closest to the task, by meaning, words and popularity.

Only data sets whose rows are on this machine can be used; better-ranked ones that are not are named beside them, with how
to fetch them, and never silently passed over.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from engine.catalog.facets import Facets
from engine.catalog.search import Hit, Query
from engine.errors import NothingSuitable
from engine.prompts import retrieve as prompt
from engine.records import Candidate, Candidates, Task, Value
from engine.stage import Context, Stage
from models.language import Request, Sampling


class Given(Value):
    """What it starts from."""

    task: Task
    catalog: str
    """State of the catalog: another state is another step."""


class Options(Value):
    """Settings of retrieve."""

    depth: Annotated[int, Meta(description="How many cards to look at before choosing.", ge=1, le=100_000)] = 1000
    candidates: Annotated[int, Meta(description="How many data sets go on to reranking.", ge=1, le=100)] = 25
    least_likeness: Annotated[
        float, Meta(description="Cosine of task and card below which a data set is not considered; 0 considers all.", ge=0.0, le=1.0)
    ] = 0.2
    exclude: Annotated[tuple[str, ...], Meta(description="Data sets never to use.")] = ()
    prefer: Annotated[tuple[str, ...], Meta(description="Data sets to put first, in this order, however unlike the task they are.")] = ()
    name_task: Annotated[
        bool,
        Meta(
            description="Have the model name the task in its field's terms, and search for that as well as for your words. Measured with a "
            "1.5B model: a point more right data sets among five for one-line descriptions, no gain for long ones; one call."
        ),
    ] = False


MISSING_SHOWN = 5


def run(given: Given, options: Options, ctx: Context) -> Candidates:
    """Search with the user's own words; examples and the model's expansion do not enter the query (they drown it)."""
    info = ctx.catalog.info()
    if not info.cards:
        raise NothingSuitable("the catalog is empty", "add data: datatune catalog add FOLDER, or datatune catalog add --starter")
    query = Query(query_text(given.task), _named(given.task, ctx) if options.name_task else ())
    found = ctx.catalog.search(query, options.depth, given.task.language)
    # In a large catalog what is here need not be among the first thousand.
    found_here = ctx.catalog.search(query, options.depth, given.task.language, Facets(only=ctx.catalog.here()))
    hits = [hit for hit in found if hit.id not in options.exclude]
    if found and not hits:
        raise NothingSuitable("every data set that matches is excluded", "allow one: remove it from retrieve.exclude")
    near = [hit for hit in hits if _near(hit, options)]
    usable = [hit for hit in found_here if hit.available and hit.id not in options.exclude and _near(hit, options)]
    preferred = _preferred(usable, options, ctx)
    others = [Candidate(hit.id, 0, hit.score, hit.reasons, hit.likeness) for hit in usable if hit.id not in options.prefer]
    ranked = enumerate([*preferred, *others][: options.candidates], 1)
    chosen = tuple(msgspec.structs.replace(candidate, rank=rank) for rank, candidate in ranked)
    scores = {hit.id: hit.score for hit in near}
    last = min((scores[candidate.dataset] for candidate in chosen if candidate.dataset in scores), default=0.0)
    missing = [hit for hit in near if not hit.available and hit.score > last][:MISSING_SHOWN]
    for hit in missing:
        ctx.event(
            "not-here", f"{hit.id} ranks higher but its rows are not on this machine: datatune catalog fetch {hit.id}", dataset=hit.id
        )
    if not near and not chosen:
        best = max((hit.likeness or 0.0 for hit in hits), default=0.0)
        raise NothingSuitable(
            f"none of the {info.cards:,} catalogued data sets is about this task: the nearest is {best:.2f} like it, "
            f"{options.least_likeness:g} is asked for",
            "add data that is (datatune catalog add FOLDER), or look further: --set retrieve.least_likeness=0",
        )
    if not chosen:
        raise NothingSuitable(
            f"none of the {info.cards:,} catalogued data sets that match has its rows on this machine",
            f"fetch one, for example: datatune catalog fetch {missing[0].id}" if missing else "add data: datatune catalog add FOLDER",
        )
    for candidate in chosen[:5]:
        ctx.event("candidate", f"{candidate.rank}. {candidate.dataset} ({candidate.score:.3f}): {'; '.join(candidate.reasons)}")
    return Candidates(chosen, info.cards)


def _named(task: Task, ctx: Context) -> tuple[str, ...]:
    """The task in other words, a rewritten query (Ma et al., arXiv 2305.14283); nothing where the model gives none.

    A whole hypothetical card (HyDE, Gao et al., arXiv 2212.10496) helped less: 36.1 against 37.2 without, R@5 of 192 queries.
    """
    request = Request("name", prompt.messages(task.description), prompt.schema(), Sampling(seed=ctx.seed, max_tokens=prompt.MAX_TOKENS))
    completion = next(iter(ctx.complete("expand", [request])))
    name = prompt.read(completion.text) if completion.finish == "stop" else ""
    said = f"searched for as well: {name}" if name else f"the model names no task: {completion.error or completion.finish}"
    ctx.event("task-named", said)
    return (name,) if name else ()


def _preferred(usable: list[Hit], options: Options, ctx: Context) -> list[Candidate]:
    """What the user put first, in that order; what the search did not bring as well, if its rows are here."""
    found = {hit.id: hit for hit in usable}
    here = ctx.catalog.here() if options.prefer else ()
    preferred = []
    for dataset in options.prefer:
        if hit := found.get(dataset):
            preferred.append(Candidate(hit.id, 0, hit.score, ("put first by you", *hit.reasons), hit.likeness, True))
        elif dataset in here and dataset not in options.exclude:
            preferred.append(Candidate(dataset, 0, 0.0, ("put first by you; the search did not bring it",), None, True))
        elif dataset not in options.exclude:
            ctx.event("not-here", f"{dataset} was put first, but its rows are not on this machine: datatune catalog fetch {dataset}")
    return preferred


def _near(hit: Hit, options: Options) -> bool:
    return hit.id in options.prefer or hit.likeness is None or hit.likeness >= options.least_likeness


def query_text(task: Task) -> str:
    """What is searched for: the task in the user's words, its name and its labels."""
    labels = ", ".join(task.output.labels[:20])
    return f"{task.name.replace('-', ' ').replace('_', ' ')}. {task.description}" + (f" Labels: {labels}." if labels else "")


STAGE = Stage("retrieve", "searching the catalog for data sets that fit", 4, Given, Options, Candidates, run, roles=("expand",))
