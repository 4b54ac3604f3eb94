"""Rerank: a local model votes on which data sets can serve the task; its votes count only as far as it proves it can tell.

Each vote shows the candidates in another order, so that a preference for places is not taken for one for data sets. Before its
votes count, the model must find a planted card that restates the task among the others (a control with a known answer);
a model that misses it is no witness, and retrieval's order stands. "None fits" needs a majority of a model that passed.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Annotated

import msgspec
from msgspec import Meta

from engine.prompts import rerank as prompt
from engine.records import Candidate, Candidates, Ranking, Task, Value
from engine.stage import Context, Stage
from models.language import Completion, LanguageModel, Message, Request, Sampling


class Given(Value):
    """What it starts from."""

    task: Task
    candidates: Candidates


class Options(Value):
    """Settings of rerank."""

    use_model: Annotated[bool, Meta(description="Let the model vote; off keeps retrieval's order.")] = True
    votes: Annotated[int, Meta(description="Votes, each over another order of the candidates.", ge=1, le=25)] = 3
    controls: Annotated[int, Meta(description="Votes with a planted right answer that the model must find.", ge=0, le=5)] = 2
    shown: Annotated[int, Meta(description="How many candidates, best first, are shown to the model.", ge=2, le=50)] = 12
    card_chars: Annotated[int, Meta(description="Characters of each card shown; fewer where the context is short.", ge=40, le=2000)] = 300


def run(given: Given, options: Options, ctx: Context) -> Ranking:
    """What the user put first stays there; votes decide the order of the others, and what got none keeps retrieval's order."""
    first = tuple(candidate for candidate in given.candidates.candidates if candidate.preferred)
    others = _voted(given, tuple(candidate for candidate in given.candidates.candidates if not candidate.preferred), options, ctx)
    if not first:
        return others
    ranked = enumerate((*first, *others.candidates), 1)
    return Ranking(tuple(msgspec.structs.replace(candidate, rank=rank) for rank, candidate in ranked), reason=others.reason)


def _voted(given: Given, candidates: tuple[Candidate, ...], options: Options, ctx: Context) -> Ranking:
    if not options.use_model or len(candidates) < 2:
        return Ranking(candidates, reason="retrieval's order")
    model = ctx.model("rerank")
    shown = candidates[: options.shown]
    cards = {c.dataset: _card(ctx, c) for c in shown}
    ballots = _ballots(given.task, [c.dataset for c in shown], cards, options, model, ctx.seed)
    ctx.expect_calls("rerank", len(ballots), sum(model.count_tokens(_text(b.request)) for b in ballots), 60 * len(ballots))
    by_key = {ballot.request.key: ballot for ballot in ballots}
    votes: list[tuple[str | None, str]] = []
    passed = failed = 0
    for done, completion in enumerate(ctx.complete("rerank", [b.request for b in ballots]), 1):
        ctx.progress(done, len(ballots), "votes")
        ballot = by_key[completion.key]
        choice = _choice(completion, len(ballot.order))
        named = ballot.order[choice.index] if choice and choice.index is not None else None
        if ballot.control:
            passed += named == CONTROL
            failed += named != CONTROL
        elif choice is None:
            ctx.event("vote-lost", f"a vote is lost: {completion.error or completion.finish}")
        else:
            votes.append((named, choice.reason))
    return _decide(candidates, votes, passed, failed, ctx)


CONTROL = "\0control"
"""Stands for the planted card; no data set can have this id."""


class Ballot(Value):
    """One vote to be cast."""

    request: Request
    order: tuple[str, ...]
    control: bool


def _ballots(task: Task, ids: list[str], cards: dict[str, str], options: Options, model: LanguageModel, seed: int) -> list[Ballot]:
    ballots = []
    for number in range(options.votes + options.controls):
        control = number >= options.votes
        order = list(ids)
        rng = random.Random(f"{seed} rerank {number}")
        if control:
            # The planted card takes the place of the best candidates, which may well be as right as it is.
            order = order[len(order) // 2 :]
            order.append(CONTROL)
        rng.shuffle(order)
        texts = [_planted(task) if one == CONTROL else cards[one] for one in order]
        messages = _fitting(task, texts, options.card_chars, model)
        sampling = Sampling(seed=seed + number, max_tokens=120)
        ballots.append(Ballot(Request(f"vote-{number}", messages, prompt.schema(len(order)), sampling), tuple(order), control))
    return ballots


def _fitting(task: Task, texts: list[str], chars: int, model: LanguageModel) -> tuple[Message, ...]:
    """The prompt with cards cut until it leaves room for an answer."""
    while True:
        messages = prompt.messages(task, [text[:chars] for text in texts])
        if chars <= 40 or model.count_tokens(_messages_text(messages)) + 200 <= model.context_length:
            return messages
        chars = chars * 2 // 3


def _card(ctx: Context, candidate: Candidate) -> str:
    entry = ctx.catalog.get(candidate.dataset)
    card, columns = entry.card, ", ".join(entry.columns[:12])
    languages = f" Languages: {', '.join(card.languages[:8])}." if card.languages else ""
    shown = f" Columns: {columns}." if columns else ""
    return f"{candidate.dataset}: {card.title}.{languages}{shown} {card.summary[:400]}"


def _planted(task: Task) -> str:
    return f"{task.name}: a data set made for this very task. {task.description[:300]}"


def _choice(completion: Completion, count: int) -> prompt.Choice | None:
    return prompt.read(completion.text, count) if completion.finish == "stop" else None


def _decide(candidates: tuple[Candidate, ...], votes: list[tuple[str | None, str]], passed: int, failed: int, ctx: Context) -> Ranking:
    tally = Counter(named for named, _ in votes)
    if not votes:
        return Ranking(candidates, reason="no vote came back whole; retrieval's order stands")
    if failed and passed <= failed:
        reason = f"the model found the planted right answer {passed} of {passed + failed} times, so its votes do not count"
        ctx.event("no-witness", reason)
        return Ranking(candidates, reason=f"{reason}; retrieval's order stands")
    if tally[None] * 2 > len(votes):
        reasons = "; ".join(reason for named, reason in votes if named is None)
        return Ranking((), none_fits=True, reason=f"{tally[None]} of {len(votes)} votes say that none fits: {reasons}")
    reasons_of: dict[str, list[str]] = {}
    for named, reason in votes:
        if named is not None:
            reasons_of.setdefault(named, []).append(reason)

    # Retrieval's order is good evidence too: a vote moves a candidate up one place, only one-voiced votes put it first.
    def standing(candidate: Candidate) -> tuple[int, float]:
        got = tally[candidate.dataset]
        return (-1 if got == len(votes) else 0, candidate.rank - 1.5 * got)

    ranked = sorted(candidates, key=standing)
    out = tuple(
        Candidate(
            c.dataset,
            rank,
            c.score,
            (f"{tally[c.dataset]} of {len(votes)} votes: {reasons_of[c.dataset][0]}", *c.reasons) if tally[c.dataset] else c.reasons,
            c.likeness,
        )
        for rank, c in enumerate(ranked, 1)
    )
    for c in out[:3]:
        ctx.event("ranked", f"{c.rank}. {c.dataset}: {c.reasons[0] if c.reasons else 'no reason given'}")
    return Ranking(out, reason=f"{len(votes)} votes, {passed} of {passed + failed} controls found")


def _text(request: Request) -> str:
    return _messages_text(request.messages)


def _messages_text(messages: tuple[Message, ...]) -> str:
    return "\n".join(message.content for message in messages)


STAGE = Stage("rerank", "letting the model vote on the data sets", 4, Given, Options, Ranking, run, roles=("rerank",))
