"""Prompts read once: what TRL finds by reading them for every completion, and when they are left to it."""

from typing import Any

import pytest
import torch
from peft import PromptTuningConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from alft import games
from alft.models.shared import LONGEST, Together, most_tokens
from alft.questions import Question, View
from alft.training import prompts as module
from alft.training.dataset import to_dataset
from tests.training.conftest import QUIET
from tests.training.test_resume import KINDS, digest
from tests.training.test_resume import trainer as resumable

pytestmark = pytest.mark.usefixtures("readable")
LONG = "of these words there are many, as in a prompt with examples: "
SAMPLES, NEW = 4, 6


def trainer(
    path: Any, tmp_path: Any, share: bool, kind: str = "grpo", attention: str = "sdpa", **settings: Any
) -> Any:
    make, config = KINDS[kind]
    asked = [Question(f"q{i}", tuple(View(LONG + f"{'x' * 3 * i}{v}", v) for v in "ab"), "1") for i in range(3)]
    model = path if isinstance(path, torch.nn.Module) else AutoModelForCausalLM.from_pretrained(path)
    model.set_attn_implementation(attention)
    usual = {
        "output_dir": str(tmp_path),
        "max_steps": 2,
        "per_device_train_batch_size": 16,
        "num_generations": SAMPLES,
        "max_completion_length": NEW,
        "learning_rate": 1e-2,
        **QUIET,
    }
    made = make(
        model=model,
        game=games.Coherence("geometric"),
        args=config(**{**usual, **settings}),
        train_dataset=to_dataset(asked),
        processing_class=AutoTokenizer.from_pretrained(made_by(path)),
        share_prompts=share,
    )
    made.model.train()
    made.current_gradient_accumulation_steps = 1
    return made


def made_by(path: Any) -> Any:
    return path.tokenizer_path if isinstance(path, torch.nn.Module) else path


@pytest.fixture
def spied(monkeypatch):
    """Widths of the batches that are read together."""
    seen: list[int] = []
    own = Together.log_probs

    def spy(self, *args):
        seen.append(len(self.completions))
        return own(self, *args)

    monkeypatch.setattr(Together, "log_probs", spy)
    return seen


def batch_of(trainer: Any) -> dict[str, Any]:
    """A batch of completions of different lengths, some the same, with what TRL makes of them."""
    torch.manual_seed(3)
    inputs = [trainer.train_dataset[i] for i in (0, 1, 4, 5) for _ in range(SAMPLES)]
    output = trainer._generate_and_score_completions(inputs)
    output["completion_ids"][1] = output["completion_ids"][0]
    output["completion_mask"] = (torch.arange(NEW) < torch.arange(16)[:, None] % (NEW + 1)).int()
    output["completion_mask"][1] = output["completion_mask"][0] = 1
    output["advantages"] = torch.linspace(-1, 1, 16)
    return output


def gradient(trainer: Any, batch: dict[str, Any]) -> tuple[float, torch.Tensor]:
    trainer.model.zero_grad()
    loss = trainer._compute_loss(trainer.model, dict(batch))
    loss.backward()
    return loss.item(), torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None])


@pytest.mark.parametrize(("kind", "attention"), [("grpo", "sdpa"), ("grpo", "eager"), ("rloo", "sdpa")])
def test_loss_and_gradient_are_those_of_trl(tiny_model, tmp_path, spied, kind, attention):
    apart, together = (trainer(tiny_model, tmp_path, share, kind, attention) for share in (False, True))
    batch = batch_of(apart)
    spied.clear()
    (expected_loss, expected), (loss, found) = gradient(apart, batch), gradient(together, batch)
    assert spied == [16]
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6 * float(expected.abs().max()))


def test_log_probs_and_entropies_are_those_of_trl_in_parts_too(tiny_model, tmp_path, spied):
    apart, together = (trainer(tiny_model, tmp_path, share) for share in (False, True))
    batch = batch_of(apart)
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    assert batch["prompt_mask"].min() == 0  # prompts of different lengths
    spied.clear()
    for size in (None, 12):
        given = apart.model, ids, mask, NEW, size, True
        expected, found = (each._get_per_token_logps_and_entropies(*given) for each in (apart, together))
        for ours, theirs in zip(found[:2], expected[:2], strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    assert spied == [16, 12, 4]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stop", [None, ["a"]])
def test_completions_are_drawn_as_trl_draws_them(tiny_model, tmp_path, monkeypatch, kind, stop):
    """Where the draw is a rule that both loops ask, the completions are the same."""
    calls = []

    def draw(probs, *_, **__):
        first = not calls
        calls.append(len(probs))
        likely = probs.topk(SAMPLES).indices
        return likely[torch.arange(len(probs)), torch.arange(len(probs)) % SAMPLES * first][:, None]

    monkeypatch.setattr(torch, "multinomial", draw)
    found = []
    for share in (False, True):
        calls.clear()
        settings = {"generation_kwargs": {"stop_strings": stop}} if stop else {}
        one = trainer(tiny_model, tmp_path, share, kind, **settings)
        output = one._generate_and_score_completions(
            [one.train_dataset[i] for i in (0, 1, 4, 5) for _ in range(SAMPLES)]
        )
        rows = zip(output["completion_ids"], output["completion_mask"], strict=True)
        found.append([ids[mask == 1].tolist() for ids, mask in rows])
        assert one.model.training
        assert "generate" not in vars(one.model)
    assert found[0] == found[1]
    assert len({tuple(row) for row in found[0]}) > 4


def test_sampling_is_repeated_by_the_random_state_that_a_checkpoint_keeps(tiny_model, tmp_path):
    one = trainer(tiny_model, tmp_path, True)
    asked = [one.train_dataset[i] for i in (0, 1, 4, 5) for _ in range(SAMPLES)]

    def drawn(seed):
        torch.manual_seed(seed)
        return one._generate_and_score_completions(asked)["completion_ids"].tolist()

    assert drawn(1) == drawn(1) != drawn(2)


@pytest.mark.parametrize(
    "settings", [{"temperature": 0.7}, {"top_k": 3}, {"generation_kwargs": {"renormalize_logits": True}}]
)
def test_other_sampling_is_left_to_trl(tiny_model, tmp_path, monkeypatch, settings):
    monkeypatch.setattr(module, "sample_tokens", lambda *_: pytest.fail("sampled by us"))
    with pytest.warns(UserWarning, match="change the game"):
        one = trainer(tiny_model, tmp_path, True, **settings)
    one._generate_and_score_completions([one.train_dataset[0]] * SAMPLES + [one.train_dataset[1]] * SAMPLES)


def test_a_resumed_run_is_the_uninterrupted_one(tiny_model, tmp_path):
    whole, _ = resumable(tiny_model, tmp_path, "grpo", "one step a batch", 3, share_prompts=True)
    whole.train()
    resumed, _ = resumable(tiny_model, tmp_path, "grpo", "one step a batch", 3, share_prompts=True)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))
    assert digest(resumed.model) == digest(whole.model)


def test_training_moves_as_with_trl_alone(tiny_model, tmp_path, monkeypatch, spied):
    """Two steps whose completions are the same, by a rule instead of a draw."""
    monkeypatch.setattr(torch, "multinomial", lambda probs, *_, **__: probs.argmax(dim=1, keepdim=True))
    ends = []
    for share in (False, True):
        one = trainer(tiny_model, tmp_path / str(share), share, beta=0.0)
        one._score = _scored(one)
        one.train()
        ends.append(torch.cat([p.detach().flatten() for p in one.model.parameters()]))
    start = torch.cat([p.flatten() for p in AutoModelForCausalLM.from_pretrained(tiny_model).parameters()])
    assert spied
    assert (ends[0] - start).abs().max() > 1e-3
    torch.testing.assert_close(ends[1], ends[0], rtol=0, atol=1e-4)


def _scored(one: Any) -> Any:
    """The game's score of a batch, with advantages that are not all 0 where completions are alike."""
    own = one._score

    def score(rows):
        batch = own(rows)
        batch.advantages[:] = torch.linspace(-1, 1, len(batch.advantages)).numpy()
        return batch

    return score


def positioned(path: Any) -> Any:
    """A model that learns places: padding before a prompt moves them, as TRL asks."""
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=258, n_embd=16, n_layer=2, n_head=2, initializer_range=0.5))
    model.tokenizer_path = path
    return model


def windowed(path: Any) -> Any:
    """A model that looks back a few tokens only."""
    config = Qwen2Config.from_pretrained(path, use_sliding_window=True, sliding_window=8, max_window_layers=0)
    config.layer_types = ["sliding_attention"]
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(config)
    model.tokenizer_path = path
    return model


@pytest.mark.parametrize("make", [windowed, positioned])
def test_a_model_that_gives_something_else_is_left_to_trl_and_it_is_said(tiny_model, tmp_path, spied, make):
    apart, together = (trainer(make(tiny_model), tmp_path, share) for share in (False, True))
    together.model.load_state_dict(apart.model.state_dict())
    batch = batch_of(apart)
    with pytest.warns(UserWarning, match="share_prompts: log-probabilities differ by"):
        found = gradient(together, batch)
    assert found[0] == gradient(apart, batch)[0]
    assert spied == []
    assert together._shared.state_dict()["refused"]  # a run that is resumed goes on without


def test_a_batch_without_a_token_to_train_is_no_reason_to_refuse(tiny_model, tmp_path):
    one = trainer(tiny_model, tmp_path, True)
    batch = batch_of(one)
    batch["completion_mask"][:] = 0
    one._compute_loss(one.model, batch)
    assert not one._shared.refused


def test_the_longest_completion_with_a_token_is_asked_about(tiny_model, tmp_path, spied):
    one = trainer(windowed(tiny_model), tmp_path, True)
    batch = batch_of(one)
    batch["completion_mask"][:] = torch.ones(16, NEW)
    batch["completion_mask"][8:] = 0  # of the longer prompts, as TRL masks what was cut off
    with pytest.warns(UserWarning, match="share_prompts: log-probabilities differ by"):
        gradient(one, batch)
    assert spied == []


def test_what_is_known_before_is_refused_before_anything_is_sampled(tiny_model, tmp_path):
    with pytest.warns(UserWarning, match="share_prompts: the model is compiled"):
        assert trainer(tiny_model, tmp_path, True, torch_compile=True)._shared.refused
    one = trainer(tiny_model, tmp_path, False)
    one.model = get_peft_model(one.model, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2))
    with pytest.warns(UserWarning, match="share_prompts: the adapter is put before the prompt"):
        assert module.SharedPrompts(one).refused


def test_out_of_memory_is_no_answer_of_the_model(tiny_model, tmp_path, monkeypatch):
    """The caller halves its batch then."""
    one = trainer(tiny_model, tmp_path, True)
    batch = batch_of(one)

    def full(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("alft.models.shared._trained", full)
    one._shared.asked = [0, 0]
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        gradient(one, batch)
    assert not one._shared.refused


def test_modules_keep_the_mode_that_they_were_in(tiny_model, tmp_path):
    one = trainer(tiny_model, tmp_path, True)
    still = one.model.get_submodule("model.layers.0").eval()
    gradient(one, batch_of(one))
    assert one.model.training
    assert not still.training


def test_a_checkpoint_of_an_earlier_version_is_resumed(tiny_model, tmp_path):
    whole, _ = resumable(tiny_model, tmp_path, "grpo", "one step a batch", 2)
    whole.train()
    resumed, seen = resumable(tiny_model, tmp_path, "grpo", "one step a batch", 2, share_prompts=True)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))
    assert len(seen) == 1


def test_divided_weights_are_left_to_trl_and_it_is_said(tiny_model, tmp_path):
    one = trainer(tiny_model, tmp_path, False)
    one.is_fsdp_enabled = True
    with pytest.warns(UserWarning, match="share_prompts: DeepSpeed and FSDP divide the weights"):
        assert module.SharedPrompts(one).refused


def test_a_batch_that_would_not_get_smaller_is_left_to_trl(tiny_model, tmp_path, monkeypatch, spied):
    """Of completions so long that each has a sequence of its own."""
    one = trainer(tiny_model, tmp_path, True)
    monkeypatch.setattr("alft.models.shared.LONGEST", 64)
    batch = batch_of(one)
    spied.clear()
    gradient(one, batch)
    assert spied == []


def test_old_and_new_log_probs_are_of_one_kind(tiny_model, tmp_path, spied):
    """Also in parts of a batch that share nothing: with learning rate 0 their ratio is 1."""
    settings = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 8}
    one = trainer(tiny_model, tmp_path, True, "rloo", **settings)
    batch = batch_of(one)
    assert spied == [2] * 8
    apart = {name: value[::8] for name, value in batch.items() if torch.is_tensor(value) and value.dim()}
    spied.clear()
    one._compute_loss(one.model, apart)
    assert spied == [2]


@pytest.mark.parametrize(
    ("prompt", "completion", "samples"), [(60, 6, 8), (100, 300, 8), (20, 2000, 4), (7, 1, 700)]
)
def test_no_sequences_hold_more_tokens_than_counted(prompt, completion, samples):
    asked = [(1,) * prompt] * samples
    made = Together.of(asked, [(number,) * completion for number in range(samples)])
    read = sum(len(each["input_ids"]) for each in made.sequences)
    assert read <= most_tokens(prompt, completion, samples) <= read + len(made.sequences) + LONGEST
