"""A mix as a table: a line for each source and one for all, a column for each thing that became of examples."""

from __future__ import annotations

from engine.mix.offered import WORDS
from engine.records import MixCounts, Mixed, MixSource

HEADS = {
    "rejected": "Rejected",
    "benchmark": "Benchmark",
    "licence": "Licence",
    "leaked": "In the test",
    "repeats": "Repeats",
    "near_duplicates": "Nearly repeats",
    "language": "Language",
    "over_quota": "Over quota",
}
"""Short heads of WORDS."""
assert list(HEADS) == list(WORDS)


def mix_table(mixed: Mixed) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Heads and lines. Reasons for which nothing was left out have no column; with more than one source the last line adds them up."""
    whole = mixed.counts
    reasons = [name for name in HEADS if getattr(whole, name)]
    heads = ("Source", "Offered", "Train", "Validation", *(HEADS[name] for name in reasons))
    lines = [(source_name(source), *_cells(source.counts, reasons)) for source in mixed.sources]
    if len(mixed.sources) > 1:
        lines.append(("all", *_cells(whole, reasons)))
    return heads, lines


def source_name(source: MixSource) -> str:
    """A source as people know it."""
    return f"synthetic, by {source.model}" if source.model else source.dataset


def found_words(mixed: Mixed) -> str:
    """What was found of the user's test and examples, in a sentence; "" where nothing was looked for or found."""
    if mixed.leaks_kept:
        return f"{mixed.leaks_kept:,} examples in the mix hold an item of the test or one of the examples given."
    if leaked := mixed.counts.leaked:
        return f"{leaked:,} examples held {mixed.test_items_found:,} items of the test or the examples given, and are left out."
    return f"No example holds one of the test's {mixed.test_items:,} items." if mixed.test_items else ""


def _cells(counts: MixCounts, reasons: list[str]) -> tuple[str, ...]:
    return tuple(f"{getattr(counts, name):,}" for name in ("offered", "train", "validation", *reasons))
