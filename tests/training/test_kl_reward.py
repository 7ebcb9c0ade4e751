"""The KL penalty in the reward (theory.md 4.2), on a policy of two tokens whose optimum is known.

First token A or B, second token good or bad; reward 1 for good. The reference picks A or B evenly, then good with
probability .01 after A and .7 after B. The optimum is π* ∝ π_0 exp(r/β), so π*(B) ∝ Z_B with
Z_u = Σ π_0(·|u) exp(r/β).
"""

import math

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from alft import games
from alft.answers import Extraction
from alft.questions import Question, View
from alft.rewards import Scoring, scorer
from alft.training.dataset import to_dataset
from alft.training.faithful import faithful_config, faithful_rloo_config
from alft.training.trl import AlignmentGameRLOOTrainer, AlignmentGameTrainer
from tests.training.conftest import QUIET

TRAINERS = {
    "grpo": (AlignmentGameTrainer, faithful_config),
    "rloo": (AlignmentGameRLOOTrainer, faithful_rloo_config),
}
WORDS = ["<pad>", "<eos>", "ask", "A", "B", "bad", "good"]
BETA, AFTER_A, AFTER_B = 0.1, 0.01, 0.7


def optimum() -> float:
    """Probability of B under π*."""
    z_a, z_b = (1 - p + p * math.exp(1 / BETA) for p in (AFTER_A, AFTER_B))
    return z_b / (z_a + z_b)


def per_token_fixed_point() -> float:
    """Where a penalty per token ends: each token weighs its own log-ratio only (what TRL's GRPO does)."""
    mean = [p * math.exp(1 / BETA) / (1 - p + p * math.exp(1 / BETA)) for p in (AFTER_A, AFTER_B)]
    return 1 / (1 + math.exp((mean[0] - mean[1]) / BETA))


def table(first_b: float, after_a: float, after_b: float) -> torch.Tensor:
    """Logits of the next word, axes (next, last)."""
    logits = torch.full((len(WORDS), len(WORDS)), -30.0)
    for last, following in {
        "ask": {"A": 1 - first_b, "B": first_b},
        "A": {"good": after_a, "bad": 1 - after_a},
        "B": {"good": after_b, "bad": 1 - after_b},
        "good": {"<eos>": 1.0},
        "bad": {"<eos>": 1.0},
    }.items():
        for word, share in following.items():
            logits[WORDS.index(word), WORDS.index(last)] = math.log(share)
    return logits


def policy() -> Qwen2ForCausalLM:
    """A language model without layers: its logits depend on the last word alone, by a table in the head."""
    size = len(WORDS)
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
    set_table(model, table(0.5, AFTER_A, AFTER_B))
    return model


def set_table(model, logits: torch.Tensor) -> None:
    model.lm_head.weight.data = logits / math.sqrt(len(WORDS))  # the norm makes √size of a one-hot vector


def tokenizer() -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordLevel(vocab={word: i for i, word in enumerate(WORDS)}, unk_token="<pad>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", eos_token="<eos>")


def first_b(model) -> float:
    logits = model.lm_head.weight[:, WORDS.index("ask")] * math.sqrt(len(WORDS))
    return torch.softmax(logits, 0)[WORDS.index("B")].item()


def make(algorithm: str, folder, **options):
    kind, settings = TRAINERS[algorithm]
    args = {
        "output_dir": str(folder),
        "max_steps": 60,
        "per_device_train_batch_size": 256,
        "num_generations": 256,
        "max_completion_length": 2,
        "learning_rate": 0.1,
        "adam_beta1": 0.0,  # momentum would carry it past the optimum, where A is no longer sampled
        "adam_beta2": 0.9,
        "lr_scheduler_type": "linear",
        **QUIET,
        "max_grad_norm": 1e9,
    }
    beta = options.pop("beta", BETA)
    return kind(
        model=policy(),
        game=Scoring(games.Correctness(), beta=beta),
        args=settings(**{**args, **options}),
        train_dataset=to_dataset([Question("q", (View("ask", "one"),), "good")], chat=False),
        processing_class=tokenizer(),
    )


@pytest.fixture(autouse=True)
def words_as_answers(monkeypatch):
    monkeypatch.setattr(scorer, "read", lambda text, *_, **__: Extraction((text.split() or [None])[-1]))
    monkeypatch.setattr(scorer, "gold_set", lambda gold, _: frozenset(gold))


def test_the_example_is_that_of_the_theory():
    assert optimum() == pytest.approx(0.986, abs=5e-4)
    assert per_token_fixed_point() == pytest.approx(0.511, abs=5e-4)


@pytest.mark.parametrize("algorithm", TRAINERS)
def test_training_reaches_the_optimum_of_whole_sequences(algorithm, tmp_path):
    trainer = make(algorithm, tmp_path)
    set_table(trainer.model, table(per_token_fixed_point(), 0.9955, 0.99998))  # where a penalty per token ends
    trainer.train()
    assert first_b(trainer.model) == pytest.approx(optimum(), abs=0.01)


STARTS, BIASES = (True, "pissa", "olora", False), ("none", "lora_only", "all")
ADAPTERS = [(start, bias, (i + j) % 2 == 0) for i, start in enumerate(STARTS) for j, bias in enumerate(BIASES)]
"""Each start with each bias, of a path and of a loaded model by turns: both meet each start and each bias."""


@pytest.mark.parametrize(("start", "bias", "as_path"), ADAPTERS)
def test_the_reference_of_an_adapter_is_the_model_before_training(tmp_path, start, bias, as_path) -> None:
    from peft import LoraConfig

    from alft.config.schema import ModelConfig
    from alft.models.loading import load_model
    from alft.starter import model_path, training_questions

    torch.manual_seed(0)
    model, tokenizer = load_model(ModelConfig())
    args = faithful_config(
        output_dir=str(tmp_path),
        per_device_train_batch_size=16,
        num_generations=4,
        max_completion_length=40,
        max_steps=2,
        learning_rate=1e-3,
        lr_scheduler_type="constant",
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        gradient_checkpointing=False,
    )
    trainer = AlignmentGameTrainer(
        model=str(model_path()) if as_path else model,
        game=Scoring(games.Coherence("geometric"), beta=0.1),
        args=args,
        train_dataset=to_dataset(training_questions(0, 4), chat=False),
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=4, init_lora_weights=start, bias=bias, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
    )
    kept = sum(value.numel() for _, value in trainer._reference.start)
    assert kept < 0.1 * sum(each.numel() for each in model.parameters())
    trainer.train()
    first, second = [line["game/kl"] for line in trainer.state.log_history if "game/kl" in line]
    assert first == 0.0 != second
