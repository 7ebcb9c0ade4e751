"""The starter's tokenizer: Qwen2's way of cutting text, with a small vocabulary learnt on the corpus."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import Qwen2Tokenizer

SPECIAL = ("<|pad|>", "<|end|>", "<|user|>", "<|assistant|>")
LARGEST = 1024  # never reached: merging ends when every word of the corpus is one token
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}<|assistant|>{{ message['content'] }}<|end|>"
    "{% else %}<|user|>{{ message['content'] }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def learn_tokenizer(texts: Iterable[str]) -> Qwen2Tokenizer:
    """Byte-level BPE learnt on texts: any text can be written, digits stand alone, known words are one token.

    It must cut text exactly as Qwen2 does: for a model of type qwen2, `AutoTokenizer` builds that class
    from vocabulary and merges, and ignores any other pre-tokenizer written in tokenizer.json.
    """
    cutter = Qwen2Tokenizer().backend_tokenizer
    learner = Tokenizer(models.BPE())
    learner.normalizer, learner.pre_tokenizer = cutter.normalizer, cutter.pre_tokenizer
    learner.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=LARGEST,
            special_tokens=list(SPECIAL),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    learnt = json.loads(learner.to_str())["model"]
    parts: dict[str, Any] = {  # the class takes these, whatever its annotations say
        "vocab": learnt["vocab"],
        "merges": [tuple(merge) for merge in learnt["merges"]],
        "unk_token": None,
    }
    tokenizer = Qwen2Tokenizer(
        **parts,
        eos_token="<|end|>",
        pad_token="<|pad|>",
        additional_special_tokens=["<|user|>", "<|assistant|>"],
        padding_side="left",
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
