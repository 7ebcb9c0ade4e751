"""What a dry run says a run costs, against the model itself and against counting by hand."""

import inspect
import json
from bisect import bisect_left
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from transformers import AutoModelForCausalLM

from alft.config.load import dump_config
from alft.config.schema import LoraConfig, ModelConfig
from alft.errors import ConfigError
from alft.models import loading, size
from alft.models.loading import adapter
from alft.models.size import PROBED, model_size
from alft.offline.trainer import Training
from alft.plan import plan as plan_module
from alft.plan.build import load_plan
from alft.plan.plan import Start
from alft.verbs import cost, distill
from alft.verbs.asking import check_room
from alft.verbs.train import planned
from tests.cli.test_cli import alft as command


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "q.jsonl"
    rows = [
        {"id": f"q{n}", "question": f"{n} + 1?", "answer": str(n + 1), "views": [f"so {n}?"]} for n in range(10)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [f"data.path={path}", f"output.directory={tmp_path}", "game=agreement", "training.max_new_tokens=7"]


@pytest.fixture
def small(settings, tiny_model):
    return [*settings, f"model.path={tiny_model}", "training.questions_per_step=2", "training.samples=4"]


def kept_by(network, rows):
    """Bytes that autograd keeps of a forward pass of the loaded model, weights apart."""
    weights = {each.untyped_storage().data_ptr() for each in network.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        network.train()(input_ids=torch.ones(rows, PROBED, dtype=torch.long), use_cache=False)
    return sum(each.nbytes() for place, each in kept.items() if place not in weights)


@pytest.mark.parametrize("lora", [None, LoraConfig(rank=4)])
def test_the_size_is_that_of_the_loaded_model(tiny_model, lora):
    found = model_size(ModelConfig(path=str(tiny_model)), lora)
    network = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    known = network.config
    if lora is not None:
        from peft import get_peft_model

        network = get_peft_model(network, adapter(lora))
    assert found.weights == 4 * sum(each.numel() for each in network.parameters())
    assert found.trained == 4 * sum(each.numel() for each in network.parameters() if each.requires_grad)
    heads, width = known.num_key_value_heads, known.hidden_size // known.num_attention_heads
    assert found.cache == 4 * 2 * known.num_hidden_layers * heads * width
    assert found.logits == 4 * known.vocab_size
    assert 0.7 < kept_by(network, 3) / (3 * PROBED * found.kept) < 1.1


@pytest.mark.parametrize(
    ("layers", "wrong"),
    [
        ("nope", "'nope'"),
        ([], "[]"),
        (["q_proj", "nope"], "['nope']"),
        ("q_proj", "'q_proj'"),
        ("(", "'('"),
        ([""], "['']"),
    ],
)
def test_layers_that_a_model_does_not_have_are_an_error(tiny_model, layers, wrong):
    with pytest.raises(ConfigError) as told:
        model_size(ModelConfig(path=str(tiny_model)), LoraConfig(target_modules=layers))
    said = f"lora.target_modules: {wrong} names no layer that can be adapted — write all-linear, or a list of "
    assert str(told.value).startswith(said)
    assert "o_proj, q_proj" in str(told.value)


@pytest.mark.parametrize("layers", ["all-linear", r".*\.[qv]_proj", ["self_attn.q_proj", "down_proj"]])
def test_layers_that_a_model_has_are_adapted(tiny_model, layers):
    model = ModelConfig(path=str(tiny_model))
    assert 0 < model_size(model, LoraConfig(target_modules=layers)).trained < model_size(model).trained


@pytest.mark.parametrize("chosen", ["lora.target_modules=nope", "lora.rank=100000000"])
def test_an_adapter_of_the_built_in_model_is_checked_before_it_is_measured(settings, chosen):
    with pytest.raises(ConfigError, match=chosen.partition("=")[0]):
        cost.sized(load_plan(None, [*settings, chosen]))


def test_no_weight_has_a_value(tiny_model):
    network = model_size(ModelConfig(path=str(tiny_model))).network
    assert {each.device.type for each in network.parameters()} == {"meta"}


def test_tokens_are_counted(settings):
    """8 questions of 2 views to train on, 2 held out; 6 steps are 3 batches of 4 × 2 × 5 completions."""
    chosen = [
        "training.steps=6",
        "training.num_iterations=2",
        "training.questions_per_step=4",
        "training.samples=5",
    ]
    probes = ["watch.every=2", "watch.probe_questions=1", "watch.probe_samples=3", "evaluation.samples=8"]
    plan = load_plan(None, [*settings, *chosen, *probes])
    measured, trained, probed = 2 * (2 * 2 * (8 + 1)), 3 * 4 * 2 * 5, (6 // 2 + 1) * 1 * 2 * 3
    assert cost._tokens(plan) == 7 * (measured + trained + probed)


def test_what_a_fixed_target_samples_is_counted(small):
    """3 steps of 2 of the 8 questions, 2 views each: the model is asked these 6 questions before training."""
    played = [*small, "game=coherence_fixed", "training.steps=3"]
    few, many = (cost.cost(load_plan(None, [*played, f"target.samples={n}"])) for n in (8, 50))
    assert many.tokens - few.tokens == 7 * 3 * 2 * 2 * (50 - 8)
    assert many.memory["measuring"]["logits"] > few.memory["measuring"]["logits"]


def test_a_smaller_forward_pass_needs_less_and_nothing_else_changes(small):
    small = [*small, "training.share_prompts=false"]
    whole, half = (cost.cost(load_plan(None, [*small, f"training.micro_batch_size={n}"])) for n in (16, 8))
    needed, halved = whole.memory["training"], half.memory["training"]
    for part, of in needed.items():
        share = 0.5 if part in ("activations", "logits") else 1.0
        if part != "gradients and optimizer":
            assert halved[part] == pytest.approx(share * of, abs=1)
    network = size.model_size(load_plan(None, small).config.model)
    made = max(network.trained - needed["activations"] - needed["logits"], 0)
    kept = halved["gradients and optimizer"] - needed["gradients and optimizer"]
    assert kept == network.trained - made  # gradients of the first half wait for those of the second
    assert (whole.tokens, whole.disk) == (half.tokens, half.disk)
    assert whole.memory["measuring"] == half.memory["measuring"]


@pytest.mark.parametrize(
    ("phase", "samples", "remedy"),
    [("training", 1, "lower training.micro_batch_size"), ("measuring", 5000, "lower evaluation.batch_size")],
)
def test_what_does_not_fit_is_an_error_with_the_remedy(monkeypatch, capsys, small, phase, samples, remedy):
    batches = ["evaluation.batch_size=5000", "training.micro_batch_size=16"]
    chosen = [*small, f"evaluation.samples={samples}", *batches]
    options = [part for each in chosen for part in ("--set", each)]
    needed = cost.cost(load_plan(None, chosen))
    assert needed.phase == phase
    monkeypatch.setattr(size, "free_memory", lambda: sum(needed.memory[phase].values()) + 1)
    assert command(monkeypatch, "train", "--dry-run", *options) == 0
    shown = capsys.readouterr().out
    assert f"tokens: up to {needed.tokens:,} to generate" in shown
    assert f", while {phase} (libraries 0.7 GB, weights " in shown
    monkeypatch.setattr(size, "free_memory", lambda: sum(needed.memory[phase].values()) - 1)
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=1))
    assert command(monkeypatch, "train", "--dry-run", *options) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"memory: {phase} needs about " in told
    assert remedy in told
    assert "disk: a run needs" in told


def test_a_model_that_is_not_here_has_tokens_only(monkeypatch, capsys, settings):
    options = [part for each in (*settings, "model.path=nobody/nothing") for part in ("--set", each)]
    assert command(monkeypatch, "train", "--dry-run", *options) == 0
    shown = capsys.readouterr().out
    assert "tokens: up to" in shown
    assert "memory:" not in shown


def test_prompts_that_cannot_work_are_an_error(small):
    with pytest.raises(ConfigError, match="tokens"):
        cost.cost(load_plan(None, [*small, "training.max_new_tokens=1000000"]))


def test_an_offline_run_samples_once_and_trains_whole_sequences(small):
    """8 questions of 2 views, 3 completions each; 2 questions are measured twice; 4 divides a batch of 12."""
    offline = [
        "game=coherence_geometric",
        "training.trainer=offline",
        "offline.samples=3",
        "offline.batch_size=12",
        "training.micro_batch_size=4",
    ]
    plan = load_plan(None, [*small, *offline, "evaluation.samples=8"])
    found = cost.cost(plan)
    assert found.tokens == 7 * (8 * 2 * 3 + 2 * 2 * (8 + 1) * 2)
    assert found.scored == 7 * 8 * 2 * 3 * 2
    assert f", up to {found.scored:,} to score (offline.scored)" in str(found)
    assert all(
        cost.cost(load_plan(None, [*small, *offline, without])).scored == 0
        for without in ("offline.scored=false", "offline.borrow=false")
    )
    shared = cost.cost(load_plan(None, [*small, *offline, "offline.share_prompts=true"]))  # 1,024 tokens in a pass
    assert shared.memory["training"]["activations"] > 2 * found.memory["training"]["activations"]
    assert found.memory["generating"]["optimizer"] == 0
    live = cost.cost(load_plan(None, [*small, "training.micro_batch_size=4"]))
    kept = "activations"
    assert found.memory["training"][kept] == live.memory["training"][kept]  # 4 rows of the same length in both


def test_open_batches_are_the_largest_that_fit(monkeypatch, small):
    small = [*small, "model.dtype=float32", "training.share_prompts=false"]
    plan = load_plan(None, small)  # 2 questions × 2 views × 4 samples
    assert cost.sized(plan) == plan
    needed = [
        sum(cost.cost(load_plan(None, [*small, f"training.micro_batch_size={n}"])).memory["training"].values())
        for n in (8, 4)
    ]
    monkeypatch.setattr(size, "free_memory", lambda: int(needed[0] / size.ROOM) - 1)
    assert cost.sized(plan).config.training.micro_batch_size == 4
    assert cost.cost(plan).batches == (4, plan.config.evaluation.batch_size)
    given = load_plan(None, [*small, "training.micro_batch_size=16"])
    assert cost.sized(given) == given
    monkeypatch.setattr(size, "free_memory", lambda: 0)
    smallest = cost.sized(plan).config
    assert (smallest.training.micro_batch_size, smallest.evaluation.batch_size) == (1, 1)


def test_prompts_that_are_read_once_need_less_where_a_batch_is_whole(small):
    """16 completions of 4 prompts: parts of a batch are mixed, and may share nothing."""
    asked = [f"training.micro_batch_size={n}" for n in (16, 8)]
    kept = {
        share: [
            cost.cost(load_plan(None, [*small, f"training.share_prompts={share}", each])).memory["training"]
            for each in asked
        ]
        for share in ("true", "false")
    }
    (whole, half), (apart, _) = kept["true"], kept["false"]
    assert whole["activations"] < 0.8 * apart["activations"]
    assert half["activations"] == pytest.approx(apart["activations"] / 2, abs=1)


def test_a_resumed_run_keeps_the_batches_that_it_began_with(monkeypatch, small):
    plan = load_plan(None, small)
    plan.directory.mkdir(parents=True)
    began = plan.config.training.model_copy(update={"micro_batch_size": 2})
    (plan.directory / "config.yaml").write_text(dump_config(plan.config.model_copy(update={"training": began})))
    monkeypatch.setattr(size, "free_memory", lambda: 0)
    resumed = cost.sized(plan, Start.RESUME).config
    assert (resumed.training.micro_batch_size, resumed.evaluation.batch_size) == (2, 1024)


@pytest.mark.parametrize(("began", "shared"), [("share_prompts: true", True), ("share_prompts: null", False)])
def test_a_resumed_run_reads_prompts_as_it_began(small, caplog, began, shared):
    """A run of an earlier version has no such setting, and read every prompt for every completion."""
    plan = load_plan(None, [*small, "training.share_prompts=true"])
    plan.directory.mkdir(parents=True)
    text = dump_config(plan.config)
    assert "share_prompts: true" in text
    (plan.directory / "config.yaml").write_text(text.replace("share_prompts: true", began))
    assert cost.sized(plan, Start.RESUME).config.training.share_prompts is shared
    assert ("training.share_prompts stays false" in caplog.text) is not shared


@pytest.mark.parametrize("asked", ["auto", "float32", "bfloat16"])
def test_what_is_computed_in_is_decided_once_and_kept_on_another_machine(monkeypatch, small, asked):
    plan = load_plan(None, [*small, f"model.dtype={asked}"])
    monkeypatch.setattr(loading, "precision", lambda model: "bfloat16")
    begun = cost.sized(plan).config
    assert begun.model.dtype == ("bfloat16" if asked == "auto" else asked)
    plan.directory.mkdir(parents=True)
    (plan.directory / "config.yaml").write_text(dump_config(begun))
    monkeypatch.setattr(loading, "precision", lambda model: "float32")
    assert cost.sized(plan, Start.RESUME).config.model == begun.model


def test_the_built_in_model_keeps_its_batches(monkeypatch):
    plan = load_plan()
    monkeypatch.setattr(size, "free_memory", lambda: 0)
    assert cost.sized(plan) == plan


def test_what_cannot_be_generated_at_once_is_an_error_with_a_remedy_that_works(
    monkeypatch, capsys, small, tmp_path
):
    plan = load_plan(None, [*small, "model.dtype=float32"])
    made, tokenizer = size.model_size(plan.config.model, trained=False), loading.load_tokenizer(plan.config.model)
    monkeypatch.setattr(size, "model_size", lambda *_, **__: made)
    monkeypatch.setattr(loading, "load_tokenizer", lambda _: tokenizer)

    def refused(rows, free, samples=1):
        monkeypatch.setattr(size, "free_memory", lambda: free)
        try:
            check_room(plan.config.changed(evaluation={"batch_size": rows}), plan.train, samples)
        except ConfigError as error:
            return str(error)
        return None

    enough = bisect_left(range(10**10), True, key=lambda free: refused(8, free) is None)
    told = refused(8, enough - 1)
    assert told is not None
    assert "generating 8 completions at once needs about" in told
    fits = int(told.rpartition("evaluation.batch_size=")[2])
    assert fits in (1, 2, 4)
    assert refused(fits, enough - 1) is None
    for samples in (3, 16):  # all of a prompt at once
        least = bisect_left(
            range(10**10), True, key=lambda free, samples=samples: refused(1, free, samples) is None
        )
        told = refused(1024, least, samples)
        assert told is not None
        fits = int(told.rpartition("evaluation.batch_size=")[2])
        assert fits >= samples
        assert refused(fits, least, samples) is None
        assert "fewer samples" in str(refused(fits, least - 1, samples))
    assert "a smaller model" in str(refused(1, 0))
    monkeypatch.setattr(size, "free_memory", lambda: 0)
    options = [part for each in small for part in ("--set", each)]
    assert command(monkeypatch, "sample", tmp_path / "s.parquet", "-n", 1, *options) == 2
    assert "memory: generating 16 completions at once" in " ".join(capsys.readouterr().err.split())


def test_distilling_takes_as_many_at_once_as_fit(monkeypatch, small):
    offline = ["training.trainer=offline", "game=coherence_geometric", "offline.batch_size=12"]
    plan = load_plan(None, [*small, *offline, "model.dtype=float32"])
    samples: Any = SimpleNamespace(provenance=SimpleNamespace(sampling={"max_new_tokens": 7}))
    monkeypatch.setattr("alft.verbs.distill.questions_of", lambda samples: plan.train)
    fitting = inspect.unwrap(distill.fitting)  # without the checks of types that tests have
    training = Training(batch_size=12)
    assert fitting(training, plan.config.model, samples).forward == 12
    needed = cost.cost(load_plan(None, [*small, *offline, "training.micro_batch_size=4"])).memory["training"]
    monkeypatch.setattr(size, "free_memory", lambda: int((sum(needed.values()) + 1) / size.ROOM))
    assert fitting(training, plan.config.model, samples).forward in (4, 6, 12)
    needed = cost.cost(load_plan(None, [*small, *offline, "training.micro_batch_size=1"])).memory["training"]
    monkeypatch.setattr(size, "free_memory", lambda: sum(needed.values()))
    assert fitting(training, plan.config.model, samples).forward == 1
    monkeypatch.setattr(size, "free_memory", lambda: sum(needed.values()) - 1)
    with pytest.raises(ConfigError, match=r"one completion at a time needs about .*--lora-rank 16"):
        fitting(training, plan.config.model, samples)
    assert fitting(training, ModelConfig(path="starter"), samples) == training


@pytest.mark.parametrize(
    ("more", "rank", "rate"),
    [
        ([], 16, 1e-4),
        (["training.trainer=offline", "game=coherence_geometric"], 16, 2e-4),
        (["training.learning_rate=0.5"], 16, 0.5),
        (["lora=null"], None, 1e-6),
        (["lora.rank=3"], 3, 1e-4),
    ],
)
def test_a_large_model_is_trained_by_an_adapter_unless_the_configuration_says_otherwise(
    monkeypatch, capsys, small, more, rank, rate
):
    usual = planned(None, [*small, *more]).config
    assert usual.lora is None or "lora.rank=3" in more
    monkeypatch.setattr(plan_module, "LARGE", 10)
    config = planned(None, [*small, *more]).config
    assert (config.lora and config.lora.rank, config.training.learning_rate) == (rank, rate)
    options = [part for each in (*small, *more) for part in ("--set", each)]
    assert command(monkeypatch, "train", "--dry-run", *options) == 0
    shown = capsys.readouterr().out
    assert ("# more than 0.5 B weights" in shown) == (rank == 16)
    assert ("# TRL's default for" in shown) == (rate != 0.5)


def test_questions_are_read_once_and_a_rate_for_full_weights_is_reported(monkeypatch, caplog, small):
    from alft.plan import build

    asked, read = build.asked_questions, []
    monkeypatch.setattr(build, "asked_questions", lambda *given: read.append(1) or asked(*given))
    monkeypatch.setattr(plan_module, "LARGE", 10)
    for given, told in ([], False), (["training.learning_rate=3e-6"], True):
        caplog.clear()
        read.clear()
        assert planned(None, [*small, *given]).config.lora is not None
        assert read == [1]
        assert ("at learning rate 3e-06: adapters usually need ten times" in caplog.text) == told
        assert "an adapter is trained" in caplog.text


def test_a_resumed_run_keeps_all_weights_or_an_adapter(monkeypatch, small):
    plan = planned(None, small)
    plan.directory.mkdir(parents=True)
    (plan.directory / "config.yaml").write_text(dump_config(plan.config))
    monkeypatch.setattr(plan_module, "LARGE", 10)
    assert planned(None, small, resume=True).config == plan.config


def test_the_number_of_weights_is_that_of_the_loaded_model(tiny_model):
    network = AutoModelForCausalLM.from_pretrained(tiny_model)
    assert loading.weights_of(str(tiny_model)) == sum(each.numel() for each in network.parameters())
    assert loading.weights_of("nobody/nothing") is None


def test_a_hub_model_that_was_downloaded_before_is_known(monkeypatch, small, tiny_model):
    def cached(path, name, **_):
        return str(tiny_model / name) if path == "somebody/model" else None

    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", cached)
    assert plan_module.is_here(ModelConfig(path="somebody/model"))
    assert not plan_module.is_here(ModelConfig(path="nobody/nothing"))
    assert not plan_module.is_here(ModelConfig(path="no/such/name at all"))
