"""A model of a GGUF file: the same weights, trained and saved like any other; what can't be read is an error."""

import hashlib
import json
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

import alft
from alft.config.schema import ModelConfig
from alft.errors import ConfigError
from alft.models import loading
from alft.models.loading import gguf_problem, load_model, model_digest
from alft.models.local import LocalModel
from alft.offline import read_samples
from alft.verbs.asking import find_model
from alft.verbs.sample import Draw

gguf = pytest.importorskip("gguf")
LETTERS = [bytes([n]).decode() for n in range(33, 127)]
TOKENS = ["<eos>", "Ġ", *LETTERS, "th"]
TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        **SIZES,
        "num_key_value_heads": 1,
        "vocab_size": len(TOKENS),
        "max_position_embeddings": 256,
    }
    return Qwen2ForCausalLM(Qwen2Config(**sizes, tie_word_embeddings=False, bos_token_id=0, eos_token_id=0)).eval()


def write(path, network, kind=gguf.GGMLQuantizationType.F32, arch="qwen2"):
    """The network as a GGUF file, its matrices quantized."""
    known = network.config
    writer = gguf.GGUFWriter(path, arch)
    writer.add_context_length(known.max_position_embeddings)
    writer.add_embedding_length(known.hidden_size)
    writer.add_block_count(known.num_hidden_layers)
    writer.add_feed_forward_length(known.intermediate_size)
    writer.add_head_count(known.num_attention_heads)
    writer.add_head_count_kv(known.num_key_value_heads)
    writer.add_layer_norm_rms_eps(known.rms_norm_eps)
    writer.add_rope_freq_base(known.rope_parameters["rope_theta"])
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([gguf.TokenType.CONTROL, *[gguf.TokenType.NORMAL] * (len(TOKENS) - 1)])
    writer.add_token_merges(["t h"])
    writer.add_eos_token_id(0)
    writer.add_chat_template(TEMPLATE)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, known.num_hidden_layers)
    for name, value in network.state_dict().items():
        array, target = value.numpy(), names.get_name(name, try_suffixes=(".weight", ".bias"))
        if array.ndim == 1:
            writer.add_tensor(target, array)
        else:
            writer.add_tensor(target, gguf.quants.quantize(array, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def file(network, tmp_path_factory):
    return write(tmp_path_factory.mktemp("gguf") / "tiny.gguf", network)


def test_the_weights_are_those_of_the_file(network, file):
    model, tokenizer = load_model(ModelConfig(path=str(file)))
    ours, its = model.state_dict(), network.state_dict()
    assert all(torch.equal(ours[name], its[name]) for name in its)
    ids = tokenizer("the cat")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["th", "e", "Ġ", "c", "a", "t"]
    assert tokenizer.chat_template == TEMPLATE
    with torch.no_grad():
        assert torch.equal(model(torch.tensor([ids])).logits, network(torch.tensor([ids])).logits)


def test_quantized_weights_are_read_as_floats(network, tmp_path):
    """Q8_0: 32 numbers share a step of 1/127 of the largest, kept in float16; off by half of it and its error"""
    path = write(tmp_path / "q8.gguf", network, gguf.GGMLQuantizationType.Q8_0)
    for dtype in ("float32", "bfloat16"):
        model, _ = load_model(ModelConfig(path=str(path), dtype=dtype))
        assert {each.dtype for each in model.parameters()} == {getattr(torch, dtype)}
    model, _ = load_model(ModelConfig(path=str(path)))
    for name, value in network.state_dict().items():
        assert (model.state_dict()[name] - value).abs().max() <= value.abs().max() * (0.5 / 127 + 2**-11)


def test_the_digest_is_that_of_the_file(file):
    expected = hashlib.sha256(file.read_bytes()).hexdigest()
    chosen = ModelConfig(path=str(file))
    assert model_digest(chosen) == expected
    assert LocalModel(*load_model(chosen), chosen.path).identity()["digest"] == expected


def test_it_is_sampled_trained_and_saved_as_a_directory(network, file, tmp_path):
    questions = tmp_path / "q.jsonl"
    rows = [{"question": f"{n}+1?", "answer": str(n + 1), "views": [f"so {n}?"]} for n in range(6)]
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config: dict[str, Any] = {
        "model": {"path": str(file)},
        "data": {"path": str(questions), "held_out": 2},
        "game": "agreement",
    }
    config["training"] = {"steps": 1, "questions_per_step": 2, "samples": 4, "max_new_tokens": 4, "threads": 1}
    config |= {"watch": {"enabled": False, "unread": 1}, "evaluation": {"samples": 1}}
    alft.sample(tmp_path / "s.parquet", config, draw=Draw(1, 1))
    model = read_samples(tmp_path / "s.parquet").provenance.model
    assert model["digest"] == hashlib.sha256(file.read_bytes()).hexdigest()
    config["output"] = {"directory": str(tmp_path), "name": "run"}
    made = alft.train(config).directory / "model"
    again = AutoModelForCausalLM.from_pretrained(made)
    assert again.state_dict().keys() == network.state_dict().keys()
    assert AutoTokenizer.from_pretrained(made)("the")["input_ids"] == [TOKENS.index("th"), TOKENS.index("e")]
    assert not list(made.glob("*.gguf"))


def test_what_can_not_be_read_is_an_error_before_anything_is_loaded(network, file, tmp_path, monkeypatch):
    whole = file.read_bytes()
    cut = tmp_path / "cut.gguf"
    for size in (len(whole) - 1000, len(whole) // 8, 20):
        cut.write_bytes(whole[:size])
        with pytest.raises(ConfigError, match=r"is no GGUF file, or one that was cut short .* download it again"):
            find_model(str(cut))
    cut.write_text("text")
    assert "is no GGUF file" in str(gguf_problem(str(cut)))
    other = write(tmp_path / "other.gguf", network, arch="nonesuch")
    told = str(gguf_problem(str(other)))
    assert "GGUF model with architecture nonesuch is not supported" in told
    assert "Hugging Face directory" in told
    assert "no file" in str(gguf_problem(str(tmp_path / "none.gguf")))
    assert gguf_problem(str(file)) is None
    monkeypatch.setattr(loading, "find_spec", lambda name: None)
    assert "pip install 'alft[gguf]'" in str(gguf_problem(str(file)))


def test_a_quantization_that_can_not_be_read_is_named(file, monkeypatch):
    def refuse(data, kind):
        raise NotImplementedError

    monkeypatch.setattr(gguf, "dequantize", refuse)
    told = str(gguf_problem(str(file)))
    assert "has the quantization F32 that can't be read" in told
