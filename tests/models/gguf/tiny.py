"""Tiny language models with random weights as GGUF files, and random adapters for them, written by peft itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
WIDTH, INNER, HEADS, GROUPS, LAYERS = 64, 96, 4, 2, 2
HEAD = {"llama": 16, "qwen2": 16, "phi3": 16, "qwen3": 128, "gemma2": 256, "gemma3": 256}
"""Width of a head; where it is more than 16, transformers takes this number whatever the file says."""
PROJECTIONS = {
    "llama": ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
    "phi3": ("qkv_proj", "o_proj", "gate_up_proj", "down_proj"),
}
"""Linear layers by architecture; those of llama where there is no entry."""


def byte_letters() -> list[str]:
    """The letter that stands for each byte in vocabularies of GPT-2's kind."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, spare = {byte: chr(byte) for byte in shown}, 256
    for byte in range(256):
        if byte not in letters:
            letters[byte] = chr(spare)
            spare += 1
    return [letters[byte] for byte in range(256)]


def tiny_model(
    path: Path, architecture: str = "llama", kind: str = "F32", seed: int = 0, tied: bool = False, template: str = TEMPLATE
) -> Path:
    """A model of `architecture` that llama.cpp and transformers both load."""
    draw, head = np.random.default_rng(seed), HEAD[architecture]
    writer = gguf.GGUFWriter(path, architecture)
    tokens = [*byte_letters(), "he", "<|im_start|>", "<|im_end|>"]
    writer.add_name("Tiny")
    writer.add_license("apache-2.0")
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(GROUPS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(0)
    writer.add_rope_dimension_count(head)
    if architecture not in ("llama", "qwen2", "phi3"):
        writer.add_key_length(head)
        writer.add_value_length(head)
    if architecture in ("phi3", "gemma2", "gemma3"):
        writer.add_sliding_window(512)
    if architecture == "phi3":
        writer.add_rope_scaling_orig_ctx_len(512)
    if architecture == "gemma2":
        writer.add_attn_logit_softcapping(50.0)
        writer.add_final_logit_softcapping(30.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * 257 + [3, 3])
    writer.add_token_merges(["h e"])
    writer.add_bos_token_id(257)
    writer.add_eos_token_id(258)
    writer.add_pad_token_id(258)
    writer.add_add_bos_token(False)
    writer.add_chat_template(template)

    def matrix(name: str, rows: int, columns: int) -> None:
        data = (draw.normal(size=(rows, columns)) * 1.5 / columns**0.5).astype(np.float32)
        quantised = gguf.GGMLQuantizationType[kind]
        writer.add_tensor(f"{name}.weight", gguf.quantize(data, quantised), raw_dtype=quantised)

    def vector(name: str, length: int, middle: float = 1.0) -> None:
        writer.add_tensor(name, (middle + draw.normal(size=length) * 0.1).astype(np.float32))

    matrix("token_embd", len(tokens), WIDTH)
    vector("output_norm.weight", WIDTH)
    if not tied and not architecture.startswith("gemma"):
        matrix("output", len(tokens), WIDTH)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        for norm in ("attn_norm", "ffn_norm", *(("post_attention_norm", "post_ffw_norm") if architecture.startswith("gemma") else ())):
            vector(f"{block}{norm}.weight", WIDTH)
        queries, keys = HEADS * head, GROUPS * head
        if architecture == "phi3":
            matrix(f"{block}attn_qkv", queries + 2 * keys, WIDTH)
            matrix(f"{block}ffn_up", 2 * INNER, WIDTH)
        else:
            for name, rows in (("q", queries), ("k", keys), ("v", keys)):
                matrix(f"{block}attn_{name}", rows, WIDTH)
                if architecture == "qwen2":
                    vector(f"{block}attn_{name}.bias", rows, 0.0)
                if architecture in ("qwen3", "gemma3") and name != "v":
                    vector(f"{block}attn_{name}_norm.weight", head)
            matrix(f"{block}ffn_gate", INNER, WIDTH)
            matrix(f"{block}ffn_up", INNER, WIDTH)
        matrix(f"{block}attn_output", WIDTH, queries)
        matrix(f"{block}ffn_down", WIDTH, INNER)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def in_torch(path: Path) -> Any:
    """The model as transformers reads it, in 32-bit numbers: another implementation, with its own order of the rows."""
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    torch.set_num_threads(1)
    return AutoModelForCausalLM.from_pretrained(
        str(path.parent), gguf_file=path.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
    ).eval()


def with_adapter(model: Any, folder: Path, targets: tuple[str, ...], *, size: float = 0.3, seed: int = 1, **options: Any) -> Any:
    """The model with a random adapter, which peft saves into `folder`."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    adapted = get_peft_model(
        model, LoraConfig(target_modules=list(targets), task_type="CAUSAL_LM", **({"r": 4, "lora_alpha": 6} | options))
    )
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=size)
    adapted.save_pretrained(str(folder))
    return adapted.eval()


def written_adapter(folder: Path, changes: dict[str, object] | None = None, tensors: dict[str, NDArray[np.generic]] | None = None) -> Path:
    """An adapter for the first query projection of a tiny llama, as peft lays it out, with what a test changes."""
    folder.mkdir(exist_ok=True)
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "bias": "none", "target_modules": ["q_proj"]} | (changes or {})
    (folder / "adapter_config.json").write_bytes(msgspec.json.encode(config))
    draw = np.random.default_rng(5)
    layer = "base_model.model.model.layers.0.self_attn.q_proj"
    given = {f"{layer}.lora_A.weight": (2, WIDTH), f"{layer}.lora_B.weight": (HEADS * HEAD["llama"], 2)}
    drawn = {name: draw.normal(size=shape).astype(np.float32) for name, shape in given.items()}
    save_file(drawn if tensors is None else tensors, folder / "adapter_model.safetensors")
    return folder
