"""An Ollama Modelfile for a GGUF model: what it is made of, how a chat is written, where an answer stops, the system text.

Format: https://github.com/ollama/ollama/blob/main/docs/modelfile.md. Ollama's templates are Go's, the model's are Jinja's. So the
model's is tried on chats with marked texts, what stands between the marks is put into a Go template, and that is written down only if it
renders all of the chats as the model's does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from models.errors import ModelError, WeightsInvalid
from models.language import Message
from models.llama_cpp.chat import Chat

QUOTE = '"""'
S, U, A, V = "\ue0f0", "\ue0f1", "\ue0f2", "\ue0f3"
"""Marks for a system text, a question, an answer and another question."""


class Turns(msgspec.Struct, frozen=True):
    """A chat as Ollama renders it: turn after turn, each with the texts it has."""

    system_before: str
    system_after: str
    """Up to the question."""
    before: str
    """Before a question that no system text precedes."""
    between: str
    """From the question's end to the answer's beginning."""
    after: str
    default_system: str = ""
    """What the model's template takes for system text when there is none."""

    def template(self) -> str:
        """As a Go template."""
        system = f"{{{{ if .System }}}}{self.system_before}{{{{ .System }}}}{self.system_after}{{{{ else }}}}{self.before}{{{{ end }}}}"
        return f"{system}{{{{ .Prompt }}}}{self.between}{{{{ .Response }}}}{self.after}"

    def rendered(self, system: str, texts: Sequence[str]) -> str:
        """Question, answer, question and so on as Ollama writes them, up to where the next answer begins."""
        written = f"{self.system_before}{system}{self.system_after}" if system else self.before
        for i, text in enumerate(texts):
            written += text + (self.after + self.before if i % 2 else self.between)
        return written


def modelfile(model: Path, *, adapter: Path | None = None, system: str = "", greedy: bool = False) -> str:
    """The text of a Modelfile that lies beside `model`, and beside `adapter` where there is one.

    `system` is the system text; "" for the one the model's template has, if any. `greedy` asks for the likeliest answer, where Ollama
    draws one otherwise. ModelError when a name or the text cannot stand in one, or the model cannot be read.
    """
    from models.llama_cpp import library
    from models.llama_cpp.vocabulary import Vocabulary
    from models.weights import describe

    describe(model)
    native = library.load()
    params = native.llama_model_default_params()
    params.vocab_only = True
    pointer = native.llama_model_load_from_file(str(model).encode("utf-8", "surrogateescape"), params)
    if not pointer:
        raise WeightsInvalid(f"llama.cpp cannot load {model}: {library.recent_log()}", "Its architecture may be newer than this build.")
    try:
        vocabulary = Vocabulary(native, native.llama_model_get_vocab(pointer))
        source = native.llama_model_chat_template(pointer, None)
        chat = Chat(source.decode("utf-8", "replace") if source else "", vocabulary, int(native.llama_vocab_eos(vocabulary.pointer)))
        turns = turns_of(chat, vocabulary.name(vocabulary.bos) if vocabulary.adds_bos else "")
        stops = sorted({vocabulary.name(token) for token in vocabulary.ends})
    finally:
        native.llama_model_free(pointer)
    lines = [f"FROM ./{_line(model.name)}"]
    if adapter is not None:
        lines.append(f"ADAPTER ./{_line(adapter.name)}")
    if turns is not None:
        lines.append(f"TEMPLATE {QUOTE}{turns.template()}{QUOTE}")
        system = system or turns.default_system
    else:
        lines.append("# The model's chat template cannot be said in Ollama's language: Ollama looks for one like it.")
    lines += [f'PARAMETER stop "{stop}"' for stop in stops if stop.isprintable() and stop.strip() and '"' not in stop]
    lines += ["PARAMETER temperature 0"] if greedy else []
    if system:
        if QUOTE in system or not _plain(system):
            raise ModelError("The system text has three quotes in a row or control characters, which a Modelfile cannot hold", "Change it.")
        lines.append(f"SYSTEM {QUOTE}{system}{QUOTE}")
    return "\n".join(lines) + "\n"


def turns_of(chat: Chat, start: str) -> Turns | None:
    """How `chat` writes turns, without `start`, which Ollama puts before every chat itself; None where turns cannot say it."""

    def rendered(*texts: str) -> str:
        roles = ("system", "user", "assistant", "user") if texts[0] == S else ("user", "assistant", "user")
        return chat.render(tuple(Message(role, text) for role, text in zip(roles, texts, strict=False))).removeprefix(start)  # type: ignore[arg-type]

    try:
        whole, alone = rendered(S, U, A, V), rendered(U)
    except ModelError:
        return None
    parts = _split(whole, S, U, A, V)
    first = _split(alone, U)
    if parts is None or first is None:
        return None
    head, middle, between, joint, end = parts
    default = ""
    if joint.endswith(first[0]):
        before = first[0]
    elif first[0].startswith(head) and first[0].endswith(middle) and len(first[0]) > len(head) + len(middle):
        default = first[0][len(head) : len(first[0]) - len(middle)]
        # Where a turn begins looks the same whoever speaks: the longest beginning in common with the system's.
        before = max((joint[i:] for i in range(len(joint))), key=lambda tail: _common(tail, head), default="")
    else:
        return None
    turns = Turns(head, middle, before, between, joint.removesuffix(before), default)
    same = [whole == turns.rendered(S, (U, A, V)), rendered(S, U) == turns.rendered(S, (U,)), end == between]
    same += [alone == turns.rendered(default, (U,)), rendered(U, A, V) == turns.rendered(default, (U, A, V))]
    said = turns.template().replace("{{ if .System }}", "").replace("{{ else }}", "").replace("{{ end }}", "")
    for name in ("System", "Prompt", "Response"):
        said = said.replace(f"{{{{ .{name} }}}}", "")
    return turns if all(same) and "{{" not in said and QUOTE not in turns.template() + default and _plain(said + default) else None


def _split(text: str, *marks: str) -> list[str] | None:
    """What stands around the marks, which must each be there once and in this order."""
    parts = []
    for mark in marks:
        part, found, text = text.partition(mark)
        if not found:
            return None
        parts.append(part)
    return None if any(mark in text or any(mark in part for part in parts) for mark in marks) else [*parts, text]


def _common(left: str, right: str) -> int:
    for i, (ours, theirs) in enumerate(zip(left, right, strict=False)):
        if ours != theirs:
            return i
    return min(len(left), len(right))


def _plain(text: str) -> bool:
    return all(letter.isprintable() or letter in "\n\t" for letter in text)


def _line(name: str) -> str:
    if not name.isprintable() or name != name.strip():
        raise ModelError(f"The file name {name!r} cannot stand in a Modelfile", "Rename the file.")
    return name
