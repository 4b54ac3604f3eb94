"""What a run's data sets, models and catalog are on this machine, so that another takes what was done with them as done.

Nothing is loaded and no server is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from engine.bundle.contents import Seen
from engine.catalog_here import catalog_here
from engine.config import NO_DATASET, stage_options
from engine.errors import EngineError
from engine.fingerprint import step_fingerprint
from engine.locations import Locations
from engine.records import PlanChoice, SchemaSelection
from engine.roles import Roles, translated
from engine.rows_here import RowsHere
from engine.stages import stage
from engine.store.database import Connection
from engine.store.items import model_of_run
from engine.store.origins import DataSeen, ModelSeen, Origin, origin_of
from engine.store.runs import Run, plans_applied
from engine.store.steps import Step
from models.language import Identity


def seen(connection: Connection, run: Run, steps: Sequence[Step], locations: Locations) -> Seen:
    """What the run knows here; of a run that came in a bundle itself also what it knew where it comes from."""
    origin = origin_of(connection, run.id) or Origin("")
    roles = Roles(run.settings.models, locations, origin.models)
    models = _models(connection, run, steps, locations, roles)
    data, plans = _data(connection, run, steps, locations, roles, origin)
    return Seen(_catalog(run, steps, locations, roles, models, origin), data, models, plans)


def roles_of(steps: Iterable[Step]) -> list[str]:
    """The roles whose models belong to what these steps did."""
    asked = [role for step in steps for role in stage(step.stage).roles]
    return list(dict.fromkeys([*asked, *("base" for step in steps if step.stage == "finetune")]))


def _models(connection: Connection, run: Run, steps: Sequence[Step], locations: Locations, roles: Roles) -> dict[str, ModelSeen]:
    found: dict[str, ModelSeen] = {}
    for role in roles_of(steps):
        spec = roles.spec(role)
        if spec not in found and (model := _model(connection, run, role, spec, locations, roles)):
            found[spec] = model
    return found


def _model(connection: Connection, run: Run, role: str, spec: str, locations: Locations, roles: Roles) -> ModelSeen | None:
    from models.openai_server import runtime_at
    from models.registry import DRY_RUN, identity_of, resolve

    if spec == DRY_RUN:
        return None
    try:
        if role == "base" and (path := roles.base_path()) and path.is_dir():
            base = roles.base()
            return ModelSeen(base.name, base.digest, "")
        with translated(f"role {role}, model {spec}"):
            identity = identity_of(spec, locations.weight_folders, locations.cache)
            batched = roles.batched(role)
            server = resolve(spec, locations.weight_folders)
    except EngineError:
        return roles.seen.get(spec)
    if identity is not None:
        return ModelSeen(identity.name, identity.digest, identity.runtime, batched)
    digest = model_of_run(connection, run.id, role)
    if not digest:
        return roles.seen.get(spec)
    return ModelSeen(server.model or f"the model at {server.target}", digest, runtime_at(server.target), batched)


def _data(
    connection: Connection, run: Run, steps: Sequence[Step], locations: Locations, roles: Roles, origin: Origin
) -> tuple[dict[str, DataSeen], dict[str, tuple[str, ...]]]:
    rows = RowsHere(catalog_here(locations, roles), locations.cache, origin.data)
    data: dict[str, DataSeen] = {}
    plans: dict[str, tuple[str, ...]] = {}
    for name in dict.fromkeys(_names(run, steps)):
        try:
            data[name] = DataSeen(rows.name(name), rows.revision(name))
        except EngineError:
            continue
        if applied := plans_applied(connection, run.id, name):
            plans[name] = applied
    return data, plans


def _names(run: Run, steps: Sequence[Step]) -> Iterator[str]:
    """Data sets as the run names them."""
    if run.settings.dataset not in ("", NO_DATASET):
        yield run.settings.dataset
    for step in steps:
        if step.stage == "schema" and step.record:
            yield msgspec.json.decode(step.record, type=SchemaSelection).dataset
        if step.stage == "plan" and step.record:
            yield msgspec.json.decode(step.record, type=PlanChoice).dataset


def _catalog(run: Run, steps: Sequence[Step], locations: Locations, roles: Roles, models: dict[str, ModelSeen], origin: Origin) -> str:
    """The state of the catalog that the run's search was of; "" where the catalog has changed since, so that it would search again here."""
    from engine.stages.retrieve import Given

    done = next((step for step in steps if step.stage == "retrieve" and step.state == "done"), None)
    if done is None:
        return ""
    kind = stage("retrieve")
    options = stage_options("retrieve", run.settings.options.get("retrieve", {}))
    identities = {}
    for role in kind.roles:
        known = models.get(roles.spec(role))
        if known is None:
            return ""
        identities[role] = Identity(known.name, known.digest, known.runtime)
    for state in filter(None, (origin.catalog, catalog_here(locations, roles).state_digest())):
        given = Given(run.task, state)
        if step_fingerprint("retrieve", kind.version, given, options, run.settings.seed, identities) == done.fingerprint:
            return state
    return ""
