"""What was accepted so far, and what follows from it alone: demonstrations, labels due, temperature, and when to stop.

Everything is a function of the seed and of units before a given one, so that a resumed run asks what an undisturbed one would have asked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from engine.generate.form import Filled, Form
from engine.generate.repeats import Inputs, Novelty, same_key, words_of
from engine.plan.order import draw, shuffled
from engine.records import Task, TaskExample

LATEST = 100
LEAST_OF_LATEST = 5
"""Of the latest hundred units so many must be accepted, or the model has nothing more to say."""


class Collection:
    """Accepted examples in the order of their units."""

    def __init__(self, task: Task, form: Form, seed: int, threshold: float) -> None:
        self._own = [filled for example in task.examples if (filled := form.taken_apart(example))]
        self._task = task
        self._form = form
        self._seed = seed
        self._units: list[int] = []
        self._filled: list[Filled] = []
        self._keys: dict[str, str] = {}
        self._inputs = Inputs(threshold)
        self._novelty = Novelty()
        for example in task.examples:
            self._know(example.input, example.output)

    def __len__(self) -> int:
        return len(self._units)

    def accept(self, unit: int, text: str, output: str) -> None:
        """Take up an example by its input and output; units come in order."""
        self._units.append(unit)
        self._know(text, output)
        self._novelty.add(text)
        self._filled.append(self._form.taken_apart(TaskExample(text, output)) or Filled((), output))

    def key(self, text: str, output: str) -> str:
        """Equal for inputs that count as the same: with options, in whatever order these stand."""
        plain = self._plain(text, output)
        return " ".join(sorted(words_of(plain))) if self._form.options else same_key(plain)

    def said_of(self, key: str) -> str | None:
        """What the output of the input with this key says; None where there is no such input."""
        return self._keys.get(key)

    def near(self, text: str, output: str) -> bool:
        """Whether an input is nearly one there is."""
        return self._inputs.near(self._plain(text, output))

    def _know(self, text: str, output: str) -> None:
        self._keys.setdefault(self.key(text, output), self._form.said_by(text, output))
        self._inputs.add(self._plain(text, output))

    def _plain(self, text: str, output: str) -> str:
        """An input without its headings: they are in every one and make none alike."""
        filled = self._form.taken_apart(TaskExample(text, output))
        return filled.text if filled else text

    # ── what is asked next ────────────────────────────────────────────────────────────────────────────────

    def before(self, unit: int) -> int:
        """How many were accepted of the units before this one."""
        return bisect_left(self._units, unit)

    def demonstrations(self, wave: int, upto: int, count: int) -> list[tuple[tuple[str, ...], str]]:
        """What a wave shows: some of the user's examples first, then accepted ones of units before `upto`, each with its output and JSON.

        Where the output is a label, the accepted ones show as many labels as there is room for.
        """
        accepted = [filled for filled in self._filled[: self.before(upto)] if filled.body]
        most_own = count if not accepted else max(1, count - count // 2)
        own = self._own
        if len(own) > most_own:
            own = shuffled(own, self._seed, "own demonstrations", wave)[:most_own]
        chosen = list(own)
        label = self._task.output.kind == "label"
        passed: list[Filled] = []
        shown = Counter(filled.output for filled in own)
        for filled in shuffled(accepted, self._seed, "demonstrations", wave):
            if len(chosen) >= count:
                break
            if label and shown[filled.output] > min((shown[one] for one in self._task.output.labels), default=0):
                passed.append(filled)
                continue
            shown[filled.output] += 1
            chosen.append(filled)
        chosen += passed[: max(0, count - len(chosen))]
        return [((filled.output,) if label else (), self._form.as_json(filled)) for filled in chosen]

    def due(self, wave: int, upto: int, planned: Sequence[str], count: int) -> list[str]:
        """The labels of a wave: those that are behind first, counting what is accepted before `upto` and what is under way since."""
        have = Counter(filled.output for filled in self._filled[: self.before(upto)])
        have.update(planned)
        chosen: list[str] = []
        labels = shuffled(self._task.output.labels, self._seed, "labels", wave)
        for _ in range(count):
            label = min(labels, key=lambda one: have[one])
            have[label] += 1
            chosen.append(label)
        return shuffled(chosen, self._seed, "labels of a wave", wave)

    # ── when to stop ──────────────────────────────────────────────────────────────────────────────────────

    def saturated(self, units: int, share: float) -> str:
        """Why more units than these would bring nothing new; "" while they would."""
        if share <= 0:
            return ""
        if self._novelty.flat(share):
            first, last = self._novelty.by_hundred[0], self._novelty.by_hundred[len(self) // Novelty.HUNDRED - 1]
            return f"the latest hundred examples brought {last:,} new word pairs, the first hundred {first:,}"
        latest = len(self) - self.before(units - LATEST)
        if units >= LATEST and latest < LEAST_OF_LATEST:
            return f"of the latest {LATEST} only {latest} were new and well formed"
        return ""


def temperature_at(accepted_share: float, first: float, last: float) -> float:
    """Rises in a straight line over the run."""
    return round(first + (last - first) * min(1.0, max(0.0, accepted_share)), 3)


def request_seed(seed: int, key: str) -> int:
    """Another one for each call, so that equal prompts give different texts."""
    return draw(seed, "generate", key) % (1 << 31)
