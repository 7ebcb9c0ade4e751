"""A resumed run is the uninterrupted one, bit for bit: weights, completions, and what the game remembers."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from alft import games
from alft.questions import Question, View
from alft.rewards import Scoring
from alft.training import checkpoint
from alft.training.dataset import to_dataset
from alft.training.scorer import Scorer
from alft.training.trl import AlignmentGameTrainer, faithful_config

CYCLES = {  # name: settings; every epoch has 3 generation batches of 2 questions
    "one step a batch": {"per_device_train_batch_size": 16},
    "four micro-batches, twice": {
        "per_device_train_batch_size": 4,
        "steps_per_generation": 4,
        "num_iterations": 2,
        "gradient_accumulation_steps": 4,
    },
    "four steps a batch, twice": {
        "per_device_train_batch_size": 4,
        "steps_per_generation": 4,
        "num_iterations": 2,
        "gradient_accumulation_steps": 1,
    },
}
STEPS_PER_CYCLE = {"one step a batch": 1, "four micro-batches, twice": 2, "four steps a batch, twice": 8}


class Ageing(Scorer):
    """A game with memory: rewards shrink with every batch that was learned from."""

    def __init__(self) -> None:
        super().__init__(Scoring(games.Coherence("geometric")))
        self.age = 0

    def score(self, rows, *, learn=True):
        batch = super().score(rows, learn=learn)
        batch.advantages[:] *= 0.8**self.age
        self.age += learn
        return batch

    def state_dict(self) -> dict[str, Any]:
        return {"age": self.age}

    def load_state_dict(self, state) -> None:
        self.age = state["age"]


pytestmark = pytest.mark.usefixtures("readable")


def trainer(model: Path, folder: Path, cycle: str, batches: int, seen: list) -> Any:
    asked = [Question(f"q{i}", (View(f"{i} a", "one"), View(f"{i} b", "two")), None) for i in range(6)]
    settings: dict[str, Any] = {
        "output_dir": str(folder),
        "max_steps": batches * STEPS_PER_CYCLE[cycle],
        "num_generations": 4,
        "max_completion_length": 4,
        "learning_rate": 1e-2,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "report_to": [],
        "save_strategy": "steps",
        "save_steps": 1,
        "disable_tqdm": True,
        "logging_steps": 1,
        **CYCLES[cycle],
    }
    with pytest.warns(UserWarning, match="num_iterations") if "num_iterations" in CYCLES[cycle] else nothing():
        return AlignmentGameTrainer(
            model=AutoModelForCausalLM.from_pretrained(model),
            game=Ageing(),
            args=faithful_config(**settings),
            on_batch=lambda step, rows, batch: seen.append((step, [(r.question, r.view, r.text) for r in rows])),
            train_dataset=to_dataset(asked),
            processing_class=AutoTokenizer.from_pretrained(model),
        )


def nothing():
    from contextlib import nullcontext

    return nullcontext()


def digest(one: Any) -> str:
    weights = [parameter.detach().numpy().tobytes() for parameter in one.model.parameters()]
    return hashlib.sha256(b"".join(weights)).hexdigest()


@pytest.mark.parametrize("cycle", CYCLES)
def test_resuming_from_any_checkpoint_ends_in_the_same_weights(tiny_model, tmp_path, cycle):
    """8 batches, 3 an epoch: from the middle of epoch 1, its end, and the middle of epochs 2 and 3."""
    whole: list = []
    uninterrupted = trainer(tiny_model, tmp_path, cycle, 8, whole)
    fresh = digest(uninterrupted)
    uninterrupted.train()
    assert digest(uninterrupted) != fresh
    assert len(whole) == 8
    saved = [checkpoint.step_of(path) for path in checkpoint.candidates(tmp_path)]
    assert saved == [STEPS_PER_CYCLE[cycle] * n for n in range(8, 0, -1)]  # asked for at every step
    for batches in (2, 3, 5, 7):
        seen: list = []
        resumed = trainer(tiny_model, tmp_path / "again", cycle, 8, seen)
        resumed.args.save_strategy = "no"
        resumed.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{STEPS_PER_CYCLE[cycle] * batches}"))
        assert seen == whole[batches:]
        assert digest(resumed) == digest(uninterrupted)
        assert resumed.scorer.age == 8


def test_what_a_checkpoint_restores_without_training_on(tiny_model, tmp_path):
    uninterrupted = trainer(tiny_model, tmp_path, "one step a batch", 2, [])
    uninterrupted.train()
    restored = trainer(tiny_model, tmp_path, "one step a batch", 2, [])
    assert digest(restored) != digest(uninterrupted)
    restored.restore(tmp_path / "checkpoint-2")
    assert digest(restored) == digest(uninterrupted)
    assert (restored.state.global_step, restored.scorer.age) == (2, 2)
