"""β > 0 on language models that can be enumerated: how near training comes to the exact equilibrium ν*.

Run: python -m benchmarks.equilibrium table|starter [SEED …]     (seeds 0 1 2)

`table` is a language model without layers whose logits are a table (6 questions × 2 views × 5 answers); `starter`
is the built-in model of number questions, 4 of them, whose answers are enumerated token by token. Both are trained
by `AlignmentGameTrainer` as any model is, 8 samples a view. ν_0, ν and ν* are exact, not sampled: an answer's
probability is that of its one text, and the share of all other texts is printed. So the null of every distance is
0: what is left is the estimator's bias and the noise of training. Means over questions, 95 % intervals over them.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, PrinterCallback, Qwen2Config, Qwen2ForCausalLM

from alft import games, simplex, starter
from alft.config.schema import ModelConfig
from alft.estimators import Estimator
from alft.estimators.log_tables import LogKind
from alft.evaluation.intervals import intervals
from alft.games import Facts, Game
from alft.models.loading import load_model, set_threads
from alft.questions import Question, View
from alft.rewards import Scoring
from alft.tabular import gap, solve
from alft.training.dataset import to_dataset
from alft.training.faithful import faithful_config
from alft.training.trl import AlignmentGameTrainer
from tests.training.conftest import QUIET

SAMPLES, NO_CAP = 8, 1e6
LOGS: tuple[LogKind, ...] = ("plugin", "digamma", "variance_optimal")


@dataclass(frozen=True)
class World:
    """A model, the questions it is asked, and the texts that it may answer them with."""

    model: Any
    tokenizer: Any
    questions: Sequence[Question]
    texts: Sequence[str]
    right: np.ndarray
    """1 for the right answers, axes (question, answer)."""
    beta: float
    entropy: float
    """Coefficient of diversity beside correctness."""
    settings: Mapping[str, Any]

    @property
    def games(self) -> dict[str, Game]:
        """The games that are played, by what they are called; the rewards of the first are polynomials in ν."""
        right, c = games.Correctness(), self.entropy
        return {
            f"correctness + {c} Gini": games.Sum((1.0, right), (c, games.Diversity("gini"))),
            f"correctness + {c} Shannon": games.Sum((1.0, right), (c, games.Diversity("shannon"))),
            "coherence, arithmetic": games.Coherence("arithmetic"),
        }

    @property
    def chat(self) -> bool:
        """Whether questions are messages."""
        return self.tokenizer.chat_template is not None

    def marginals(self) -> tuple[np.ndarray, float]:
        """ν (question, view, answer) on the texts, and the largest share that other texts have."""
        ends = [[*self.tokenizer(text)["input_ids"], self.tokenizer.eos_token_id] for text in self.texts]
        rows = [self._shares(view, ends) for question in self.questions for view in question.views]
        shares = np.array(rows).reshape(len(self.questions), -1, len(self.texts))
        return simplex.normalise(shares), float(1 - shares.sum(axis=-1).min())

    @torch.no_grad()
    def _shares(self, view: View, ends: Sequence[list[int]]) -> np.ndarray:
        """Probability of each completion, from the log-probabilities of its tokens."""
        if self.chat:
            asked = [{"role": "user", "content": view.text}]
            prompt = self.tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
        else:
            prompt = view.text
        start = self.tokenizer(prompt)["input_ids"]
        longest = max(map(len, ends))
        padded = torch.tensor([start + end + [self.tokenizer.pad_token_id] * (longest - len(end)) for end in ends])
        logits = torch.log_softmax(self.model(padded).logits[:, len(start) - 1 : -1].double(), -1)
        tokens = logits.gather(-1, padded[:, len(start) :, None])[..., 0].numpy()
        there = np.arange(longest) < np.array([len(end) for end in ends])[:, None]
        return np.exp(np.where(there, tokens, 0.0).sum(axis=1))


def table_world(seed: int) -> World:
    """A model without layers: its logits depend on the last word alone, by a table in the head."""
    rng, questions, views, answers = np.random.default_rng(seed), 6, 2, 5
    asks = [[f"q{q}v{v}" for v in range(views)] for q in range(questions)]
    texts = [f"\\boxed{{{a}}}" for a in range(answers)]
    words = ["<pad>", "<eos>", *(ask for own in asks for ask in own), *texts]
    logits = torch.full((len(words), len(words)), -30.0)  # axes (next, last)
    for column, share in enumerate(rng.dirichlet(np.full(answers, 2.0), questions * views), start=2):
        logits[-answers:, column] = torch.tensor(np.log(share), dtype=torch.float32)
    logits[1, -answers:] = 30.0
    return World(
        model=_layerless(logits),
        tokenizer=_word_tokenizer(words),
        questions=[
            Question(f"q{q}", tuple(View(ask, f"v{v}") for v, ask in enumerate(own)), "0")
            for q, own in enumerate(asks)
        ],
        texts=texts,
        right=np.repeat(np.eye(answers)[:1], questions, axis=0),
        beta=0.1,
        entropy=0.5,
        settings={"max_steps": 250, "learning_rate": 0.02, "max_completion_length": 2},
    )


def starter_world(seed: int) -> World:
    """The built-in model of number questions, and four questions to name a number of one or two digits."""
    model, tokenizer = load_model(ModelConfig(path=starter.CHOICES))
    asked = starter.training_questions(seed, 4, starter.NUMBERS)
    texts = [f"#### {number}" for number in range(100)]
    right = [[float(text[5:] in (str(one.answer), *one.aliases)) for text in texts] for one in asked]
    settings = {"max_steps": 150, "learning_rate": 4e-4, "max_completion_length": 6}
    return World(model, tokenizer, asked, texts, np.array(right), beta=0.2, entropy=0.1, settings=settings)


def _layerless(logits: torch.Tensor) -> Qwen2ForCausalLM:
    size = len(logits)
    config = Qwen2Config(
        vocab_size=size,
        hidden_size=size,
        intermediate_size=8,
        num_hidden_layers=0,
        num_attention_heads=1,
        num_key_value_heads=1,
        eos_token_id=1,
        pad_token_id=0,
        bos_token_id=None,
        rms_norm_eps=0.0,
    )
    model = Qwen2ForCausalLM(config)
    model.model.embed_tokens.weight = torch.nn.Parameter(torch.eye(size), requires_grad=False)
    model.model.norm.weight.requires_grad = False
    model.lm_head.weight.data = logits / math.sqrt(size)  # the norm makes √size of a one-hot vector
    return model


def _word_tokenizer(words: Sequence[str]) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordLevel(vocab={word: i for i, word in enumerate(words)}, unk_token="<pad>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", eos_token="<eos>")


def play(world: World, game: Game, kind: LogKind, seed: int) -> None:
    """Train the world's model on a game, its logs estimated by tables of one kind."""
    torch.manual_seed(seed)
    rows = SAMPLES * sum(len(question.views) for question in world.questions)
    with tempfile.TemporaryDirectory() as folder:
        arguments = {
            "output_dir": folder,
            "per_device_train_batch_size": rows,
            "num_generations": SAMPLES,
            "lr_scheduler_type": "linear",
            **QUIET,
            "logging_steps": 1000,
            "max_grad_norm": 1e9,
            "seed": seed,
            **world.settings,
        }
        trainer = AlignmentGameTrainer(
            model=world.model,
            game=Scoring(game, Estimator(log=kind, cap=NO_CAP), beta=world.beta),
            args=faithful_config(**arguments),
            train_dataset=to_dataset(world.questions, chat=world.chat),
            processing_class=world.tokenizer,
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()


def measure(make: Callable[[int], World], name: str, kind: LogKind, seed: int) -> np.ndarray:
    """KL(ν‖ν*) before and after, and the gap after, axes (quantity, question)."""
    world = make(seed)
    reference, other = world.marginals()
    facts = Facts(gold=world.right, answered=np.ones(len(world.right)), reference=reference)
    game = world.games[name].given(facts)
    wanted = solve(game, reference, world.beta).nu
    play(world, world.games[name], kind, seed)
    nu, left = world.marginals()
    print(f"seed {seed}: other texts had at most {other:.1e}, and have {left:.1e}", file=sys.stderr, flush=True)
    far = [np.asarray(simplex.kl(each, wanted)).mean(axis=-1) for each in (reference, nu)]
    return np.array([*far, gap(game, nu, reference, world.beta)])


def shown(values: np.ndarray) -> str:
    """Mean over questions with its interval."""
    low, high = intervals(values[:, None])[0]
    return f"{values.mean():.4f} [{low:.4f}, {high:.4f}]"


WORLDS = {"table": table_world, "starter": starter_world}


def main(world: str, seeds: Sequence[int]) -> None:
    """One line for each game and estimator of log ν; the first game, a polynomial, needs none."""
    set_threads(1)
    for place, name in enumerate(WORLDS[world](0).games):
        for kind in LOGS if place > 0 else LOGS[:1]:
            row(world, name, kind, seeds)


def row(world: str, name: str, kind: LogKind, seeds: Sequence[int]) -> None:
    """The seeds of a game and estimator together."""
    found = np.concatenate([measure(WORLDS[world], name, kind, seed) for seed in seeds], axis=-1)
    before, after, left = map(shown, found)
    told = "exact" if "Gini" in name else kind
    print(f"{name:26} {told:16} KL to ν* {before} → {after}   gap {left}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], [int(seed) for seed in sys.argv[2:]] or (0, 1, 2))
