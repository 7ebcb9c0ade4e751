"""The whole method in one file, without the framework: sample answers, count them, play the game, take a step.

    python examples/loop.py        # about two minutes on one CPU core

It trains the built-in model, a tiny transformer that knows arithmetic but misreads two of four views of a
question, to agree with itself. No answer is shown to it. The numbers (`encode`, `games`, `score`) are alft's; the
rest is torch and transformers. `alft train` does the same with TRL, and adds checkpoints, a watch for collapse and
a report.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from alft import Question, Scoring, answer_key, canonical, games, score, starter
from alft.counts import count, encode

STEPS = 30
QUESTIONS = 8  # in a step; each is asked in all its views
SAMPLES = 8  # completions of each view
TEST_QUESTIONS = 32
NEW_TOKENS = 40
LEARNING_RATE = 2e-4
GAME = games.Agreement()  # try games.Coherence("geometric"), or games.Majority() to see a view get lost

Completions = tuple[torch.Tensor, int, list[str]]  # prompt and completion tokens, length of the prompt, texts


def main(steps: int = STEPS, test_questions: int = TEST_QUESTIONS, seed: int = 0) -> tuple[dict, dict]:
    """Train, and return what was measured before and after."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(starter.model_path())
    tokenizer = AutoTokenizer.from_pretrained(starter.model_path())
    train, test = starter.training_questions(seed), starter.held_out_questions(test_questions)

    before = measure(model, tokenizer, test)
    print("before  ", before)

    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
    for step in range(steps):
        first = step * QUESTIONS % len(train)
        questions = train[first : first + QUESTIONS]

        # 1. Sample: every view of every question, several times. The views of a question stay in one batch,
        #    because an answer's reward depends on what the OTHER views answered.
        tokens, prompt_length, texts = sample(model, tokenizer, questions)

        # 2. Count: read the final answer of each completion, and number the distinct answers of each question.
        #    Two answers are the same if their keys are equal ("26", "26.0"). No answer is None and equals nothing.
        codes = encode(keys_of(texts, questions))[0]  # axes (question, view, sample)

        # 3. Play: the game pays each answer by how often each view gave it. For agreement that is the mean
        #    share of the answer among the other views. The advantage is this reward less a baseline that
        #    leaves the completion itself out, so that on average the step is the gradient of the game's objective.
        scores = score(codes, view_weights(codes), Scoring(GAME))
        advantages = torch.tensor(scores.advantages.ravel(), dtype=torch.float32)

        # 4. Learn: the plain policy gradient. Each batch is used once, so there is no ratio to clip.
        loss = -(advantages * log_probability(model, tokenizer, tokens, prompt_length)).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()

        if (step + 1) % 5 == 0:
            # Agreement that rises while readable answers vanish would be a collapse, so watch both.
            print(f"step {step + 1:3d}  agreement {agreement(codes):.2f}  unread {np.mean(codes < 0):.2f}")

    after = measure(model, tokenizer, test)
    print("after   ", after)
    return before, after


@torch.no_grad()
def sample(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, questions: Sequence[Question]
) -> Completions:
    """`SAMPLES` completions of every view, in the order question, view, sample.

    At temperature 1 from the whole vocabulary: the game is about the model's own distribution, not a sharper one.
    """
    chats = [[{"role": "user", "content": view.text}] for question in questions for view in question.views]
    prompts = tokenizer.apply_chat_template(
        chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
    )
    plain = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
    tokens = model.generate(**prompts, **plain, num_return_sequences=SAMPLES, max_new_tokens=NEW_TOKENS)
    length = prompts["input_ids"].shape[1]
    return tokens, length, tokenizer.batch_decode(tokens[:, length:], skip_special_tokens=True)


def log_probability(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, tokens: torch.Tensor, prompt_length: int
) -> torch.Tensor:
    """log π(completion | prompt) of each row: the sum over its tokens, the end of text among them."""
    said = tokens != tokenizer.pad_token_id  # prompts are padded on the left, completions after their end of text
    positions = (said.cumsum(dim=1) - 1).clamp(min=0)
    logits = model(tokens, attention_mask=said, position_ids=positions).logits[:, prompt_length - 1 : -1]
    completion = tokens[:, prompt_length:, None]
    chosen = logits.log_softmax(dim=-1).gather(2, completion)[..., 0]
    return (chosen * said[:, prompt_length:]).sum(dim=1)


def keys_of(texts: Sequence[str], questions: Sequence[Question]) -> list[list[list[str | None]]]:
    """The key of each completion's answer, axes (question, view, sample)."""
    remaining = iter(texts)
    return [
        [[answer_key(next(remaining)) for _ in range(SAMPLES)] for _ in question.views] for question in questions
    ]


def view_weights(codes: np.ndarray) -> np.ndarray:
    """Every view counts alike."""
    return np.full(codes.shape[1], 1 / codes.shape[1])


def agreement(codes: np.ndarray) -> float:
    """The chance that answers to two different views of a question are the same."""
    shares = count(codes) / codes.shape[2]
    return float(games.Agreement().objective(shares, view_weights(codes)).mean())


def measure(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, questions: Sequence[Question]) -> dict:
    """Agreement, and accuracy by view: the only place where gold answers are looked at."""
    keys = keys_of(sample(model, tokenizer, questions)[2], questions)
    gold = [canonical(question.answer) for question in questions]
    rows = zip(keys, gold, strict=True)
    right = np.array([[[key == answer for key in view] for view in views] for views, answer in rows])
    names = [view.name for view in questions[0].views]
    by_view = dict(zip(names, right.mean(axis=(0, 2)).round(2).tolist(), strict=True))
    codes = encode(keys)[0]
    return {
        "accuracy": round(float(right.mean()), 3),
        "agreement": round(agreement(codes), 3),
        "by view": by_view,
    }


if __name__ == "__main__":
    main()
