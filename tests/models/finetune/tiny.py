"""A Llama of a few thousand random numbers with a tokenizer of bytes, written as a safetensors folder: trains in milliseconds a step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.finetune.libraries import quiet
from models.language import Message
from models.training import TrainingExample, TrainingOptions

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
NAMES = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
OPTIONS = TrainingOptions(learning_rate=5e-3, batch=4, epochs=2, precision="fp32", device="cpu", max_length=128, seed=3)


def tiny_folder(folder: Path, **config: Any) -> Path:
    """The model's folder; `config` changes its config."""
    with quiet():
        import torch
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers
        from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

        vocabulary = {name: i for i, name in enumerate([*NAMES, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
        bytes_only = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
        bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        bytes_only.decoder = decoders.ByteLevel()
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=bytes_only, bos_token=NAMES[0], eos_token=NAMES[2], pad_token=NAMES[0], additional_special_tokens=[NAMES[1]]
        )
        tokenizer.chat_template = TEMPLATE
        torch.manual_seed(0)
        sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
        model = LlamaForCausalLM(
            LlamaConfig(vocab_size=len(vocabulary), max_position_embeddings=256, bos_token_id=0, eos_token_id=2, **(sizes | config))
        )
        model.save_pretrained(str(folder))
        tokenizer.save_pretrained(str(folder))
    return folder


def examples(count: int, start: int = 0) -> list[TrainingExample]:
    """Prompts of several lengths, answered with a word that follows from them."""
    return [
        TrainingExample((Message("user", f"item {n}{' and more' * (n % 3)}"),), "even" if n % 2 == 0 else "odd")
        for n in range(start, start + count)
    ]
