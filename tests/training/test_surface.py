"""What `alft train` can be asked for beside its defaults: RLOO, adapters, bfloat16, steps a batch, vLLM."""

import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from alft.config.schema import LoraConfig, ModelConfig
from alft.config.training import VllmConfig
from alft.errors import ConfigError, RunInterrupted
from alft.models.loading import adapter, computing_in, load_model, saved_in, seed_of, spread
from alft.plan.plan import Start
from alft.reporting.cards import public_name
from alft.training import execution, loop
from alft.training.faithful import faithful_config, faithful_rloo_config
from alft.training.loop import trl_config, vllm_settings
from tests.bad_inputs.test_training import PoisonedGuard, silent, tiny_plan

LIMIT = "constraints=[{regex: '[a-zA-Z]', at_most: 0.0}]"  # has an effect although the model marks no answer
LORA = "lora={rank: 2, alpha: 4.0}"


def weights(place: Path) -> torch.Tensor:
    model = AutoModelForCausalLM.from_pretrained(place)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    return torch.cat([parameter.detach().reshape(-1) for parameter in model.parameters()])


def test_rloo_with_several_steps_a_batch(tiny_model, tmp_path):
    settings = ["training.trainer=rloo", "training.steps_per_generation=2", "training.num_iterations=2"]
    plan = tiny_plan(tmp_path, tiny_model, *settings, "training.steps=8", LIMIT)
    with pytest.warns(UserWarning, match="num_iterations=2 .exact: 1., steps_per_generation=2 above gradient_acc"):
        result = silent(plan)
    training = result.results["training"]
    assert (training["trainer"], training["steps"], training["completions"]) == ("rloo", 8, 32)
    assert not torch.equal(weights(result.directory / "model"), weights(tiny_model))


def test_small_steps_are_not_lost_in_sixteen_bits(tiny_model, tmp_path):
    """At a learning rate of 1e-6 nearly every weight with a gradient moves, in float32 and in bfloat16."""
    moved = {}
    for dtype in ("float32", "bfloat16"):
        settings = [f"model.dtype={dtype}", f"output.name={dtype}", "training.learning_rate=1.0e-6", LIMIT]
        plan = tiny_plan(tmp_path, tiny_model, *settings)
        moved[dtype] = weights(silent(plan).directory / "model") - weights(tiny_model)
    changed = {dtype: (delta != 0).sum().item() for dtype, delta in moved.items()}
    assert changed["bfloat16"] > 0.9 * changed["float32"] > 1000
    assert not torch.equal(moved["float32"], moved["bfloat16"])  # it does compute in bfloat16


@pytest.mark.parametrize("saved", ["float32", "bfloat16"])
def test_a_trained_model_is_measured_as_it_is_saved(tiny_model, tmp_path, monkeypatch, saved):
    """Small steps are less than a bfloat16 can hold: computed in 16 bits, float32 weights would lose them."""
    asked, computed = torch.tensor([[5, 6, 7]]), []

    @contextmanager
    def seen(dtype, model):
        with computing_in(dtype, model):
            computed.append((dtype, model(asked).logits.float().clone() if dtype == saved else None))
            yield

    monkeypatch.setattr(execution, "computing_in", seen)
    plan = tiny_plan(tmp_path, tiny_model, "model.dtype=bfloat16", f"output.dtype={saved}", LIMIT)
    model = AutoModelForCausalLM.from_pretrained(silent(plan).directory / "model")
    with torch.no_grad(), computing_in(saved, model):
        assert torch.equal(computed[-1][1], model(asked).logits.float())
    assert computed[-1][0] == saved
    assert {dtype for dtype, _ in computed[:-1]} <= {"bfloat16"}  # while it trains, as it trains


@pytest.fixture(scope="module")
def adapted(tiny_model, tmp_path_factory):
    return silent(tiny_plan(tmp_path_factory.mktemp("lora"), tiny_model, LORA, LIMIT)).directory


def test_an_adapter_is_given_alone_and_merged(tiny_model, adapted):
    base: Any = AutoModelForCausalLM.from_pretrained(tiny_model)
    tokens = torch.arange(30, 40)[None]
    with torch.no_grad():
        before = base(tokens).logits
        alone = PeftModel.from_pretrained(base, str(adapted / "adapter"))(tokens).logits
        merged = AutoModelForCausalLM.from_pretrained(adapted / "model")(tokens).logits
    torch.testing.assert_close(alone, merged, atol=1e-5, rtol=1e-5)
    assert (alone - before).abs().max() > 1e-4


def test_a_run_with_an_adapter_goes_on_to_the_same_bits(tiny_model, adapted, tmp_path, monkeypatch):
    see = loop.Loop._see

    def asked_to_stop(self: Any, step: int, rows: Any, batch: Any) -> None:
        see(self, step, rows, batch)
        if step == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    plan = tiny_plan(tmp_path, tiny_model, LORA, LIMIT)
    with monkeypatch.context() as patch:
        patch.setattr(loop.Loop, "_see", asked_to_stop)
        with pytest.raises(RunInterrupted, match="stopped after step 2"):
            silent(plan)
    assert silent(plan, Start.RESUME).results["training"]["steps"] == 4
    assert torch.equal(weights(plan.directory / "model"), weights(adapted / "model"))


def test_an_adapter_that_broke_is_given_back_as_it_was(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr("alft.training.loop.GradientGuard", PoisonedGuard)
    result = silent(tiny_plan(tmp_path, tiny_model, LORA, LIMIT, "watch.every=4"))
    assert result.results["training"]["restored_step"] == 0
    assert result.results["after"] == result.results["before"]
    assert torch.equal(weights(result.directory / "model"), weights(tiny_model))  # a fresh adapter changes nothing


def test_the_model_card_tells_how_and_no_local_path(adapted, tmp_path_factory):
    card = (adapted / "model" / "README.md").read_text()
    shown = [
        "LoRA, rank 2",
        "computed in float32, saved in float32",
        "TRL's GRPO, 4 steps",
        "questions.jsonl (sha256 of what was read",
        "| before | after |",
    ]
    assert all(part in card for part in shown)
    assert str(tmp_path_factory.getbasetemp()) not in card
    assert "base_model" not in card  # the Hub does not know a local directory
    assert public_name("Qwen/Qwen2.5-1.5B") == "Qwen/Qwen2.5-1.5B"
    assert public_name("/home/me/secret/model") == "model"


def test_vllm_is_handed_to_trl_and_refused_without_a_gpu(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr("alft.plan.plan.find_spec", lambda name: name)
    monkeypatch.setattr("alft.training.run.load_model", lambda config: pytest.fail("the model was loaded"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    plan = tiny_plan(tmp_path, tiny_model, "training.vllm={mode: server, server_base_url: 'http://h:1'}")
    with pytest.raises(ConfigError, match=r"training\.vllm: vLLM needs a GPU, and there is none"):
        silent(plan)
    assert not plan.directory.exists()
    chosen = vllm_settings(VllmConfig(mode="server", server_base_url="http://h:1"))
    for make in (faithful_config, faithful_rloo_config):
        args = make(output_dir=str(tmp_path), bf16=False, use_cpu=True, **chosen)
        assert (args.use_vllm, args.vllm_mode, args.vllm_server_base_url) == (True, "server", "http://h:1")
        assert args.vllm_gpu_memory_utilization == 0.3


def test_settings_for_ones_own_script_fit_a_machine_without_a_gpu(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    for make in (faithful_config, faithful_rloo_config):
        args = make(output_dir=str(tmp_path))
        assert (args.use_cpu, args.bf16) == (True, False)


def test_settings_reach_trl(tiny_model, tmp_path):
    settings = ["training.steps_per_generation=2", "training.micro_batch_size=4", "model.dtype=bfloat16"]
    args = trl_config(tiny_plan(tmp_path, tiny_model, *settings), tmp_path)
    assert (args.per_device_train_batch_size, args.gradient_accumulation_steps) == (4, 2)
    assert (args.generation_batch_size, args.steps_per_generation, args.bf16) == (16, 4, True)
    assert adapter(None) is None
    assert adapter(LoraConfig(rank=3, target_modules=["q_proj"])).target_modules == {"q_proj"}


@pytest.fixture(scope="module")
def in_16_bits(tiny_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("halved") / "model"
    AutoModelForCausalLM.from_pretrained(tiny_model).to(torch.bfloat16).save_pretrained(path)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(path)
    return path


@pytest.mark.parametrize(
    ("settings", "saved"),
    [
        (["model.dtype=bfloat16"], torch.bfloat16),
        (["model.dtype=bfloat16", "output.dtype=float32"], torch.float32),
        (["model.dtype=float32"], torch.float32),
        (["model.dtype=bfloat16", LORA], torch.float32),
    ],
)
def test_a_model_is_saved_in_the_precision_that_training_saw(
    in_16_bits, tmp_path, monkeypatch, caplog, settings, saved
):
    """Of a 16-bit checkpoint: computed in bfloat16, its steps count once they reach the next number."""
    measured = []

    @contextmanager
    def seen(dtype, model):
        with computing_in(dtype, model):
            measured.append(dtype)
            yield

    monkeypatch.setattr(execution, "computing_in", seen)
    done = silent(tiny_plan(tmp_path, in_16_bits, *settings, "training.learning_rate=1.0e-5", LIMIT))
    model = AutoModelForCausalLM.from_pretrained(done.directory / "model", dtype="auto")
    assert {parameter.dtype for parameter in model.parameters()} == {saved}
    assert f"torch.{measured[-1]}" == str(saved)
    assert ("another one in float32" in caplog.text) == ("output.dtype=float32" in settings)


def test_what_was_measured_is_what_a_reload_says(in_16_bits, tmp_path, monkeypatch):
    """Rounding the weights leaves alone what a model computes from its configuration, as rotary frequencies."""
    asked, said = torch.arange(5, 200)[None], []
    own = execution.Execution._evaluate

    def evaluate(self, model, phase):
        with torch.no_grad(), computing_in("bfloat16", model):
            said.append(model(asked).logits)
        return own(self, model, phase)

    monkeypatch.setattr(execution.Execution, "_evaluate", evaluate)
    done = silent(tiny_plan(tmp_path, in_16_bits, "model.dtype=bfloat16", "training.learning_rate=1.0e-2", LIMIT))
    again, _ = load_model(ModelConfig(path=str(done.directory / "model"), dtype="bfloat16"))
    with torch.no_grad(), computing_in("bfloat16", again):
        assert torch.equal(again(asked).logits, said[-1])
    assert not torch.equal(said[0], said[-1])


def test_what_was_not_computed_in_16_bits_is_saved_in_float32(in_16_bits, tiny_model):
    """As offline, where steps are computed in float32, and checkpoints whose weights lie anywhere."""
    chosen = [ModelConfig(path=str(path)) for path in (in_16_bits, tiny_model)]
    assert [saved_in(model, "bfloat16", adapter=False) for model in chosen] == ["bfloat16", "float32"]
    assert saved_in(chosen[0], "float32", adapter=False) == "float32"


def test_spread_weights_are_the_same_model_in_16_bits_and_move_at_once(in_16_bits):
    """A step of a tenth of a grid space changes no weight of the checkpoint, a tenth of those that are spread."""
    start, moved = (AutoModelForCausalLM.from_pretrained(in_16_bits, dtype=torch.float32) for _ in range(2))
    with torch.no_grad():
        start.get_input_embeddings().weight[0, :4] = torch.tensor([0.0, 0.5, -1.0, 1.0])
    moved.load_state_dict(start.state_dict())
    spread(moved, seed=3)
    again = AutoModelForCausalLM.from_pretrained(in_16_bits, dtype=torch.float32)
    again.load_state_dict(start.state_dict())
    spread(again, seed=3)
    changed, weights = [0, 0], 0
    for one, other, same in zip(start.parameters(), moved.parameters(), again.parameters(), strict=True):
        assert torch.equal(one.bfloat16(), other.bfloat16())
        assert torch.equal(other, same)
        step = torch.ldexp(torch.full_like(one, 0.1), torch.frexp(one).exponent - 8)
        changed[0] += int(((one + step).bfloat16() != one.bfloat16()).sum())
        changed[1] += int(((other + step).bfloat16() != other.bfloat16()).sum())
        weights += one.numel()
    assert changed[0] < 0.01 * weights
    assert changed[1] == pytest.approx(0.1 * weights, rel=0.1)


def test_each_round_of_training_spreads_otherwise():
    seeds = [seed_of(digest, seed) for digest in ("a", "b", None) for seed in (0, 1)]
    assert len(set(seeds)) == len(seeds)
    assert seed_of("a", 0) == seeds[0]


def test_a_run_of_a_16_bit_checkpoint_is_resumed_to_the_same_bits(in_16_bits, tmp_path):
    settings = ["model.dtype=bfloat16", "training.learning_rate=1.0e-3", "training.checkpoint_every=1", LIMIT]
    whole = silent(tiny_plan(tmp_path, in_16_bits, *settings, "output.name=whole"))
    plan = tiny_plan(tmp_path, in_16_bits, *settings, "output.name=part")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Loop, "_see", lambda self, *_: setattr(self.request, "signal", signal.SIGTERM))
        with pytest.raises(RunInterrupted):
            silent(plan)
    resumed = silent(plan, Start.RESUME)
    places = (resumed.directory / "model", whole.directory / "model", in_16_bits)
    ours, theirs, start = (load_file(place / "model.safetensors") for place in places)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert not all(torch.equal(ours[name], start[name]) for name in start)
