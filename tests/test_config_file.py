import pytest

from alft.config.load import dump_config, load_config
from alft.config.schema import RunConfig
from alft.errors import ConfigError
from tests.cli.test_cli import alft


def problems(tmp_path, text, *overrides):
    path = tmp_path / "run.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    return str(caught.value).replace(str(path), "run.yaml")


def test_defaults_are_the_demonstration():
    assert load_config() == RunConfig.model_validate({})


def test_a_dumped_configuration_reads_back_equal(tmp_path):
    config = load_config(None, ["training.learning_rate=1e-5", "output.name=x", "game=majority"])
    path = tmp_path / "run.yaml"
    path.write_text(dump_config(config))
    assert load_config(path) == config


def test_an_exponent_without_a_point_is_a_number(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("training:\n  learning_rate: 1e-5\n")
    assert load_config(path).training.learning_rate == 1e-5


def test_all_problems_are_named_at_once(tmp_path):
    told = problems(tmp_path, "training:\n  step: 3\n  samples: 1\n", "trainng.steps=3", "output.name=../x")
    assert "run.yaml or --set: training.step: unknown key — did you mean 'steps'?" in told
    assert "run.yaml or --set: trainng: unknown key — did you mean 'training'?" in told
    assert "training.samples: Input should be greater than or equal to 2 (given: 1)" in told
    assert "a run name is letters, digits" in told


@pytest.mark.parametrize(
    ("text", "place", "remedy"),
    [
        ("constraints: [{answer: 4, at_most: 1.0}]", "constraints[0].answer", "known here: key, regex, function"),
        ("constraints: [{kex: 4, at_most: 1.0}]", "constraints[0].kex", "did you mean 'key'?"),
        ("lora: {rnk: 3}", "lora.rnk", "did you mean 'rank'?"),
        ("training: {vllm: {x: 1}}", "training.vllm.x", "known here: mode, server_base_url"),
        ("foo: 3", "foo", "known here: model, data"),
    ],
)
def test_an_unknown_key_is_told_what_is_known_beside_it(tmp_path, text, place, remedy):
    told = problems(tmp_path, text)
    assert told.startswith(f"run.yaml: {place}: ")
    assert remedy in told


@pytest.mark.parametrize(
    ("game", "place"),
    [
        ("{coherence_geometric: x}", "game.coherence_geometric"),
        ("{majority: 1, agreement: x}", "game.agreement"),
        ("{game: majority, weight: x}", "game.weight"),
        ("[{game: majority}, {game: agreement, weight: x}]", "game[1].weight"),
    ],
)
def test_a_wrong_weight_is_one_problem_where_the_user_wrote_it(tmp_path, game, place):
    told = problems(tmp_path, f"game: {game}")
    assert told == f"run.yaml: {place}: Input should be a valid number (given: 'x')"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("training:\n  steps: 10.7\n", "training.steps: Input should be a valid integer (given: 10.7)"),
        ("training:\n  steps: null\n", "training.steps: Input should be a valid integer (given: None)"),
        ("training: [1]\n", "training: Input should be a valid dictionary"),
        ("training:\n  learning_rate: .nan\n", "training.learning_rate: Input should be"),
        ("training:\n  learning_rate: -.inf\n", "training.learning_rate: Input should be greater than 0"),
        ("training:\n  steps: 0\n", "training.steps: Input should be greater than 0"),
        ("game: 3\n", "game: a game is a name, a mapping of names to weights, or a list"),
        ("a: 1\na: 2\n", "run.yaml:2:1: key 'a' is given twice"),
        ("a: &x 1\nb: *x\n", "run.yaml:2:4: aliases are not allowed"),
        ("a: !!python/object/apply:os.system [ls]\n", "run.yaml:1:4: could not determine a constructor"),
        ("a:\n\tb: 1\n", "run.yaml:2:1: found character '\\t'"),
        ("{{x}}: 1\n", "run.yaml:1:1: a key must be plain text"),
        ("output:\n  name: 2024-13-45\n", "run.yaml: month must be in 1..12"),
        ("no: 3\n", "run.yaml: a key is read as False, which is not text — put it in quotes"),
        ("model: {path: x}\n~: 1\n2020-01-01: 1\n", "run.yaml: a key is read as 2020-01-01"),
        ("[" * 5000, "run.yaml: maximum recursion depth exceeded"),
        ("", "run.yaml: the file is empty"),
        ("- 1\n", "run.yaml: expected keys with values, found a list"),
        (b"\xff\xfe", "run.yaml: byte 0: not UTF-8"),
        ("x" * 1_000_001, "bytes are too many for a configuration"),
    ],
)
def test_bad_files(tmp_path, text, expected):
    assert expected in problems(tmp_path, text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: can't be read"):
        load_config(tmp_path / "none.yaml")


@pytest.mark.parametrize("verb", [["train"], ["evaluate", "starter", "-c"], ["validate", "-c"]])
def test_a_file_of_questions_is_no_configuration(monkeypatch, capsys, tmp_path, verb):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "q.jsonl").write_text('{"question": "a?"}\n{"question": "b?"}\n')
    assert alft(monkeypatch, *verb, "q.jsonl") == 2
    told = "q.jsonl: this is a file of questions — name it in a configuration: data: {path: q.jsonl}"
    assert told in capsys.readouterr().err


def test_an_empty_override_is_empty_text():
    assert load_config(None, ["data.instruction="]).data.instruction == ""
    assert load_config(None, ["data.instruction=null"]).data.instruction is None


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("data.instruction=Answer: put it last", "Answer: put it last"),
        ("data.instruction=Give item #3 only", "Give item #3 only"),
        ('data.instruction="Answer: last"', "Answer: last"),
        ("data.revision=1.10", "1.10"),
        ("output.name=2026-01-01", "2026-01-01"),
        ("data.views=Q: {question}", ["Q: {question}"]),
        ("data.views=number words", ["number words"]),
        ("data.views=['Q: {question}', number words]", ["Q: {question}", "number words"]),
        ("training.stop=</answer>", ["</answer>"]),
        ("training.steps=3", 3),
        ("data.revision=010", "010"),
        ("training.learning_rate=1e-5", 1e-5),
    ],
)
def test_an_override_of_a_text_is_taken_as_it_is_written(override, read):
    section, name = override.partition("=")[0].split(".")
    assert getattr(getattr(load_config(None, [override]), section), name) == read


@pytest.mark.parametrize(
    ("text", "override"),
    [
        ("game: majority\n", "data.views=[Q: {question}]"),
        ("data: {revision: 1.10}\n", "game=majority"),
        ("data:\n  instruction: Answer: put it last\n", "game=majority"),
    ],
)
def test_a_text_that_yaml_reads_as_something_else_goes_in_quotes(tmp_path, text, override):
    assert "in quotes" in problems(tmp_path, text, override)


@pytest.mark.parametrize("written", ["010", "1:30", "-1:2.5"])
def test_a_number_of_base_8_or_60_is_none(tmp_path, written):
    assert f"training.steps: Input should be a valid integer (given: '{written}')" in problems(
        tmp_path, f"training: {{steps: {written}}}\n"
    )


@pytest.mark.parametrize("override", ["training.steps", "=3", "game.x=1"])
def test_bad_overrides(tmp_path, override):
    told = problems(tmp_path, "game: majority\n", override)
    assert "expected key=value" in told or "'game' is a value" in told
