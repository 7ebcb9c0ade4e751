"""Chat templates: what is asked, what refuses, and what can't work is reported before a model is loaded."""

import json

import pytest
from transformers import AutoTokenizer

from alft.config.load import load_config
from alft.config.schema import ModelConfig
from alft.errors import ConfigError, DataError
from alft.models.loading import load_tokenizer
from alft.models.local import encode
from alft.models.templates import chat_text
from alft.plan.build import load_plan
from alft.questions import DataWarning
from alft.training.dataset import PromptReader, fitted, prompt_problems

TURN = "{{ m['role'] }}: {{ m['content'] }}END\n"
LOOP = "{% for m in messages %}" + TURN + "{% endfor %}"
ASK = "{% if add_generation_prompt %}assistant: {% endif %}"
REFUSES = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
SWITCHED = (
    "{% if add_generation_prompt %}{% if enable_thinking is defined and not enable_thinking %}<think></think>"
)
SWITCHED += "{% endif %}{% endif %}"


def plan(tmp_path, model, *settings):
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps({"question": f"What is {n}?"}) + "\n" for n in range(4)))
    fixed = ["game=majority", "data.instruction=", "training.questions_per_step=2", "data.held_out=1"]
    where = [f"data.path={path}", f"model.path={model}", f"output.directory={tmp_path / 'runs'}"]
    return load_plan(load_config(None, [*fixed, *where, *settings]))


def reader(model, template: str, ends: str = "<eos>") -> PromptReader:
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.chat_template = template.replace("END", ends)
    return PromptReader(tokenizer, None, frozenset({tokenizer.eos_token_id}))


def test_a_template_that_refuses_is_an_error_with_a_remedy(tmp_path, tiny_model) -> None:
    refusing = reader(tiny_model, REFUSES + LOOP + ASK)
    asked = plan(tmp_path, tiny_model, "data.system_prompt=Be brief.")
    with pytest.raises(
        ConfigError, match=r"refuses messages of system, user: System role not supported \(4 quest"
    ):
        fitted(asked, refusing)
    with pytest.raises(DataError, match=r"model\.chat: plain"):
        encode(refusing.tokenizer, [asked.train[0].views[0].text])
    assert fitted(plan(tmp_path, tiny_model), refusing).train


@pytest.mark.parametrize(
    "refusal",
    [
        "{% if messages | length > 1 %}{{ raise_exception('Conversation roles must alternate') }}{% endif %}",
        "{% if messages[0]['role'] != 'user' %}{{ raise_exception('The first must be a user') }}{% endif %}",
        "{% for m in messages %}{{ m['content'][0]['text'].upper() }}{% endfor %}",
        "{{ messages[0]['content'] + 1 }}",
        "{{ no_such_filter_of(messages) }}",
        "{% if messages %}",
        "{{ messages is no_such_test }}",
        "{{ 1 // (messages | length - 2) }}",
        "{{ messages[5]['content'] | trim }}{{ messages[5].content.parts.first }}",
        "{{ messages.__class__.__mro__ }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ messages | map(attribute='content') | sum }}",
    ],
)
def test_k16_whatever_a_template_raises_is_an_error_with_a_remedy(tmp_path, tiny_model, refusal) -> None:
    asked = plan(tmp_path, tiny_model, "data.system_prompt=Be brief.")
    with pytest.raises(ConfigError, match=r"refuses messages of system, user: .*\(4 quest"):
        fitted(asked, reader(tiny_model, refusal + LOOP + ASK))


@pytest.mark.parametrize("closing", ["<|eot_id|>", "</s>", "<end_of_turn>", "<|end|>", "### End"])
def test_k17_a_turn_closed_by_what_is_no_stop_token_is_an_error(tmp_path, tiny_model, closing) -> None:
    with pytest.raises(ConfigError, match=r"no stop token.*training\.stop"):
        fitted(plan(tmp_path, tiny_model), reader(tiny_model, LOOP + ASK, closing))


def test_a_turn_that_no_stop_token_ends_is_an_error_unless_a_stop_string_does(tmp_path, tiny_model) -> None:
    endless = reader(tiny_model, LOOP + ASK, "<|im_end|>")
    with pytest.raises(ConfigError, match=r"ends a reply with '<|im_end|>', no stop token.*training.stop"):
        fitted(plan(tmp_path, tiny_model), endless)
    asked = plan(tmp_path, tiny_model, 'training.stop=["<|im_end|>"]')
    assert fitted(asked, endless) == asked
    assert fitted(asked, reader(tiny_model, LOOP + ASK)) == asked


def test_a_template_without_a_generation_prompt_is_reported(tmp_path, tiny_model) -> None:
    with pytest.warns(DataWarning, match=r"no generation prompt: the model must write 'assistant:' itself"):
        fitted(plan(tmp_path, tiny_model), reader(tiny_model, LOOP))


@pytest.mark.parametrize(
    "template", [LOOP + ASK + "{% if add_generation_prompt %}<think>{% endif %}", LOOP + ASK + SWITCHED]
)
def test_thinking_that_the_token_limit_cannot_close_is_reported(tmp_path, tiny_model, template) -> None:
    with pytest.warns(DataWarning, match="the model thinks first, and 40 tokens may not be enough"):
        fitted(plan(tmp_path, tiny_model, "training.max_new_tokens=40"), reader(tiny_model, template))
    fitted(plan(tmp_path, tiny_model, "training.max_new_tokens=4000"), reader(tiny_model, template))


@pytest.mark.parametrize(
    "tag", ["<think>\n", "[THINK]", "<|START_THINKING|>", "<seed:think>", "◁think▷", "<thought>", "<reasoning>"]
)
def test_k17_thinking_that_the_prompt_opens_is_reported_whatever_its_tag(tmp_path, tiny_model, tag) -> None:
    template = LOOP + ASK + "{% if add_generation_prompt %}" + tag + "{% endif %}"
    with pytest.warns(DataWarning, match="the model thinks first, and 40 tokens may not be enough"):
        fitted(plan(tmp_path, tiny_model, "training.max_new_tokens=40"), reader(tiny_model, template))


@pytest.mark.parametrize(
    ("loop", "who"),
    [
        ("{% for m in messages if m['role'] != 'system' %}" + TURN + "{% endfor %}", "system"),
        ("{% for m in messages[-2:] %}" + TURN + "{% endfor %}", "system"),
        (
            "{% for m in messages[1:] %}{% if m['role'] == 'assistant' %}" + TURN + "{% endif %}{% endfor %}",
            "system",
        ),
        ("{% for m in messages %}{% if m['role'] == 'human' %}" + TURN + "{% endif %}{% endfor %}END", "system"),
        (
            "{% for m in messages %}{% for part in m['content'] %}{{ part.text }}{% endfor %}END{% endfor %}",
            "system",
        ),
        ("{% for m in messages %}{{ m['text'] }}END{% endfor %}", "system"),
        ("{% for m in messages if m['role'] != 'user' %}" + TURN + "{% endfor %}", "user"),
    ],
)
def test_k17_a_template_that_leaves_out_a_message_is_an_error(tmp_path, tiny_model, loop, who) -> None:
    asked = plan(tmp_path, tiny_model, "data.system_prompt=Be brief.")
    with pytest.raises(ConfigError, match=rf"leaves out what the {who} says.*model\.chat: plain"):
        fitted(asked, reader(tiny_model, loop + ASK))


def stored(tmp_path, tiny_model, template: str) -> str:
    reader(tiny_model, template).tokenizer.save_pretrained(tmp_path / "model")
    for name in ("config.json", "generation_config.json"):
        (tmp_path / "model" / name).write_bytes((tiny_model / name).read_bytes())
    return str(tmp_path / "model")


def test_arguments_of_the_template_are_its_defaults_and_can_be_overridden(tmp_path, tiny_model) -> None:
    path = stored(tmp_path, tiny_model, LOOP + ASK + SWITCHED)
    asked = [{"role": "user", "content": "?"}]
    usual = load_tokenizer(ModelConfig(path=path))
    brief = load_tokenizer(ModelConfig(path=path, chat_template_kwargs={"enable_thinking": False}))
    assert chat_text(usual, asked) == "user: ?<eos>\nassistant: "
    assert chat_text(brief, asked) == "user: ?<eos>\nassistant: <think></think>"
    brief.save_pretrained(tmp_path / "again")
    again = AutoTokenizer.from_pretrained(tmp_path / "again")
    assert chat_text(again, asked) == chat_text(brief, asked)
    given = again.apply_chat_template(asked, add_generation_prompt=True, tokenize=False, enable_thinking=True)
    assert given == chat_text(usual, asked)
    quiet = plan(
        tmp_path, path, "training.max_new_tokens=40", "model.chat_template_kwargs={enable_thinking: false}"
    )
    assert prompt_problems(quiet) == ()
    misspelt = plan(
        tmp_path, path, "training.max_new_tokens=4000", "model.chat_template_kwargs={enable_thinkin: 1}"
    )
    with pytest.warns(DataWarning, match="the chat template does not use enable_thinkin"):
        fitted(misspelt)


def test_plain_asks_text_as_it_stands(tmp_path, tiny_model) -> None:
    plain = load_tokenizer(ModelConfig(path=str(tiny_model), chat="plain"))
    assert [plain.decode(ids) for ids in encode(plain, ["What is 1?"])] == ["What is 1?"]
    with pytest.raises(
        ConfigError, match=r"no chat template, and 4 questions are chat messages.*data.system_prompt"
    ):
        fitted(plan(tmp_path, tiny_model, "model.chat=plain", "data.system_prompt=Be brief."))


def test_a_system_prompt_stands_before_every_question_that_has_none(tmp_path, tiny_model) -> None:
    asked = plan(tmp_path, tiny_model, "data.system_prompt=Be brief.", "data.instruction=Say it.")
    for question in [*asked.train, *asked.held_out]:
        [view] = question.views
        assert [message["role"] for message in view.text] == ["system", "user"]
        assert view.text[0]["content"] == "Be brief."
        assert view.text[1]["content"].endswith("?\nSay it.")


def test_examples_are_turns_of_a_conversation_or_text(tmp_path, tiny_model) -> None:
    plain, shown = load_tokenizer(ModelConfig(path=str(tiny_model), chat="plain")), tmp_path / "shown.jsonl"
    shown.write_text(json.dumps({"question": "What is 9?", "answer": "\\boxed{9}"}) + "\n")
    with pytest.raises(ConfigError, match=r"set model\.chat: plain, which writes data.examples as text"):
        fitted(plan(tmp_path, tiny_model, f"data.examples={shown}"), PromptReader(plain, None))
    asked = fitted(plan(tmp_path, tiny_model, f"data.examples={shown}", "model.chat=plain"))
    assert asked.train[0].views[0].prompt == "What is 9? \\boxed{9}\nWhat is 0?"
    turns = fitted(plan(tmp_path, tiny_model, f"data.examples={shown}"), chat := reader(tiny_model, LOOP + ASK))
    [ids] = encode(chat.tokenizer, [turns.train[0].views[0].prompt])
    told = "user: What is 9?<eos>\nassistant: \\boxed{9}<eos>\nuser: What is 0?<eos>\nassistant: "
    assert ids == chat.tokenizer(told, add_special_tokens=False)["input_ids"]
