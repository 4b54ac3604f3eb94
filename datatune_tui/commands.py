"""What the command palette offers: the places, everything that can be done where one is, and all runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from rich.markup import escape
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen

from datatune_tui.keymap import shown
from datatune_tui.widgets.places import PLACES
from engine.plain_text import clean, one_line

if TYPE_CHECKING:
    from datatune_tui.app import DataTune


class Offer(NamedTuple):
    """A line of the palette."""

    text: str
    help: str
    do: Callable[[], Any]


class Offers(Provider):
    """Lines that are found by their words."""

    def offers(self) -> Iterator[Offer]:
        """All there are at this moment."""
        raise NotImplementedError

    @property
    def here(self) -> DataTune:
        """The app."""
        return cast("DataTune", self.app)

    async def discover(self) -> Hits:
        """All of them, while nothing is typed."""
        for offer in self.offers():
            yield DiscoveryHit(Content(offer.text), offer.do, text=offer.text, help=escape(offer.help))

    async def search(self, query: str) -> Hits:
        """Those the words fit."""
        matcher = self.matcher(query)
        for offer in self.offers():
            score, places = matcher.fuzzy_search.match(query, offer.text)
            if score > 0:
                # Matcher.highlight would read markup in the name of a task.
                found = Content(offer.text)
                for place in places:
                    found = found.stylize(self.match_style or "bold", place, place + 1)
                yield Hit(score, found, offer.do, text=offer.text, help=escape(offer.help))


class ActionOffers(Offers):
    """All that can be done in the place, whichever part has the focus."""

    def offers(self) -> Iterator[Offer]:
        for node, action, name, tooltip, keys in actions_of(self.screen):
            text = f"{name}  ({shown(*keys)})"
            yield Offer(text, tooltip, partial(self.app.run_action, action, node))


class PlaceOffers(Offers):
    """The places."""

    def offers(self) -> Iterator[Offer]:
        for number, (mode, name) in enumerate(PLACES, 1):
            keys = self.here.keys_of(f"go.{mode}", str(number))
            yield Offer(f"Go to {name}  ({shown(*keys)})", "", partial(self.here.action_go, mode))


class RunOffers(Offers):
    """The runs of this home."""

    def offers(self) -> Iterator[Offer]:
        for row in self.here.reader.rows():
            run = row.run
            text = f"Open run {run.id}  {one_line(run.task.name, 40)}, {run.state}"
            yield Offer(text, clean(one_line(run.reason, 100)), partial(self.here.open_run, run.id))


def actions_of(screen: Screen[Any]) -> list[tuple[DOMNode, str, str, str, tuple[str, ...]]]:
    """(where, action, name, what it does, keys) of all that can be done on a screen now, the app's own last."""
    keymap = getattr(screen.app, "keys_of", None)
    nodes: list[DOMNode] = [screen, *(one for one in screen.query("*") if one.is_on_screen or one.has_focus), screen.app]
    found: dict[str, tuple[DOMNode, str, str, str, tuple[str, ...]]] = {}
    for node in nodes:
        for _, binding in node._bindings:
            known = binding.id and not binding.id.startswith("go.") and binding.action != "command_palette"
            if known and binding.id and binding.id not in found and screen.app._check_action_state(binding.action, node):
                same = tuple(other.key for _, other in node._bindings if other.id == binding.id)
                keys = keymap(binding.id, *same) if keymap else same
                found[binding.id] = (node, binding.action, binding.description, binding.tooltip, keys)
    return list(found.values())
