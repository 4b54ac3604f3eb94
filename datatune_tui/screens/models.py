"""Models: the weights on this machine with what they need and how fast they are, what is wrong with the others, and who does what."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.widgets import DataTable, Static

from datatune_tui.engine_process import command
from datatune_tui.modals.choice import Choice
from datatune_tui.modals.file_path import FilePath
from datatune_tui.modals.line_input import LineInput
from datatune_tui.model_roles import DOES, Serves, served
from datatune_tui.screens.place import Place
from datatune_tui.widgets.keyed_table import Cell, KeyedTable
from engine.errors import BadInput, EngineError
from engine.plain_text import clean, one_line
from engine.roles import absolute_spec, check_spec
from engine.settings import change_settings, examine

CONTEXT = 4096
"""Tokens of context the memory is told for."""
STATES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
EMBEDDERS = (
    ("minilm", "minilm: all-MiniLM-L6-v2, came with DataTune"),
    ("hashing", "hashing: no weights, finds words rather than meaning"),
)
AS_BEFORE, ANOTHER = "", "?"
"""Choices beside the models that are here."""


class ModelsScreen(Place):
    """GGUF files found here, whether they can be used, and the roles they have."""

    MODE = "models"
    CSS_PATH = "models.tcss"
    HELP = """\
# Models

Above, GGUF files below DATATUNE_HOME and the one that came with DataTune; below, who does what in new runs. **tab** goes between them.

- **m** gives the model under the cursor a role; **enter** on a role chooses among all models, **delete** takes its model back
- **a** adds a file by its path; **v** reads it whole and compares its SHA-256; **b** measures how fast it is here
- **d** asks the doctor, who tries every part for real and says what to do

Roles are kept in the settings. The models of a task file come before them, --model comes before both; runs there are stay as they are.
"""
    BINDINGS = [
        Binding("m", "assign", "Give a role", id="models.assign", tooltip="What the model under the cursor does in new runs"),
        Binding("a", "add", "Add", id="models.add", tooltip="Make a GGUF file known by its name"),
        Binding("v", "verify", "Verify", id="models.verify", tooltip="Read the whole file and compare its SHA-256"),
        Binding("b", "bench", "Measure", id="models.bench", tooltip="How fast it reads and writes here; takes a minute or two"),
        Binding("d", "doctor", "Doctor", id="models.doctor", tooltip="Try every part for real"),
        Binding("delete", "unassign", "Take back", id="models.unassign", show=False, tooltip="Let the role have the usual model again"),
    ]

    def content(self) -> ComposeResult:
        columns = (
            ("NAME", 28),
            ("SIZE", 8),
            ("QUANT", 6),
            ("MEMORY", 15),
            ("READ/WRITE", 11),
            ("CONTEXT", 7),
            ("LICENCE", 12),
            ("WHERE", None),
        )
        yield KeyedTable(columns, id="models")
        with VerticalScroll(id="about"):
            yield Static("", id="told", markup=False)
        yield KeyedTable((("ROLE", 8), ("MODEL", 24), ("FROM", 18), ("WHAT IT DOES", None)), id="roles")

    def on_mount(self) -> None:
        self._found: dict[str, dict[str, Any]] = {}
        self._said: dict[str, Text] = {}
        """What commands said of a model, by path."""
        self._models.focus()
        self._list()

    @property
    def _models(self) -> KeyedTable:
        return self.query_one("#models", KeyedTable)

    @property
    def _roles(self) -> KeyedTable:
        return self.query_one("#roles", KeyedTable)

    def look(self) -> None:
        """Roles may be changed in the settings; weights are listed when the place is first seen and after a change."""
        settings = examine(self.here.reader.locations.settings).settings
        rows = [(one.role, (one.role, _short(one.spec), one.origin, DOES.get(one.role, ""))) for one in served(settings.models)]
        self._roles.show(rows)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if not self.ready:
            return True
        if action in ("verify", "bench", "assign"):
            one = self._found.get(self._models.current)
            return (one is not None and one["weights"] is not None) or None
        if action == "unassign":
            return self._roles.has_focus and "settings" in self._roles.get_row(self._roles.current)[2].plain
        return True

    # ── weights ───────────────────────────────────────────────────────────────────────────────────────────

    @work(exclusive=True, group="list")
    async def _list(self) -> None:
        if not self._found:
            self.query_one("#told", Static).update(Text("looking for weights …", "dim"))
        found = await self.asked(command("models", "list")) or []
        self._found = {one["path"]: one for one in found}
        self._models.show([(one["path"], _cells(one)) for one in found])
        self._tell()
        self.refresh_bindings()

    @on(DataTable.RowHighlighted, "#models")
    def _tell(self) -> None:
        one = self._found.get(self._models.current)
        text = _about(one) if one else Text("No weights were found; a adds a GGUF file.", "dim")
        if one and (said := self._said.get(one["path"])):
            text.append("\n")
            text.append_text(said)
        self.query_one("#told", Static).update(text)
        self.refresh_bindings()

    @work
    async def action_add(self) -> None:
        """Make a file known."""
        path = await self.app.push_screen_wait(FilePath("Add a GGUF file", f"{Path.home()}/", _gguf_told))
        if path and (added := await self.asked(command("models", "add", str(path)))):
            self.notify(f"{added['spec']} is known; m gives it a role", markup=False)
            self._list()

    @work
    async def action_verify(self) -> None:
        """Read the file whole, and compare it with what it should be."""
        path = self._models.current
        wanted = await self.app.push_screen_wait(LineInput("The SHA-256 it should have; leave it empty to see which it has", ""))
        if wanted is None:
            return
        answer = await self._command(
            path, "reading the whole file …", "verify", path, *(["--sha256", wanted.strip()] if wanted.strip() else [])
        )
        if answer:
            same = answer["as_expected"]
            verdict = {None: "", True: ": as it should be", False: f": NOT {one_line(wanted, 80)}, so another file or damaged"}[same]
            self._said[path] = Text(f"whole GGUF file; SHA-256 {answer['sha256']}{verdict}", "bold red" if same is False else "green")
            self._tell()

    @work
    async def action_bench(self) -> None:
        """Measure how fast it is."""
        path = self._models.current
        answer = await self._command(path, "measuring; this takes a minute or two …", "bench", self._spec(path))
        if answer:
            found = answer["calibration"]
            rates = f"reads {found['read']:,.0f} and writes {found['write']:,.0f} tokens a second, {found['sequences']} answers at once"
            self._said[path] = Text(f"{rates}; runs use this", "green")
            self._list()

    async def _command(self, path: str, meanwhile: str, *words: str) -> dict[str, Any] | None:
        """The answer of a command about a model; None after showing why there is none."""
        self._said[path] = Text(meanwhile, "dim")
        self._tell()
        answer: dict[str, Any] | None = await self.asked(command("models", *words))
        self._said.pop(path, None)
        self._tell()
        return answer

    @work(exclusive=True, group="doctor")
    async def action_doctor(self) -> None:
        """Try every part."""
        self.query_one("#told", Static).update(Text("the doctor tries every part for real …", "dim"))
        findings = await self.asked(command("doctor"))
        text = Text()
        for one in findings["findings"] if isinstance(findings, dict) else findings or []:
            text.append(f"{one['state']:4} ", STATES.get(one["state"], ""))
            text.append(f"{one['name']}: {clean(one['detail'])}\n")
            if one["cure"]:
                text.append(f"     {clean(one['cure'])}\n", "dim")
        self.query_one("#told", Static).update(text)
        self.query_one("#about", VerticalScroll).scroll_home(animate=False)

    # ── roles ─────────────────────────────────────────────────────────────────────────────────────────────

    def _spec(self, path: str) -> str:
        """What the settings call a model: its name, or its path where others have the same name."""
        names = Counter(one["spec"] for one in self._found.values())
        spec = str(self._found[path]["spec"])
        return spec if names[spec] == 1 else path

    @work
    async def action_assign(self) -> None:
        """Give the model under the cursor a role."""
        spec = self._spec(self._models.current)
        choices = [
            (one.role, f"{one.role}: {DOES.get(one.role, '')}; now {_short(one.spec)}") for one in self._served() if one.role != "embed"
        ]
        role = await self.app.push_screen_wait(Choice(f"What does {one_line(spec, 40)} do in new runs?", choices))
        if role:
            self._keep(role, spec)

    @on(DataTable.RowSelected, "#roles")
    @work
    async def _choose(self) -> None:
        """Choose the model of the role under the cursor."""
        role = self._roles.current
        if role == "embed":
            models = list(EMBEDDERS)
        else:
            usable = [path for path, one in self._found.items() if one["weights"]]
            models = [
                (self._spec(path), f"{self._spec(path)}: {self._found[path]['weights']['name']}, {_speed(self._found[path])}")
                for path in usable
            ]
        usual = "what DataTune does without settings" if role in ("default", "embed") else "the same as default"
        other = (
            "a folder of a sentence-transformers model …"
            if role == "embed"
            else "another: a path, openai:URL, or a name with settings such as #flash=off …"
        )
        choices = [*models, (AS_BEFORE, usual), (ANOTHER, other)]
        now = next((one.spec for one in self._served() if one.role == role and one.origin == "settings"), AS_BEFORE)
        spec = await self.app.push_screen_wait(Choice(f"Which model does {role}?", choices, now))
        if spec == ANOTHER:
            spec = await self.app.push_screen_wait(LineInput(f"The model for {role}", now))
            spec = spec.strip() if spec and spec.strip() else None
        if spec is not None:
            self._keep(role, spec)

    def action_unassign(self) -> None:
        """Let the role have the usual model again."""
        self._keep(self._roles.current, AS_BEFORE)

    def _served(self) -> list[Serves]:
        return served(examine(self.here.reader.locations.settings).settings.models)

    def _keep(self, role: str, spec: str) -> None:
        """Write it to the settings, where the model is there."""
        locations = self.here.reader.locations
        try:
            if spec:
                spec = absolute_spec(spec, Path.cwd())
                check_spec(role, spec, locations)
            change_settings(locations.settings, {f"models.{role}": spec or None})
        except EngineError as error:
            self.stop(error)
            return
        self.look()


def _cells(one: dict[str, Any]) -> tuple[Cell, ...]:
    path = Path(one["path"])
    weights = one["weights"]
    if weights is None:
        # First of all the word: on a narrow screen the rest is out of sight.
        return (path.name, Text("unusable", "bold red"), "", "", "", "", "", f"{one['problem']}; {one['cure']}".rstrip("; "))
    return (
        weights["name"] or path.name,
        f"{weights['size'] / 1e9:.2f} GB",
        weights["quantisation"],
        _memory(one),
        _speed(one, short=True),
        f"{weights['context_length']:,}",
        weights["licence"] or "not stated",
        str(path),
    )


def _memory(one: dict[str, Any]) -> Text:
    import psutil

    needed, free = one["needs_bytes"], psutil.virtual_memory().available
    return Text(f"{needed / 1e9:.1f} GB {'fits' if needed < free else 'too much'}", "green" if needed < free else "bold red")


def _speed(one: dict[str, Any], short: bool = False) -> str:
    rates = one["rates"]
    if not rates:
        return "-" if short else "speed not measured"
    read, write = f"{rates['read']:,.0f}", f"{rates['write']:,.0f}"
    return f"{read}/{write}" if short else f"reads {read} and writes {write} tokens a second"


def _short(spec: str) -> str:
    """A path by its end: what tells files apart."""
    return f"…/{spec.rpartition('/')[2]}" if spec.startswith("/") else spec


def _about(one: dict[str, Any]) -> Text:
    import psutil

    text = Text(f"{clean(one['path'])}\n", "bold")
    weights = one["weights"]
    if weights is None:
        text.append(f"unusable: {clean(one['problem'])}\n", "not bold red")
        return text.append(f"what to do: {clean(one['cure']) or 'replace it, or move it out of the weights folder'}", "not bold")
    facts = f"{clean(weights['architecture'])}, {weights['parameters'] / 1e6:,.0f} million parameters, {weights['layers']} layers"
    text.append(f"{facts}, {'a' if weights['chat_template'] else 'no'} chat template\n", "not bold")
    free = psutil.virtual_memory().available
    text.append(f"needs {one['needs_bytes'] / 1e9:.1f} GB at a context of {CONTEXT:,}; {free / 1e9:.1f} GB are free\n", "not bold")
    rates = one["rates"]
    if rates:
        text.append(f"{_speed(one)}, {rates['sequences']} answers at once: measured here", "not bold")
    else:
        text.append("how fast it is here was not measured: b does", "not bold dim")
    return text


def _gguf_told(path: Path) -> str:
    """What a file is, from its header. Raises BadInput."""
    from models.errors import ModelError
    from models.weights import describe

    if path.suffix.lower() != ".gguf" or not path.is_file():
        raise BadInput("name a file that ends in .gguf")
    try:
        weights = describe(path)
    except ModelError as error:
        raise BadInput(error.title, error.hint) from error
    return f"{weights.name}, {weights.quantisation}, {weights.size / 1e9:.2f} GB, licence {weights.licence or 'not stated'}"
