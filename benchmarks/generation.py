"""Our generation loop against `model.generate`: same weights, prompts, batch and tokens, in turns on one thread.

    python -m benchmarks.generation PATH_OR_HUB_ID [--rows 32] [--tokens 32] [--rounds 3]

Each row has a prompt of its own length, and stop tokens are off, so that both write the same number of tokens.
Prints tokens per CPU second of the median round, and ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from alft.config.schema import ModelConfig
from alft.models import local
from alft.models.base import Sampling
from alft.models.decoding import Decoder
from alft.models.loading import load_model

SAMPLES = 4


def loops(model, tokenizer, rows: int, tokens: int) -> dict[str, Callable[[], object]]:
    """Ways to write `tokens` new tokens for `rows` rows: `SAMPLES` of each prompt."""
    prompts = ["Count: " + " ".join(map(str, range(n % 17 + 8))) for n in range(rows // SAMPLES)]
    ids, mask = local.pad_left(local.encode(tokenizer, prompts), model.device)
    sampling = Sampling(SAMPLES, max_new_tokens=tokens)

    def ours() -> object:
        generator = torch.Generator(device=model.device).manual_seed(0)
        loop = local._Loop(model, frozenset(), sampling, generator, Decoder(tokenizer, ()))
        return loop.run(ids, mask, SAMPLES)

    def library() -> object:
        settings = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "eos_token_id": None}
        return model.generate(
            ids,
            attention_mask=mask,
            num_return_sequences=SAMPLES,
            max_new_tokens=tokens,
            pad_token_id=tokenizer.pad_token_id,
            **settings,
        )

    return {"ours": ours, "model.generate": library}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="starter")
    for name, value in {"rows": 32, "tokens": 32, "rounds": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    model, tokenizer = load_model(ModelConfig(path=chosen.model))
    model.eval()
    ways = loops(model, tokenizer, chosen.rows, chosen.tokens)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    with torch.inference_mode():
        for _ in range(chosen.rounds):
            for name, way in ways.items():
                began = time.process_time()
                way()
                seconds[name].append(time.process_time() - began)
    least = {name: statistics.median(values) for name, values in seconds.items()}
    for name, value in least.items():
        rate = chosen.rows * chosen.tokens / value
        print(
            f"{name:16} {rate:8.1f} tokens per CPU second, {least['model.generate'] / value:.2f} × model.generate"
        )


if __name__ == "__main__":
    main()
