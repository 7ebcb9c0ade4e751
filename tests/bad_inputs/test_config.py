"""Bad configurations (docs/bad-inputs.md, items 36 to 51): one test an item, by its number."""

import json
from typing import Any

import pytest

from alft.config.load import dump_config, load_config, secrets_in
from alft.errors import AlftError, ConfigError
from alft.plan.build import load_plan
from alft.training.loop import trl_config


@pytest.fixture
def told(tmp_path):
    def complaint(text: str, *overrides: str) -> str:
        path = tmp_path / "run.yaml"
        path.write_text(text)
        with pytest.raises(AlftError) as caught:
            load_plan(load_config(path, [f"output.directory={tmp_path / 'runs'}", *overrides]))
        assert not (tmp_path / "runs").exists()
        return str(caught.value).replace(str(path), "F")

    return complaint


def test_item_36_unknown_key(told) -> None:
    assert "training.step: unknown key — did you mean 'steps'?" in told("training: {step: 3}\n")


@pytest.mark.parametrize("name", ["x" * 256, "runs/" + "é" * 128, "a\0b"])
@pytest.mark.parametrize("where", ["output.directory", "data.path", "data.eval_path", "model.path"])
def test_a_path_that_no_file_can_have(where, name):
    with pytest.raises(ConfigError, match=f"{where}: each name in a path"):
        load_config({where.split(".")[0]: {where.split(".")[1]: name}})


def test_sizes_beyond_reason():
    huge = ["training.questions_per_step=1000000000", "training.micro_batch_size=7"]
    with pytest.raises(ConfigError, match="the nearest that do are 5 and 8"):
        load_plan(load_config(None, huge))


@pytest.mark.parametrize("value", ["10.7", "null", "[3]", "true", "'3'"])
def test_item_37_wrong_type(told, value: str) -> None:
    assert "training.steps: Input should be a valid integer" in told(f"training:\n  steps: {value}\n")


def test_item_38_exponents_without_a_point(tmp_path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("training: {learning_rate: 1e-5}\n")
    assert load_config(path).training.learning_rate == 1e-5


def test_item_39_a_key_given_twice(told) -> None:
    assert "F:3:1: key 'game' is given twice" in told("game: majority\n\ngame: majority\n")


def test_item_40_tabs(told) -> None:
    assert "F:2:1: found character '\\t'" in told("training:\n\tsteps: 1\n")


@pytest.mark.parametrize(
    ("text", "expected"), [("", "the file is empty"), ("- 1\n", "expected keys with values, found a list")]
)
def test_item_41_no_mapping(told, text: str, expected: str) -> None:
    assert expected in told(text)


def test_item_42_python_tags(told, tmp_path) -> None:
    marker = tmp_path / "ran"
    text = f"a: !!python/object/apply:os.system ['touch {marker}']\n"
    assert "F:1:4: could not determine a constructor" in told(text)
    assert not marker.exists()


def test_item_43_alias_bomb(told) -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert "F:2:8: aliases are not allowed" in told(bomb)
    assert "bytes are too many for a configuration" in told("#" * 1_000_001)


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("training: {questions_per_step: 0}", "training.questions_per_step"),
        ("training: {learning_rate: .nan}", "training.learning_rate"),
        ("training: {learning_rate: .inf}", "training.learning_rate"),
        ("training: {learning_rate: -1.0}", "training.learning_rate"),
        ("training: {samples: 1}", "training.samples"),
        ("training: {max_new_tokens: 0}", "training.max_new_tokens"),
        ("training: {max_grad_norm: 0.0}", "training.max_grad_norm"),
        ("evaluation: {samples: -1}", "evaluation.samples"),
        ("scoring: {cap: 0.0}", "scoring.cap"),
        ("data: {size: 0}", "data.size"),
    ],
)
def test_item_44_out_of_range(told, setting: str, name: str) -> None:
    assert f"F or --set: {name}: Input should be" in told(setting)


def test_item_44_temperature_is_not_a_setting(told) -> None:
    assert "training.temperature: unknown key" in told("training: {temperature: 0}")


def test_item_45_a_micro_batch_that_does_not_divide(told) -> None:
    message = told("training: {micro_batch_size: 100}\n")
    assert "100 does not divide the 256 completions of a step — the nearest that do are 64 and 128" in message


def test_item_46_contradictions_come_at_once(told, tmp_path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps({"question": f"{n}?"}) + "\n" for n in range(30)))
    text = f"game: correctness\nmodel: {{path: ./nowhere}}\ndata: {{path: {path}}}\n"
    message = told(text, "training.micro_batch_size=7")
    assert "correctness needs answers; 24 questions have none" in message
    assert "'./nowhere' holds no config.json" in message
    assert "7 does not divide the 64 completions of a step" in message


def test_item_46_options_that_do_not_fit_the_source(told, tmp_path) -> None:
    (tmp_path / "q.jsonl").write_text('{"question": "a?"}\n')
    message = told(f"data: {{path: {tmp_path / 'q.jsonl'}, split: test, revision: main, size: 3}}\n")
    assert all(f"'{name}' does not apply to this source" in message for name in ("split", "revision", "size"))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_item_46_bfloat16_runs_on_a_cpu(tmp_path, dtype: str) -> None:
    settings = [f"model.dtype={dtype}", f"output.directory={tmp_path}"]
    assert load_plan(load_config(None, settings)).config.model.dtype == dtype


def test_item_47_checkpoints_stand_where_a_generation_cycle_ends(tmp_path) -> None:
    settings = ["training.checkpoint_every=7", "training.micro_batch_size=64", f"output.directory={tmp_path}"]
    args: Any = trl_config(load_plan(load_config(None, settings)), tmp_path)
    steps_per_cycle = args.steps_per_generation * args.num_iterations // args.gradient_accumulation_steps
    assert steps_per_cycle == 1  # one optimiser step a generation batch: every step ends a cycle


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", "a\\0b", "x" * 300, ".x", "", "a b", "a\\n"])
def test_item_48_run_names(told, name: str) -> None:
    assert "a run name is letters, digits" in told(f'output: {{name: "{name}"}}\n')


def test_item_49_spaces_and_other_letters_in_paths(tmp_path) -> None:
    folder = tmp_path / "größe 数 'x'"
    folder.mkdir()
    (folder / "q 1.jsonl").write_text("".join(json.dumps({"question": f"{n}?"}) + "\n" for n in range(30)))
    values = {
        "game": "majority",
        "data": {"path": str(folder / "q 1.jsonl")},
        "output": {"directory": str(folder)},
    }
    (folder / "run é.yaml").write_text(json.dumps(values))
    plan = load_plan(load_config(folder / "run é.yaml"))
    assert len(plan.train) == 24
    (folder / "again.yaml").write_text(dump_config(plan.config))
    assert load_config(folder / "again.yaml") == plan.config


TOKEN = "hf_" + "aB3" * 8


@pytest.mark.parametrize(
    ("text", "overrides", "where"),
    [
        (f"model: {{path: x, token: {TOKEN}}}", (), "model.token"),
        (f"model: {{path: {TOKEN}}}", (), "model.path"),
        (f"data: {{columns: [{TOKEN}]}}", (), "data.columns[0]"),
        ("model: {api_key: hunter22}", (), "model.api_key"),
        ("game: majority", (f"model.hf_token={TOKEN}",), "model.hf_token"),
        ("game: majority", (f"data.path=https://user:{TOKEN}@example.com/x",), "data.path"),
        (f"training: {{steps: '{'x' * 60} {TOKEN}'}}", (), "training.steps"),
    ],
)
def test_item_50_secrets_are_refused_and_never_shown(told, text, overrides, where) -> None:
    message = told(text, *overrides)
    assert f"{where}: this is a secret — take it out, and set it in the environment" in message
    assert TOKEN not in message
    assert TOKEN[:12] not in message
    assert "hunter22" not in message


def test_item_50_what_only_looks_like_a_secret_is_not_one() -> None:
    values = load_config(None, ["data.path=hub:acme/token", "output.name=sk-1"]).model_dump()
    assert list(secrets_in(values)) == []
    assert list(secrets_in({"training": {"max_new_tokens": 3}, "path": "hf_model"})) == []


@pytest.mark.parametrize("path", ["./nowhere", "/nowhere/at/all", "~/nowhere"])
def test_item_51_no_model_there(told, path: str) -> None:
    assert "holds no config.json — name a Hugging Face model directory or Hub id" in told(
        f"model: {{path: {path}}}"
    )
