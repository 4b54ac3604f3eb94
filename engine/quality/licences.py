"""What the licences of sources allow, and which of them do not go together. A help for sorting, no legal advice."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Literal

from engine.plain_text import one_line
from engine.records import Value

Family = Literal["permissive", "share-alike", "non-commercial", "no-derivatives", "other", "unknown"]
""""other": a licence with terms of its own (OpenRAIL, Llama, Gemma) or one not known here; "unknown": none is stated."""

_STRICTNESS: tuple[Family, ...] = ("permissive", "share-alike", "other", "non-commercial", "no-derivatives", "unknown")
_PERMISSIVE = set(
    "apache-2.0 mit mit-0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear 0bsd isc zlib unlicense wtfpl cc0-1.0 pddl pddl-1.0"
    " odc-by odc-by-1.0 cdla-permissive-1.0 cdla-permissive-2.0 afl-3.0 artistic-2.0 bsl-1.0 ecl-2.0 ms-pl ncsa postgresql"
    " etalab-2.0 ogl ogl-uk-3.0 c-uda openmdw-1.0".split()
)
_SHARE_ALIKE = set(
    "gpl gpl-2.0 gpl-3.0 agpl-3.0 lgpl lgpl-2.1 lgpl-3.0 gfdl gfdl-1.3 odbl odbl-1.0 cdla-sharing-1.0 mpl-2.0 epl-1.0 epl-2.0 eupl-1.1"
    " eupl-1.2 osl-3.0 lppl-1.3c ofl-1.1 lgpl-lr".split()
)
_NON_COMMERCIAL = set("fair-noncommercial-research-license apple-amlr intel-research h-research polyform-noncommercial-1.0.0".split())
_OTHER = re.compile(r"openrail|rail-m|bloom-rail|bigcode|deepfloyd|creativeml|^llama|^gemma|apple-ascl|^other|^cc$")
_NONE = re.compile(r"unknown|unlicensed|none|n/?a|\\[?more information needed\\]?|not specified|unspecified|\?+|-+", re.IGNORECASE)
_CC = re.compile(r"cc-by(?P<terms>(?:-(?:nc|nd|sa))*)(?:-[\d.]+)?")


class Licence(Value):
    """One stated licence, understood."""

    stated: str
    """As the source gives it, safe to show, at most 120 characters."""
    ids: tuple[str, ...]
    """SPDX or Hub ids, in lower case."""
    family: Family
    """The strictest of several, or with "or" between them the freest."""
    reason: str = ""
    """What to look at; "" where nothing is unclear."""


class Clash(Value):
    """Two sources whose licences do not go together."""

    one: str
    other: str
    reason: str


class LicenceSummary(Value):
    """What the licences of all sources say together."""

    sources: dict[str, Licence]
    families: dict[Family, int]
    clashes: tuple[Clash, ...]
    unclear: tuple[str, ...]
    """Sources whose licence is unknown or must be read by a person."""


def licence_of(stated: str) -> Licence:
    """The licence a source states: ids of the Hub or SPDX, plain names such as "CC BY-SA 4.0", several with commas, "and", "or"."""
    shown = one_line(stated, 120)
    text = stated.strip().lower()
    if not text or _NONE.fullmatch(text):
        return Licence(shown, (), "unknown", "no licence is stated")
    either = re.split(r"\s+or\s+", _plain(text))
    arms = [_strictest(arm) for arm in either]
    ids = tuple(dict.fromkeys(one for arm in arms for one, _ in arm))
    families = [max((family for _, family in arm), key=_STRICTNESS.index) for arm in arms]
    family = min(families, key=_STRICTNESS.index)
    reasons = []
    if len(either) == 1 and len(ids) > 1:
        reasons.append("several are stated; the strictest counts")
    if family == "other":
        reasons.append("has terms of its own: read them")
    if family == "unknown":
        reasons.append("is no licence that is known here")
    return Licence(shown, ids, family, "; ".join(reasons))


def sort_licences(sources: Mapping[str, str]) -> LicenceSummary:
    """Sources (name → licence as stated) by family, with all pairs that clash."""
    found = {name: licence_of(stated) for name, stated in sources.items()}
    families: dict[Family, int] = {}
    for licence in found.values():
        families[licence.family] = families.get(licence.family, 0) + 1
    names = sorted(found)
    clashes = [
        Clash(one, other, reason)
        for place, one in enumerate(names)
        for other in names[place + 1 :]
        if (reason := _clash(found[one], found[other]))
    ]
    clashes += [
        Clash(name, name, "examples made of it are a derivative, which it forbids")
        for name in names
        if found[name].family == "no-derivatives"
    ]
    unclear = tuple(name for name in names if found[name].family in ("unknown", "other") or found[name].reason)
    return LicenceSummary(found, families, tuple(clashes), unclear)


def allowed(stated: str, families: Collection[Family] = (), ids: Collection[str] = ()) -> bool:
    """Whether a source's licence is of one of the families or all its ids are among those given; everything passes where both are
    empty."""
    licence = licence_of(stated)
    wanted = {one.lower() for one in ids}
    return not (families or ids) or licence.family in families or (bool(licence.ids) and set(licence.ids) <= wanted)


def _plain(text: str) -> str:
    """Ids as the Hub writes them, of plain names: "CC BY-SA 4.0" → "cc-by-sa-4.0", "Apache License 2.0" → "apache-2.0"."""
    text = re.sub(r"creative commons(?: attribution)?", "cc-by", text)
    text = re.sub(r"non-?\s?commercial(?=[- ]|$)", "nc", text) if text.startswith("cc") else text
    text = re.sub(r"share-?\s?alike", "sa", text) if text.startswith("cc") else text
    text = re.sub(r"no-?\s?deriv(?:ative|s)\w*", "nd", text) if text.startswith("cc") else text
    text = re.sub(r"\bcc[ -]?0(?:[ -]?1\.0)?\b|public domain", "cc0-1.0", text)
    text = re.sub(
        r"\bcc[ -](by(?:[ -](?:nc|nd|sa))*)(?:[ -](\d\.\d))?(?=[^\w.-]|$)",
        lambda m: f"cc-{m[1].replace(' ', '-')}" + (f"-{m[2]}" if m[2] else ""),
        text,
    )
    text = re.sub(r"\b(apache|gpl|lgpl|agpl|mpl|odbl|odc-by)(?:[ -]license)?(?:,? ?version)?[ -]v?(\d\.\d)\b", r"\1-\2", text)
    text = re.sub(r"\b(gpl|lgpl|agpl)-?v(\d)(?:\.\d)?\b", r"\1-\2.0", text)
    return re.sub(r"-(?:only|or-later)\b", "", text)


def _strictest(arm: str) -> list[tuple[str, Family]]:
    words = [word for word in re.split(r"[,;/()\[\]'\"\s]+|\band\b|\+(?=\s)", arm) if word]
    known: list[tuple[str, Family]] = [(word, family) for word in words if (family := _family(word)) != "unknown"]
    return known or [(one_line(arm, 60), "unknown")]


def _family(name: str) -> Family:
    if name in _PERMISSIVE:
        return "permissive"
    if name in _SHARE_ALIKE:
        return "share-alike"
    if name in _NON_COMMERCIAL:
        return "non-commercial"
    if (cc := _CC.fullmatch(name)) is not None:
        terms = cc["terms"]
        return (
            "no-derivatives" if "nd" in terms else "non-commercial" if "nc" in terms else "share-alike" if "sa" in terms else "permissive"
        )
    return "other" if _OTHER.search(name) else "unknown"


def _clash(one: Licence, other: Licence) -> str:
    """Why a mix of both cannot be passed on under either's terms; "" where it can, or where nothing is known."""
    sharing = [_sharing(licence) for licence in (one, other)]
    if all(sharing) and sharing[0] != sharing[1]:
        # CC BY-SA 4.0 says itself that what is made of it may go under GPL 3.0.
        if set(sharing) != {"cc-by-sa", "gpl"}:
            return f"both must be passed on under their own terms: {sharing[0]} and {sharing[1]}"
        versions = {name for licence in (one, other) for name in licence.ids}
        if "cc-by-sa-4.0" not in versions or not {"gpl-3.0", "agpl-3.0"} & versions:
            return "share-alike and GPL go together only as cc-by-sa-4.0 and gpl-3.0"
    for free, bound in ((one, other), (other, one)):
        if free.family == "share-alike" and bound.family == "non-commercial":
            return "one must stay free for all uses, the other forbids commercial ones"
    return ""


def _sharing(licence: Licence) -> str:
    """The share-alike terms of a licence, without version; "" for none."""
    for name in licence.ids:
        if (cc := _CC.fullmatch(name)) is not None and "sa" in cc["terms"]:
            return f"cc-by{cc['terms']}"
        if name in _SHARE_ALIKE:
            return "gpl" if name.lstrip("al").startswith("gpl") else name.split("-")[0]
    return ""
