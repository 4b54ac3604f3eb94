"""What the option steps do: gather options, pick the right one, shuffle both together."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from engine.plan.order import shuffled
from engine.plan.steps import Options, Pick, Shuffle
from engine.plan.value_steps import Context, Run, list_value, value_of
from engine.plan.values import (
    Choice,
    Option,
    OptionSet,
    Stop,
    Values,
    as_text,
    fail,
    is_empty,
    number_of,
    plain,
    short,
    skip,
    truth_of,
)

MAX_OPTIONS = 1_000

_LETTER = re.compile(r"\W*(?:option|answer|choice)?\W*([A-Za-z])\W*", re.IGNORECASE)
_STAYS_LAST = re.compile(
    r"(none|all|both|neither|either|any) of (the )?(above|others?|options|answers|choices|these|those|them|mentioned)( (options|answers))?"
    r"|none|neither|both|unknown|undetermined|not (sure|known|given|stated|answerable|mentioned)|n/a"
    r"|(it )?can(no|')t (be )?(determined?|known?|tell|say)|(it )?can ?not be (determined|known|told|answered|inferred)( from .*)?"
    r"|not enough (information|info|data)( .*)?|no (correct|right) answer"
    r"|keine? (davon|der (genannten|antworten|obigen).*)|kein(er|es|s) davon|alle (davon|genannten)"
    r"|ningun[oa] de (las|los|estas) .*|tod[oa]s l[oa]s anteriores|aucune? (de ces|des) .*|toutes ces réponses"
    r"|nessun[oa] delle .*|nenhum[ao] d[ae]s .*|geen van (deze|bovenstaande).*"
    r"|ничего из (этого|перечисленного)|нет (правильного|верного) ответа|все (вышеперечисленное|перечисленное)"
    r"|以上(都|皆|均|全).*|該当なし|いずれでもない|どれでもない|해당 ?없음|इनमें से कोई नहीं",
    re.IGNORECASE,
)
_NAMES_LETTERS = re.compile(
    r"((both|either|neither) )?\(?[A-E]\)?( ?,| and| or| nor| und| oder| et| ou| y| o| и| или| &) \(?[A-E]\)?( only)?\W*", re.IGNORECASE
)


def options(step: Options, context: Context) -> Run:
    """Options from the one source the step names; fewer than two skip the unit."""
    gather = _gather(step)

    def run(values: Values, key: str) -> None:
        pairs = gather(values)
        if len(pairs) > MAX_OPTIONS:
            raise fail(f"options: more than {MAX_OPTIONS}")
        try:
            items = [Option(plain(text).strip(), place, key) for place, (key, text) in enumerate(pairs)]
        except ValueError as error:
            raise fail(f"options: one {error}") from error
        if step.drop_empty:
            items = [item for item in items if item.text]
        elif any(not item.text for item in items):
            raise skip("options: one is empty")
        if len(items) < 2:
            raise skip("options: fewer than two")
        values[step.into] = OptionSet(items)

    return run


def _gather(step: Options) -> Callable[[Values], list[tuple[str, Any]]]:
    if step.columns:
        return lambda values: [(name, value_of(values, name, "options")) for name in step.columns]
    if step.list:
        return lambda values: [_keyed(item) for item in list_value(values, step.list, "options")]
    if step.texts:

        def parallel(values: Values) -> list[tuple[str, Any]]:
            texts = list_value(values, step.texts, "options")
            keys = list_value(values, step.keys, "options") if step.keys else [""] * len(texts)
            if len(keys) != len(texts):
                raise fail("options: not as many keys as texts")
            return [(as_text(key), text) for key, text in zip(keys, texts, strict=True)]

        return parallel

    def dictionary(values: Values) -> list[tuple[str, Any]]:
        value = value_of(values, step.dictionary, "options")
        if not isinstance(value, dict):
            raise (skip if is_empty(value) else fail)(f"options: {step.dictionary} is not a dictionary")
        return [(as_text(key), text) for key, text in value.items()]

    return dictionary


def _keyed(item: Any) -> tuple[str, Any]:
    """A list item that is a small table of label and text gives its key; anything else is its own text."""
    if isinstance(item, dict):
        text = next(
            (item[name] for name in ("text", "para", "content", "option", "choice", "value", "answer") if isinstance(item.get(name), str)),
            None,
        )
        key = next((as_text(item[name]) for name in ("label", "key", "id", "letter") if isinstance(item.get(name), str | int)), "")
        if text is not None:
            return key, text
    return "", item


# ── picking ───────────────────────────────────────────────────────────────────────────────────────────────


def pick(step: Pick, context: Context) -> Run:
    """The right option; places are those the data gave, so a pick means the same before and after a shuffle."""
    find = _BY[step.by](step)

    def run(values: Values, key: str) -> None:
        chosen_from = value_of(values, step.options, "pick")
        if not isinstance(chosen_from, OptionSet):
            raise fail(f"pick: {step.options} is not a set of options")
        choice = find(values, chosen_from)
        if choice.index >= 0 and [item.text.casefold() for item in chosen_from.items].count(choice.text.casefold()) > 1:
            raise skip("pick: two options read like the right one")
        values[step.into] = choice

    return run


def _at(chosen_from: OptionSet, place: int, shown: Any) -> Choice:
    choice = chosen_from.at_place(place) if place >= 0 else None
    if choice is None:
        raise skip(f"pick: no option {short(shown)}")
    return choice


def _by_index(step: Pick) -> Callable[[Values, OptionSet], Choice]:
    def find(values: Values, chosen_from: OptionSet) -> Choice:
        value = value_of(values, step.value, "pick")
        number = number_of(value) if not isinstance(value, str) or value.strip().lstrip("+-").replace(".", "", 1).isdigit() else None
        if number is None or number != int(number):
            raise skip(f"pick: {step.value} is no index but {short(value)}")
        return _at(chosen_from, int(number) - step.base, value)

    return find


def _by_letter(step: Pick) -> Callable[[Values, OptionSet], Choice]:
    def find(values: Values, chosen_from: OptionSet) -> Choice:
        value = value_of(values, step.value, "pick")
        found = _LETTER.fullmatch(plain(value))
        if found is None:
            raise skip(f"pick: {step.value} is no letter but {short(value)}")
        return _at(chosen_from, ord(found[1].upper()) - ord("A"), value)

    return find


def _by_key(step: Pick) -> Callable[[Values, OptionSet], Choice]:
    def find(values: Values, chosen_from: OptionSet) -> Choice:
        value = value_of(values, step.value, "pick")
        wanted = as_text(value)
        for index, item in enumerate(chosen_from.items):
            if item.key and item.key == wanted:
                return chosen_from.choice(index)
        raise skip(f"pick: no option has the key {short(value)}")

    return find


def _by_text(step: Pick) -> Callable[[Values, OptionSet], Choice]:
    def find(values: Values, chosen_from: OptionSet) -> Choice:
        wanted = plain(value_of(values, step.value, "pick")).strip()
        for same in (str, str.casefold):
            for index, item in enumerate(chosen_from.items):
                if wanted and same(item.text) == same(wanted):
                    return chosen_from.choice(index)
        raise skip(f"pick: {step.value} is not among the options")

    return find


def _by_position(step: Pick) -> Callable[[Values, OptionSet], Choice]:
    return lambda values, chosen_from: _at(chosen_from, step.base, step.base)


def _by_flags(step: Pick) -> Callable[[Values, OptionSet], Choice]:
    def find(values: Values, chosen_from: OptionSet) -> Choice:
        flags = []
        for flag in _per_option(step, values):
            truth = truth_of(flag)
            if truth is None:
                raise fail(f"pick: no truth value but {short(flag)}")
            flags.append(truth)
        if sum(flags) > 1:
            raise skip(f"pick: {sum(flags)} options are flagged")
        if any(flags):
            return _at(chosen_from, flags.index(True), flags.index(True))
        if step.none is None:
            raise skip("pick: no option is flagged")
        return _at_text(chosen_from, step.none)

    return find


def _at_text(chosen_from: OptionSet, text: str) -> Choice:
    """The option that reads so, else an answer outside the options."""
    same = (index for index, item in enumerate(chosen_from.items) if item.text.casefold() == text.strip().casefold())
    index = next(same, None)
    return Choice(text, "", -1, chosen_from) if index is None else chosen_from.choice(index)


def _by_best(step: Pick) -> Callable[[Values, OptionSet], Choice]:
    def find(values: Values, chosen_from: OptionSet) -> Choice:
        scores = []
        for score in _per_option(step, values):
            number = number_of(score)
            if number is None:
                raise skip("pick: an option has no score")
            scores.append(number)
        best = max(scores)
        if scores.count(best) > 1:
            raise skip("pick: two options share the best score")
        return _at(chosen_from, scores.index(best), scores.index(best))

    return find


def _per_option(step: Pick, values: Values) -> list[Any]:
    if len(step.flags) == 1:
        return list_value(values, step.flags[0], "pick")
    return [value_of(values, name, "pick") for name in step.flags]


_BY: dict[str, Callable[[Pick], Callable[[Values, OptionSet], Choice]]] = {
    "index": _by_index,
    "letter": _by_letter,
    "key": _by_key,
    "text": _by_text,
    "position": _by_position,
    "flags": _by_flags,
    "best": _by_best,
}


# ── shuffling ─────────────────────────────────────────────────────────────────────────────────────────────


def shuffle(step: Shuffle, context: Context, picks: tuple[str, ...]) -> Run:
    """A seeded order of the options; the picks made from them follow. Options that name each other's letters stay as they are."""

    def run(values: Values, key: str) -> None:
        before = value_of(values, step.options, "shuffle")
        if not isinstance(before, OptionSet):
            raise fail(f"shuffle: {step.options} is not a set of options")
        if any(len(item.text) <= 20 and _NAMES_LETTERS.fullmatch(item.text) for item in before.items):
            return
        last = [item for item in before.items if stays_last(item.text)]
        free = [item for item in before.items if item not in last] if last else before.items
        after = OptionSet([*shuffled(free, context.seed, "shuffle", step.options, key), *last])
        values[step.options] = after
        for name in picks:
            choice = values.get(name)
            if isinstance(choice, Choice):
                values[name] = _moved(choice, after)

    return run


def stays_last(text: str) -> bool:
    """Whether an option such as “none of these” has its place after all others."""
    return len(text) <= 60 and _STAYS_LAST.fullmatch(text.rstrip(".!。 ")) is not None


def _moved(choice: Choice, after: OptionSet) -> Choice:
    if choice.index < 0:
        return Choice(choice.text, "", -1, after)
    try:
        moved = after.at_place(choice.options.items[choice.index].place)
    except IndexError:
        moved = None
    if moved is None:
        raise Stop("failed", "shuffle: a picked option was lost")
    return moved
