from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models.finetune.tiny import tiny_folder

CHILD = """
import json, socket, sys

def refuse(*arguments, **settings):
    raise OSError(101, "Network is unreachable")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse

from pathlib import Path
from models.peft_lora import PeftLoraTrainer
from tests.models.finetune.tiny import OPTIONS, examples

def tell(report):
    print(json.dumps([report.step, report.loss, report.validation_loss]), flush=True)

base, out = Path(sys.argv[1]), Path(sys.argv[2])
PeftLoraTrainer(base, out.parent / "cache").train(examples(24), examples(7, 100), out, OPTIONS, tell)
"""


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_killed_training_goes_on_with_the_losses_of_one_without_a_break(tmp_path: Path) -> None:
    """Three processes, none of which can reach a network."""
    base = tiny_folder(tmp_path / "base")
    whole = run(base, tmp_path / "whole")
    killed = run(base, tmp_path / "killed", kill_after=8)
    assert killed == whole[: len(killed)] and not (tmp_path / "killed" / "result.json").exists()
    resumed = run(base, tmp_path / "killed")
    assert 1 < resumed[0][0] <= 9, "it began at a checkpoint"
    assert resumed == whole[len(whole) - len(resumed) :]
    adapters = [(tmp_path / name / "adapter" / "adapter_model.safetensors").read_bytes() for name in ("whole", "killed")]
    assert adapters[0] == adapters[1]


def run(base: Path, out: Path, kill_after: int = 0) -> list[list[float]]:
    """Train in a process of its own; what it reported."""
    told = []
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(base), str(out)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    )
    assert child.stdout is not None
    for line in child.stdout:
        told.append(json.loads(line))
        if kill_after and told[-1][0] == kill_after:
            os.kill(child.pid, signal.SIGKILL)
            break
    child.stdout.close()
    assert child.wait() == (-signal.SIGKILL if kill_after else 0)
    return told
