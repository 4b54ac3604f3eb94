"""The examples offered to a mix, as people reviewed them, and what is decided of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal, get_args

import msgspec

from engine.errors import StageFailed
from engine.plain_text import one_line
from engine.records import Example, Part, Source, SyntheticPart
from engine.stage import Context

AnyPart = Part | SyntheticPart

PROGRESS_EVERY = 500

Reason = Literal["rejected", "benchmark", "licence", "leaked", "repeats", "near_duplicates", "language", "over_quota"]
"""Why an example is left out: fields of MixCounts, in the order in which they are looked at."""

WORDS: dict[Reason, str] = {
    "rejected": "rejected in review",
    "benchmark": "of the test's own benchmark",
    "licence": "its licence is not allowed",
    "leaked": "in the test or the examples given",
    "repeats": "the same as an earlier example",
    "near_duplicates": "nearly the same as an earlier example",
    "language": "in another language",
    "over_quota": "over the quota",
}
assert tuple(WORDS) == get_args(Reason)


class Offered(msgspec.Struct, gc=False):
    """One example, with as little as is needed: a mix holds all of them."""

    part: int
    """Place of its source among all parts."""
    seq: int
    key: str
    input: str
    output: str
    edited: bool
    """A person put the output right."""
    source: Source
    """Without its row: one value for all examples of a split."""
    rows: tuple[int, ...]
    """Rows it was made of; empty for what a model wrote."""
    pieces: tuple[int, ...]

    @property
    def name(self) -> str:
        """What to call it, for a person."""
        if self.source.synthetic:
            return f"synthetic example {self.seq + 1}"
        piece = f", piece {'.'.join(str(piece + 1) for piece in self.pieces)}" if self.pieces else ""
        return f"row {self.rows[0]} of {one_line(self.source.dataset, 80)}, {one_line(self.source.split, 30)}{piece}"


class Decisions:
    """What is decided of each offered example, by its place: the first reason to leave it out counts."""

    def __init__(self, offered: Sequence[Offered]) -> None:
        self.offered = offered
        self.reasons: list[Reason | None] = [None] * len(offered)
        self.details = [""] * len(offered)
        self.items: dict[int, int] = {}
        """Place → which item of the test was found in it."""

    def leave_out(self, place: int, reason: Reason, detail: str) -> None:
        """Leave an example out, unless it is already."""
        if self.reasons[place] is None:
            self.reasons[place], self.details[place] = reason, detail

    def kept(self) -> list[int]:
        """Places of the examples that are not left out."""
        return [place for place, reason in enumerate(self.reasons) if reason is None]

    def counts(self, part: int) -> Counter[Reason]:
        """How many of a part are left out, by reason."""
        return Counter(reason for one, reason in zip(self.offered, self.reasons, strict=True) if one.part == part and reason is not None)


def read_offered(parts: Sequence[AnyPart], ctx: Context) -> Decisions:
    """All examples in order, with the outputs that people gave; what they rejected is left out already.

    Raises StageFailed when a part holds fewer examples than were to be taken, or one that cannot be read.
    """
    offered: list[Offered] = []
    rejected: list[int] = []
    total = sum(part.take for part in parts)
    sources: dict[Source, Source] = {}
    for place, part in enumerate(parts):
        reviews = ctx.reviews(part.step)
        for seq, key, example in examples_of(part, ctx):
            review = reviews.get(key)
            if review and review.verdict == "rejected":
                rejected.append(len(offered))
            output = review.output if review else None
            source = example.source
            bare = msgspec.structs.replace(source, row=-1, rows=(), part=())
            offered.append(
                Offered(
                    place,
                    seq,
                    key,
                    example.input,
                    example.output if output is None else output,
                    output is not None,
                    sources.setdefault(bare, bare),
                    () if source.synthetic else source.rows or (source.row,),
                    source.part,
                )
            )
            if len(offered) % PROGRESS_EVERY == 0:
                ctx.progress(len(offered), total, "examples read")
    decisions = Decisions(offered)
    for one in rejected:
        decisions.leave_out(one, "rejected", "")
    return decisions


def examples_of(part: AnyPart, ctx: Context) -> Iterator[tuple[int, str, Example]]:
    """(place in the order of entry, key, example) of a part's examples, as they were made. Raises StageFailed as read_offered does."""
    read = 0
    for item in ctx.items("accepted", part.take, part.step) if part.take > 0 else ():
        read += 1
        try:
            example = msgspec.json.decode(item.result, type=Example)
        except msgspec.DecodeError as error:
            raise StageFailed(f"{part_name(part)}: a stored example cannot be read: {error}", "run its step again") from error
        yield item.seq, item.key, example
    if read < part.take:
        raise StageFailed(
            f"{part_name(part)}: {part.take} examples were to be taken but only {read} are stored", "resume the run, then export again"
        )


def part_name(part: AnyPart) -> str:
    """What to call a source, for a person."""
    return part.choice.dataset if isinstance(part, Part) else "the synthetic examples"
