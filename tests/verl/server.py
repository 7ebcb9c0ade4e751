"""A stand-in for verl's rollout servers: every other part of verl is its own."""

import asyncio
import random
from typing import Any

WORDS = {"fails": OSError("the server is gone"), "hangs": None}


class Server:
    """Answers with `#### N`, after a random time. A prompt that ends with `!fails` raises the first time it is
    asked, one that ends with `!hangs` never returns the first time."""

    def __init__(self, tokenizer: Any, seed: int) -> None:
        self.tokenizer, self.random, self.seen = tokenizer, random.Random(seed), set()

    async def generate(self, request_id: str, *, prompt_ids: list[int], sampling_params: dict, **_: Any) -> Any:
        from verl.workers.rollout.replica import TokenOutput

        prompt = self.tokenizer.decode(prompt_ids)
        for word, error in WORDS.items():
            if f"!{word}" in prompt and prompt not in self.seen:
                self.seen.add(prompt)
                if error is not None:
                    raise error
                await asyncio.Event().wait()
        await asyncio.sleep(self.random.random() * 0.5)
        answer = self.random.choice(["#### 1", "#### 2", "#### 3", "no answer"])
        ids = [*self.tokenizer(answer, add_special_tokens=False)["input_ids"], self.tokenizer.eos_token_id]
        return TokenOutput(token_ids=ids, log_probs=[-1.0] * len(ids))
