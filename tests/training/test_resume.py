"""A resumed run is the uninterrupted one, bit for bit: weights, completions, and what the game remembers."""

import hashlib
import itertools
import json
import logging
import signal
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer

from alft import games
from alft.config.schema import LoraConfig
from alft.errors import CheckpointError, ConfigError
from alft.estimators import Estimator
from alft.models.loading import adapter, merged
from alft.questions import Question, View
from alft.rewards import Scoring
from alft.rewards.costs import regex_flag
from alft.rewards.populations import Limit
from alft.rewards.scorer import Scorer
from alft.storage import checkpoint
from alft.training.dataset import to_dataset
from alft.training.faithful import faithful_config, faithful_rloo_config
from alft.training.saving import JsonPart, Played
from alft.training.trl import AlignmentGameRLOOTrainer, AlignmentGameTrainer
from alft.training.watch import collapse_watch

CYCLES = {  # name: settings; every epoch has 3 generation batches of 2 questions
    "one step a batch": {"per_device_train_batch_size": 16},
    "four steps a batch, twice": {
        "per_device_train_batch_size": 4,
        "steps_per_generation": 4,
        "num_iterations": 2,
        "gradient_accumulation_steps": 1,
    },
}
STEPS_PER_CYCLE = {"one step a batch": 1, "four steps a batch, twice": 8}
KINDS = {
    "grpo": (AlignmentGameTrainer, faithful_config),
    "rloo": (AlignmentGameRLOOTrainer, faithful_rloo_config),
}


def limited() -> Scorer:
    """A game with memory: a limit's multiplier grows from batch to batch, with its reward; coins change."""
    limit = Limit("letters", regex_flag("[a-z]", "here"), at_most=0.0)
    game = games.Sum((1.0, games.Coherence("geometric")), (0.1, games.Random()))
    return Scorer(Scoring(game), {"limit": limit})


pytestmark = pytest.mark.usefixtures("readable")


def trainer(model: Path, folder: Path, kind: str, cycle: str, batches: int, **options: Any) -> tuple[Any, list]:
    """A trainer, and the list of what it will have seen of every batch."""
    asked = [Question(f"q{i}", (View(f"{i} a", "one"), View(f"{i} b", "two")), None) for i in range(6)]
    make, config = KINDS[kind]
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
        "save_steps": STEPS_PER_CYCLE[cycle],
        "disable_tqdm": True,
        "logging_steps": 1,
        **CYCLES[cycle],
        **options.pop("settings", {}),
    }
    seen: list = []
    with pytest.warns(UserWarning, match="num_iterations") if "num_iterations" in CYCLES[cycle] else nullcontext():
        one = make(
            model=AutoModelForCausalLM.from_pretrained(model),
            game=limited(),
            args=config(**settings),
            on_batch=lambda step, rows, batch: seen.append((step, [(r.question, r.view, r.text) for r in rows])),
            train_dataset=to_dataset(asked),
            processing_class=AutoTokenizer.from_pretrained(model),
            **options,
        )
    return one, seen


def saved_weights(folder: Path) -> str:
    """The digest of a checkpoint's weights."""
    return digest(AutoModelForCausalLM.from_pretrained(folder))


def digest(model: Any) -> str:
    weights = [parameter.detach().numpy().tobytes() for parameter in model.parameters()]
    return hashlib.sha256(b"".join(weights)).hexdigest()


@pytest.mark.parametrize(
    ("kind", "cycle"),
    [("rloo", "one step a batch"), ("grpo", "four steps a batch, twice")],
)
def test_resuming_from_any_checkpoint_ends_in_the_same_weights(tiny_model, tmp_path, kind, cycle):
    """8 batches, 3 an epoch: from the middle of epoch 1, its end, and the middle of epochs 2 and 3.

    From the first two a run is asked to stop after one more cycle; from the others it goes to the end.
    """
    steps = STEPS_PER_CYCLE[cycle]
    uninterrupted, whole = trainer(tiny_model, tmp_path / "whole", kind, cycle, 8)
    fresh = digest(uninterrupted.model)
    uninterrupted.train()
    assert digest(uninterrupted.model) != fresh
    assert len(whole) == 8
    saved = [checkpoint.step_of(path) for path in checkpoint.candidates(tmp_path / "whole")]
    assert saved == [steps * n for n in range(8, 0, -1)]
    for batches, until in ((2, 3), (3, 4), (5, 8), (7, 8)):
        folder = tmp_path / f"from-{batches}"
        resumed, seen = trainer(tiny_model, folder, kind, cycle, 8)
        resumed.stop.signal = signal.SIGTERM if until < 8 else None
        resumed.train(resume_from_checkpoint=str(tmp_path / "whole" / f"checkpoint-{steps * batches}"))
        assert seen == whole[batches:until]
        assert digest(resumed.model) == saved_weights(tmp_path / "whole" / f"checkpoint-{steps * until}")
    assert resumed.scorer.state_dict() == uninterrupted.scorer.state_dict()
    assert resumed.scorer.populations["limit"].multiplier > 0


def test_what_a_checkpoint_restores_without_training_on(tiny_model, tmp_path):
    uninterrupted, _ = trainer(tiny_model, tmp_path, "grpo", "one step a batch", 2)
    uninterrupted.train()
    restored, _ = trainer(tiny_model, tmp_path, "grpo", "one step a batch", 2)
    assert digest(restored.model) != digest(uninterrupted.model)
    restored.restore(tmp_path / "checkpoint-2")
    assert digest(restored.model) == digest(uninterrupted.model)
    assert restored.state.global_step == 2
    assert restored.scorer.state_dict() == uninterrupted.scorer.state_dict()


def test_an_adapter_resumes_and_merges(tiny_model, tmp_path):
    """LoRA: the same bits after a resume, and a merged model that is base + adapter, without peft."""
    lora = {"peft_config": adapter(LoraConfig(rank=2, alpha=4.0))}
    uninterrupted, whole = trainer(tiny_model, tmp_path, "grpo", "one step a batch", 4, **dict(lora))
    uninterrupted.train()
    resumed, seen = trainer(tiny_model, tmp_path, "grpo", "one step a batch", 4, **dict(lora))
    assert digest(resumed.model) != digest(uninterrupted.model)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    assert seen == whole[2:]
    assert digest(resumed.model) == digest(uninterrupted.model)
    tokens = torch.arange(30, 40)[None]
    with torch.no_grad():
        expected = resumed.model(tokens).logits
        whole_model = merged(resumed.model)
        whole_model.save_pretrained(tmp_path / "model")
        found = AutoModelForCausalLM.from_pretrained(tmp_path / "model")(tokens).logits
        untrained = AutoModelForCausalLM.from_pretrained(tiny_model)(tokens).logits
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert (found - untrained).abs().max() > 1e-3


def test_a_second_run_in_the_same_place_is_refused_not_mixed(tiny_model, tmp_path):
    first, _ = trainer(tiny_model, tmp_path, "grpo", "one step a batch", 2)
    first.train()
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    second, seen = trainer(tiny_model, tmp_path, "grpo", "one step a batch", 2)
    with pytest.raises(ConfigError, match=r"holds checkpoints of an earlier run \(checkpoint-2, checkpoint-1\)"):
        second.train()
    assert seen == []
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == kept


def test_the_trainer_itself_takes_no_damaged_checkpoint(tiny_model, tmp_path, caplog):
    first, whole = trainer(tiny_model, tmp_path, "grpo", "one step a batch", 2)
    first.train()
    (tmp_path / "checkpoint-2" / "optimizer.pt").unlink()
    again, seen = trainer(tiny_model, tmp_path, "grpo", "one step a batch", 2)
    with pytest.raises(CheckpointError, match=r"optimizer\.pt is missing"):
        again.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    with caplog.at_level(logging.WARNING, "alft"):
        again.train(resume_from_checkpoint=True)
    assert any("skipped a damaged checkpoint" in message for message in caplog.messages)
    assert seen == whole[1:]
    assert digest(again.model) == digest(first.model)
    assert checkpoint.damage(tmp_path / "checkpoint-2") is None
    empty, _ = trainer(tiny_model, tmp_path / "empty", "grpo", "one step a batch", 2)
    with pytest.raises(CheckpointError, match="there is no checkpoint to resume from"):
        empty.train(resume_from_checkpoint=True)


def test_steps_end_where_a_generation_cycle_ends(tiny_model, tmp_path, caplog):
    cycle = "four steps a batch, twice"
    with pytest.raises(ConfigError, match="12 steps end inside a generation cycle of 8 — set it to 8 or 16"):
        trainer(tiny_model, tmp_path, "grpo", cycle, 8, settings={"max_steps": 12})
    with caplog.at_level(logging.WARNING, "alft"):
        trainer(tiny_model, tmp_path, "grpo", cycle, 8, settings={"save_steps": 3})
    assert "checkpoints wait for the next multiple of 8 steps" in caplog.text


@pytest.mark.parametrize("limit", [None, 1])
def test_the_best_model_is_found_at_the_end(tiny_model, tmp_path, limit):
    """transformers names the place where a checkpoint is written, from which it is then moved."""
    asked = to_dataset([Question(f"e{i}", (View(f"{i} a", "one"), View(f"{i} b", "two")), None) for i in range(2)])
    scores = itertools.chain([0.9, 0.5], itertools.repeat(0.1))
    settings = {
        "load_best_model_at_end": True,
        "metric_for_best_model": "told",
        "greater_is_better": True,
        "eval_strategy": "steps",
        "eval_steps": 1,
        "per_device_eval_batch_size": 16,
        "save_total_limit": limit,
        "save_steps": 1,
    }
    one, _ = trainer(tiny_model, tmp_path, "grpo", "one step a batch", 3, settings=settings, eval_dataset=asked)
    one.evaluate = lambda *_, **__: {"eval_told": next(scores)}
    one.train()
    best = tmp_path / "checkpoint-1"
    assert one.state.best_model_checkpoint == str(best)
    assert digest(one.model) == saved_weights(best)
    assert checkpoint.damage(best) is None


def test_a_resume_keeps_what_is_in_the_watch_folder_and_takes_a_watch_that_is_new(tiny_model, tmp_path, caplog):
    """Folder and output_dir may be one; a checkpoint without a watch begins it there."""
    cycle = "one step a batch"
    trainer(tiny_model, tmp_path, "grpo", cycle, 2)[0].train()
    with caplog.at_level(logging.WARNING):
        one = trainer(tiny_model, tmp_path, "grpo", cycle, 3, callbacks=[collapse_watch(tmp_path, every=1)])[0]
        one.train(resume_from_checkpoint=True)
    assert "was made without this watch, which begins here" in caplog.text
    (tmp_path / "notes.txt").write_text("mine")
    again = trainer(tiny_model, tmp_path, "grpo", cycle, 4, callbacks=[collapse_watch(tmp_path, every=1)])[0]
    again.train(resume_from_checkpoint=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert {"checkpoint-2", "checkpoint-3", "checkpoint-4", "step-3", "step-4"} <= {
        p.name for p in tmp_path.iterdir()
    }


def test_a_checkpoint_without_its_optimizer_is_not_resumed(tiny_model, tmp_path):
    one, _ = trainer(tiny_model, tmp_path, "grpo", "one step a batch", 1, settings={"save_only_model": True})
    one.train()
    with pytest.raises(CheckpointError, match="without the state of its optimizer"):
        trainer(tiny_model, tmp_path, "grpo", "one step a batch", 2)[0].train(resume_from_checkpoint=True)


def test_another_game_does_not_resume(tiny_model, tmp_path):
    trainer(tiny_model, tmp_path, "grpo", "one step a batch", 1)[0].train()
    other, _ = trainer(tiny_model, tmp_path, "grpo", "one step a batch", 2)
    other.parts[0] = JsonPart("played", Played(Scoring(games.Agreement()), other.train_dataset))
    told = r"other settings \(game.*Geometric.*, now .*Agreement.*\) — use the same"
    with pytest.raises(ConfigError, match=told):
        other.train(resume_from_checkpoint=True)


def test_other_settings_or_other_rows_do_not_resume():
    def played(game, prompt="p", **scoring):
        rows = {"prompt": [prompt], "question_id": ["a"], "view": [0], "answer": ["4"]}
        return Played(Scoring(game, **scoring), Dataset.from_dict(rows))

    state = json.loads(json.dumps(played(games.TsallisDiversity(1.5)).state_dict()))
    others = {
        r"scoring\.game\.alpha: 1\.5, now 3\.0": played(games.TsallisDiversity(3.0)),
        r"unread_penalty: 0\.5, now 9": played(games.TsallisDiversity(1.5), unread_penalty=9.0),
        "baseline": played(games.TsallisDiversity(1.5), baseline="none"),
        r"estimator\.cap": played(games.TsallisDiversity(1.5), estimator=Estimator(cap=0.1)),
        "compare": played(games.TsallisDiversity(1.5), compare="traces"),
        "rows": played(games.TsallisDiversity(1.5), "another prompt"),
    }
    played(games.TsallisDiversity(1.5)).load_state_dict(state)
    old = {name: state[name] for name in ("game", "beta", "questions")}  # what earlier versions recorded
    for told, other in others.items():
        with pytest.raises(ConfigError, match=told):
            other.load_state_dict(state)
        other.load_state_dict(old)
    weighted = [games.Sum((1.0, games.TsallisDiversity(alpha)), (1.0, games.Collision())) for alpha in (1.5, 3.0)]
    with pytest.raises(ConfigError, match=r"alpha: 1\.5, now 3"):
        played(weighted[1]).load_state_dict(json.loads(json.dumps(played(weighted[0]).state_dict())))
