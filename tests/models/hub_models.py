# SPDX-License-Identifier: MIT
"""Small random models of several architectures, saved as a user's folder has them."""

from dataclasses import dataclass
from pathlib import Path

import torch

from models.tasks import get_task

LAYERS, HIDDEN, VOCABULARY = 3, 48, 300
COMMON = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "vocab_size": VOCABULARY,
}


@dataclass(frozen=True)
class Kind:
    """An architecture.

    Attributes:
        config: class name of its configuration.
        model: class name of the base model.
        options: of the configuration.
        stack: where its layers are.
        offset: what its own numbering of positions begins with.
        both_ways: tokens see later ones.
        projections: of a layer, dotted, those of query, key and value or the joint one.
    """

    config: str
    model: str
    options: dict
    stack: str
    projections: tuple[str, ...]
    offset: int = 0
    both_ways: bool = False


_BERT = tuple(f"attention.self.{part}" for part in ("query", "key", "value"))
KINDS = {
    "gpt2": Kind(
        "GPT2Config",
        "GPT2Model",
        {"n_embd": HIDDEN, "n_layer": LAYERS, "n_head": 4, "n_positions": 128,
         "vocab_size": VOCABULARY},
        "h",
        ("attn.c_attn",),
    ),
    "bert": Kind("BertConfig", "BertModel", {**COMMON, "max_position_embeddings": 128},
                 "encoder.layer", _BERT, both_ways=True),
    "roberta": Kind(
        "RobertaConfig",
        "RobertaModel",
        {**COMMON, "max_position_embeddings": 130, "pad_token_id": 1},
        "encoder.layer",
        _BERT,
        offset=2,
        both_ways=True,
    ),
    "qwen2": Kind("Qwen2Config", "Qwen2Model", {**COMMON, "num_key_value_heads": 2}, "layers",
                  tuple(f"self_attn.{part}_proj" for part in "qkv")),
    "neox": Kind("GPTNeoXConfig", "GPTNeoXModel", COMMON, "layers",
                 ("attention.query_key_value",)),
}  # fmt: skip

_SHARED = {**COMMON, "num_key_value_heads": 2}
MORE = {
    "opt": Kind(
        "OPTConfig",
        "OPTModel",
        {"hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": 4,
         "ffn_dim": 96, "word_embed_proj_dim": 24, "do_layer_norm_before": False,
         "vocab_size": VOCABULARY},
        "decoder.layers",
        (),
    ),
    "gptj": Kind("GPTJConfig", "GPTJModel", {"n_embd": HIDDEN, "n_layer": LAYERS, "n_head": 4,
                 "rotary_dim": 4, "vocab_size": VOCABULARY}, "h", ()),
    "mistral": Kind("MistralConfig", "MistralModel", _SHARED, "layers", ()),
    "gemma2": Kind("Gemma2Config", "Gemma2Model", {**_SHARED, "head_dim": 12}, "layers", ()),
    "phi": Kind("PhiConfig", "PhiModel", COMMON, "layers", ()),
    "falcon": Kind("FalconConfig", "FalconModel", {"hidden_size": HIDDEN, "num_attention_heads": 4,
                   "num_hidden_layers": LAYERS, "vocab_size": VOCABULARY}, "h", ()),
    "distilbert": Kind("DistilBertConfig", "DistilBertModel", {"dim": HIDDEN, "n_layers": LAYERS,
                       "n_heads": 4, "hidden_dim": 96, "vocab_size": VOCABULARY},
                       "transformer.layer", (), both_ways=True),
    "electra": Kind("ElectraConfig", "ElectraModel", {**COMMON, "embedding_size": 24},
                    "encoder.layer", (), both_ways=True),
    "modernbert": Kind("ModernBertConfig", "ModernBertModel", {**COMMON, "pad_token_id": 1,
                       "bos_token_id": 2, "eos_token_id": 2, "cls_token_id": 2,
                       "sep_token_id": 2}, "layers", (), both_ways=True),
}  # fmt: skip
"""Further architectures, whose embedding may be narrower than the stream (OPT, ELECTRA)."""


def tokenizer():
    """Return a tokenizer of words that some sentences of the task sentiment are made of."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.trainers import WordLevelTrainer
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(WordLevel(unk_token="<unk>"))
    words.pre_tokenizer = Whitespace()
    texts = [sample.text for sample in get_task("sentiment").train[:200]]
    special = ["<unk>", "<pad>", "<s>"]
    words.train_from_iterator(
        texts, WordLevelTrainer(vocab_size=VOCABULARY, special_tokens=special)
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", pad_token="<pad>", bos_token="<s>"
    )


def save(kind: Kind, folder: Path, seed: int = 3):
    """Write a random model with its tokenizer into a folder; return transformers' own copy."""
    import transformers

    torch.manual_seed(seed)
    config = getattr(transformers, kind.config)(**kind.options)
    model = getattr(transformers, kind.model)(config).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.dim() > 1:
                value.normal_(0.0, 0.15)
            elif name.endswith("weight"):  # of norms: ones by default, which would hide a fault
                value.uniform_(0.5, 1.5)
            else:
                value.normal_(0.0, 0.1)
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return model
