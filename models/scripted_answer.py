"""A small value that obeys a JSON schema, chosen by a seed: what the scripted model answers when no rule fits."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from models.errors import RequestInvalid

DEPTH_LIMIT = 24
WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "juniper", "kestrel", "larch")


def answer_for(schema: dict[str, Any], seed: str) -> Any:
    """A value under `schema`; the same seed gives the same value. RequestInvalid for what is not understood here."""
    return _Answer(schema, seed).value(schema, "$", 0)


class _Answer:
    def __init__(self, root: dict[str, Any], seed: str) -> None:
        self._root = root
        self._seed = seed

    def value(self, schema: Any, place: str, depth: int) -> Any:
        if schema is True:
            return None
        if not isinstance(schema, dict):
            raise RequestInvalid(f"The schema at {place} allows nothing", "Check the schema.")
        if depth > DEPTH_LIMIT:
            raise RequestInvalid(f"The schema at {place} has no small answer", "Give a list that refers to itself minItems 0.")
        if "$ref" in schema:
            return self.value(self._referred(schema["$ref"]), place, depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._chosen(schema["enum"], place)
        for union in ("anyOf", "oneOf"):
            if union in schema:
                return self.value({**_without(schema, union), **self._chosen(schema[union], place)}, place, depth + 1)
        if "allOf" in schema:
            return self.value(_merged([_without(schema, "allOf"), *schema["allOf"]]), place, depth + 1)
        kind = schema.get("type", "object" if "properties" in schema else "array" if "items" in schema else "string")
        if isinstance(kind, list):
            kind = self._chosen(kind, place)
        return self._of_kind(kind, schema, place, depth)

    def _of_kind(self, kind: str, schema: dict[str, Any], place: str, depth: int) -> Any:
        if kind == "null":
            return None
        if kind == "boolean":
            return self._chosen((False, True), place)
        if kind in ("integer", "number"):
            return self._number(kind, schema, place)
        if kind == "string":
            return self._text(schema, place)
        if kind == "array":
            first = schema.get("prefixItems", [])
            count = max(int(schema.get("minItems", 0)), min(len(first), int(schema.get("maxItems", len(first)))))
            rest = schema.get("items", True)
            return [self.value(first[i] if i < len(first) else rest, f"{place}[{i}]", depth + 1) for i in range(count)]
        if kind == "object":
            properties = schema.get("properties", {})
            names = [name for name in properties if name in schema.get("required", ())]
            names += [name for name in schema.get("required", ()) if name not in properties]
            return {name: self.value(properties.get(name, True), f"{place}.{name}", depth + 1) for name in names}
        raise RequestInvalid(f"The schema at {place} has the unknown type {kind!r}", "Check the schema.")

    def _number(self, kind: str, schema: dict[str, Any], place: str) -> int | float:
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        if "exclusiveMinimum" in schema and "minimum" not in schema:
            low += 1 if kind == "integer" else 0.5
        high = schema.get("maximum", schema.get("exclusiveMaximum", max(low, 0) + 9))
        if "exclusiveMaximum" in schema and "maximum" not in schema:
            high -= 1 if kind == "integer" else 0.5
        if "minimum" not in schema and "exclusiveMinimum" not in schema:
            low = min(low, high)
        if high < low:
            raise RequestInvalid(f"The schema at {place} allows no number", "Check its limits.")
        if kind == "number":
            return float(low) + (float(high) - float(low)) * (self._draw(place, 11) / 10)
        whole_low, whole_high = -int(-low // 1), int(high // 1)
        return whole_low + self._draw(place, max(1, whole_high - whole_low + 1))

    def _text(self, schema: dict[str, Any], place: str) -> str:
        if "pattern" in schema:
            return self._matching(str(schema["pattern"]), place)
        if "format" in schema:
            raise RequestInvalid(f"The scripted model knows no texts of format {schema['format']!r} at {place}", "Give it a rule.")
        text = f"{self._chosen(WORDS, place)} {self._chosen(WORDS, place + '2')}"
        least, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", 1 << 20))
        while len(text) < least:
            text += f" {self._chosen(WORDS, place + str(len(text)))}"
        return text[: max(least, min(most, len(text)))]

    def _matching(self, pattern: str, place: str) -> str:
        """A text for patterns made of letters, classes and fixed alternatives; others need a rule."""
        simple = pattern.removeprefix("^").removesuffix("$").removeprefix("(?:").removesuffix(")").removeprefix("(")
        for candidate in [*simple.split("|"), *WORDS, *map(chr, range(32, 127)), *map(str, range(10, 100))]:
            if re.search(pattern, candidate):
                return candidate
        raise RequestInvalid(f"The scripted model finds no text for the pattern at {place}", "Give it a rule.")

    def _referred(self, reference: str) -> Any:
        target: Any = self._root
        for part in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
            target = target.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
        if target is None:
            raise RequestInvalid(f"The schema refers to {reference}, which is not there", "Check the schema.")
        return target

    def _chosen(self, options: Sequence[Any], place: str) -> Any:
        if not options:
            raise RequestInvalid(f"The schema at {place} allows nothing", "Check the schema.")
        return options[self._draw(place, len(options))]

    def _draw(self, place: str, count: int) -> int:
        hashed = hashlib.sha256(f"{self._seed}\0{place}".encode()).digest()
        return int.from_bytes(hashed[:8], "big") % count


def _without(schema: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != key}


def _merged(schemas: Sequence[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for schema in schemas:
        for key, value in schema.items():
            if key == "properties":
                value = {**merged.get(key, {}), **value}
            elif key == "required":
                value = [*merged.get(key, []), *value]
            merged[key] = value
    return merged
