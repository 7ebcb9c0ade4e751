"""Own generation loop against transformers' own, against exact probabilities, and without side effects."""

import json
import shutil

import numpy as np
import pytest
import torch

from alft.config.schema import ModelConfig
from alft.errors import DataError
from alft.evaluation import EvaluationSettings, evaluate_model
from alft.models.loading import load_model
from alft.models.local import LocalModel, Sampling, encode, generate
from alft.questions import Question, View
from tests.evaluation.tiny import CHARACTERS, model, tokenizer

PROMPTS = ["what-is-3+4?", "a", "count:123456789", "b?"]
TEMPLATE = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}|"


def library_greedy(causal, tokens, prompt, new):
    ids = torch.tensor([encode(tokens, [prompt])[0]])
    whole = causal.eval().generate(ids, do_sample=False, max_new_tokens=new, eos_token_id=1, pad_token_id=0)
    return tokens.decode(whole[0, ids.shape[1] :], skip_special_tokens=True)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("batch_size", [3, 64])
def test_greedy_completions_are_the_librarys_own(attention, batch_size):
    causal, tokens = model(attn_implementation=attention), tokenizer()
    told = generate(causal, tokens, PROMPTS, Sampling(greedy=True, max_new_tokens=90, batch_size=batch_size))
    assert [[one.text for one in row] for row in told] == [
        [library_greedy(causal, tokens, prompt, 90)] for prompt in PROMPTS
    ]


def next_token(causal, ids):
    with torch.no_grad():
        return causal.eval()(torch.tensor([ids])).logits[0, -1].softmax(-1).numpy()


def test_samples_follow_the_models_own_distribution_whatever_generation_config_says():
    causal, tokens = model(initializer_range=0.6), tokenizer()
    causal.generation_config.update(temperature=0.1, top_k=1, repetition_penalty=5.0)
    told = generate(causal, tokens, ["a"], Sampling(samples=4000, max_new_tokens=2, batch_size=4000))[0]
    ids = encode(tokens, ["a"])[0]
    first = next_token(causal, ids)
    best = 3 + int(np.argmax(first[3:]))
    second = next_token(causal, [*ids, best])
    then = 3 + int(np.argmax(second[3:]))
    pair = CHARACTERS[best - 3] + CHARACTERS[then - 3]
    expected = first[best] * second[then]
    share = np.mean([one.text == pair for one in told])
    assert 0.02 < expected < 0.9
    assert abs(share - expected) < 4.5 * np.sqrt(expected * (1 - expected) / 4000)


def test_a_completion_is_truncated_exactly_when_no_stop_token_came():
    causal, tokens = model(), tokenizer()
    told = generate(causal, tokens, PROMPTS, Sampling(samples=40, max_new_tokens=40, batch_size=64))
    lengths = [len(one.text) for row in told for one in row if one.truncated]
    ended = [one for row in told for one in row if not one.truncated]
    assert lengths
    assert ended
    assert all(len(one.text) < 40 for one in ended)
    assert max(lengths) == 40


def test_equal_seeds_give_equal_completions_and_leave_torchs_random_state_and_the_model_alone():
    causal, tokens = model().train(), tokenizer()
    weights = {name: value.clone() for name, value in causal.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    sampling = Sampling(samples=3, max_new_tokens=20, seed=7)
    first = generate(causal, tokens, PROMPTS, sampling)
    assert torch.equal(torch.rand(3), expected)
    assert causal.training
    assert all(torch.equal(value, weights[name]) for name, value in causal.state_dict().items())
    assert generate(causal, tokens, PROMPTS, sampling) == first
    assert generate(causal, tokens, PROMPTS, Sampling(samples=3, max_new_tokens=20, seed=8)) != first


def test_a_chat_template_makes_text_a_user_message():
    with_template, without = tokenizer(TEMPLATE), tokenizer()
    message = ({"role": "user", "content": "ab"},)
    assert encode(with_template, ["ab"]) == encode(with_template, [message]) == encode(without, ["<user>ab|"])
    with pytest.raises(DataError, match="no chat template"):
        encode(without, ["ab", message])


def test_progress_rises_to_one():
    seen = []
    generate(model(), tokenizer(), PROMPTS, Sampling(samples=2, max_new_tokens=3, batch_size=4), seen.append)
    assert seen == sorted(seen)
    assert {0.5, 1.0} <= set(seen)  # after each of two batches, and while they are written
    assert any(0 < share < 0.5 for share in seen)


def test_a_model_directory_generates_as_the_model_did(tmp_path):
    causal, tokens = model(), tokenizer()
    causal.save_pretrained(tmp_path)
    tokens.save_pretrained(tmp_path)
    sampling = Sampling(samples=2, max_new_tokens=10)
    assert generate(*load_model(ModelConfig(path=str(tmp_path))), PROMPTS, sampling) == generate(
        causal, tokens, PROMPTS, sampling
    )


def test_evaluating_a_model_gives_a_summary_for_json():
    views = tuple(View(text, name) for text, name in [("3 + 4?", "plain"), ("4 + 3?", "swapped")])
    questions = [Question(f"q{i}", views, "7") for i in range(3)]
    seen = []
    result = evaluate_model(
        model(), tokenizer(), questions, EvaluationSettings(samples=4, max_new_tokens=8), seen.append
    )
    summary = json.loads(json.dumps(result.summary(), allow_nan=False))
    assert (summary["questions"], summary["samples"], summary["views"]) == (3, 4, ["plain", "swapped"])
    assert summary["unread"] == 1.0
    assert summary["accuracy_sampled"]["mean"] == 0.0
    assert summary["incoherence"] is None
    assert summary["agreement_greedy"] == 0.0
    assert len(result.records) == 3 * 2 * (4 + 1)
    assert seen[-1] == 1.0


def test_the_identity_of_a_model_is_that_of_its_files_whatever_they_are_kept_in(tmp_path):
    """Weights of any format, and the tokenizer: a copy is the same model, anything else is another."""
    tokens = tokenizer(TEMPLATE)
    kept, same, other, told = (tmp_path / name for name in ("kept", "same", "other", "told"))
    for folder, seed in ((kept, 0), (other, 1)):
        model(seed).config.save_pretrained(folder)
        tokens.save_pretrained(folder)
        torch.save(model(seed).state_dict(), folder / "pytorch_model.bin")
    shutil.copytree(kept, same)
    shutil.copytree(kept, told)
    (told / "chat_template.jinja").write_text(TEMPLATE + " ")

    def digest(folder):
        return LocalModel(*load_model(ModelConfig(path=str(folder))), str(folder)).identity()["digest"]

    assert digest(same) == digest(kept)
    assert len({digest(kept), digest(other), digest(told)}) == 3


def test_a_model_of_no_folder_has_no_digest():
    assert LocalModel(model(), tokenizer()).identity()["digest"] is None
