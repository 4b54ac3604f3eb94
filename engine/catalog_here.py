"""The catalog of this home, with the embedder that the roles name."""

from __future__ import annotations

from engine.catalog.catalog import Catalog
from engine.locations import Locations
from engine.process import start_reading
from engine.roles import Roles


def catalog_here(locations: Locations, roles: Roles) -> Catalog:
    """Open it; where the embedder has much to read, a process of its own does."""
    spec = roles.spec("embed")
    return Catalog(locations.catalog, roles.embedder, spec=spec, reader=roles.embedder_of, later=lambda: start_reading(spec, locations))
