"""Every mistake is found before a model is loaded, and nothing is written."""

import json

import pytest

from alft.config.load import load_config
from alft.errors import AlftError, ConfigError, RunExistsError
from alft.games import GeometricCoherence, ReferenceScore
from alft.plan.build import inspect, load_plan
from alft.plan.plan import Start, check_directory, plan_notes
from alft.reporting.cards import _logs
from alft.verbs.asking import find_model
from tests.cli.test_cli import alft


def questions(tmp_path, count=30, views=("is that so", "really"), answer: str | None = "1"):
    path = tmp_path / "questions.jsonl"
    rows = [
        {"id": f"q{i}", "question": f"{i}?", "views": [f"{i} {text}?" for text in views]}
        | ({} if answer is None else {"answer": answer})
        for i in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def plan(tmp_path, *settings):
    return load_plan(load_config(None, [f"output.directory={tmp_path / 'runs'}", *settings]))


def told(tmp_path, *settings):
    with pytest.raises(AlftError) as caught:
        plan(tmp_path, *settings)
    assert not (tmp_path / "runs").exists()
    return str(caught.value)


def test_the_demonstration_is_ready(tmp_path):
    ready = plan(tmp_path)
    assert ready.views == 4
    assert ready.completions_per_step == 8 * 4 * 8
    assert ready.config.training.learning_rate is not None


BROKEN = "constraints: [{answer: 4, at_most: 0.1}]\ntraining: {samples: 1, questions_per_step: 100000}\n"


@pytest.mark.parametrize("verb", ["train", "validate"])
def test_what_can_be_read_of_a_broken_configuration_is_checked_too(monkeypatch, capsys, tmp_path, verb):
    path = tmp_path / "run.yaml"
    path.write_text(BROKEN + "game: magority\ndata: {path: none.jsonl}\nmodel: {path: ./nowhere}\n")
    assert alft(monkeypatch, verb, path) == 2
    found = capsys.readouterr().err
    assert "constraints[0].answer: unknown key — known here: key, " in found
    assert "training.samples: Input should be greater than or equal to 2" in found
    assert "no game is called 'magority' — did you mean 'majority'?" in found
    assert "none.jsonl: no such file" in found
    assert "'./nowhere' holds no config.json" in found
    assert found.count("error: ") == 5


def test_what_the_broken_sections_have_a_part_in_is_not_guessed(monkeypatch, capsys, tmp_path):
    """Only some questions have an answer: whether that is allowed, the game would say."""
    path, data = tmp_path / "run.yaml", tmp_path / "q.jsonl"
    data.write_text('{"question": "a?", "answer": "1"}\n{"question": "b?"}\n')
    path.write_text(f"game: [{{game: correctness, where: answerd}}]\ndata: {{path: {data}}}\n" + BROKEN)
    assert alft(monkeypatch, "train", path) == 2
    found = capsys.readouterr().err
    assert "game[0].where: Input should be 'all', 'answered' or 'unanswered'" in found
    assert found.count("error: ") == 3


def test_secrets_keep_the_rest_of_a_broken_configuration_from_being_told(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_plan(None, ["training.samples=1", f"data.path=hf_{'aB3' * 8}"])
    assert "hf_" not in str(caught.value)


def test_own_questions_are_split_without_overlap(tmp_path):
    ready = plan(tmp_path, f"data.path={questions(tmp_path)}")
    assert (len(ready.train), len(ready.held_out)) == (24, 6)
    assert not {q.id for q in ready.train} & {q.id for q in ready.held_out}


def test_the_instruction_is_added_to_every_view(tmp_path):
    ready = plan(tmp_path, f"data.path={questions(tmp_path)}", "data.instruction=Mark it.")
    assert {str(view.text).split("\n")[1] for q in ready.train for view in q.views} == {"Mark it."}


def test_other_models_are_told_how_to_mark_their_answer(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    ready = plan(tmp_path, f"data.path={questions(tmp_path)}", f"model.path={tmp_path / 'model'}")
    assert "\\boxed{}" in str(ready.train[0].views[0].text)


def test_a_run_writes_down_the_log_that_it_plays(tmp_path):
    """A file that says which: what suits a game may change one day, what a run was does not."""
    for settings, log in (
        (["game=coherence_arithmetic"], "plugin"),
        (["game=coherence_arithmetic", "scoring.beta=0.1"], "variance_optimal"),
        (["game=coherence_arithmetic", "scoring.log=digamma"], "digamma"),
        (["game={coherence_arithmetic: 1, correctness: 1}"], "variance_optimal"),
    ):
        assert plan(tmp_path, *settings).config.scoring.log == log


def test_a_power_plays_the_reference_score_beside_the_game(tmp_path):
    """F + β(α − 1)·S (theory.md 2.4), whether the game is one or a sum with estimators of its terms."""
    sharp = ["scoring.beta=0.5", "scoring.power=3"]
    alone = plan(tmp_path, *sharp).play.scoring
    (one, game), (weight, score) = alone.game.terms
    assert (one, type(game), weight, type(score)) == (1.0, GeometricCoherence, 1.0, ReferenceScore)
    terms = "[{game: coherence_arithmetic, weight: 2, log: digamma}, {game: collision}]"
    both = plan(tmp_path, f"game={terms}", *sharp).play.scoring
    assert [coefficient for coefficient, _ in both.game.terms] == [2.0, 1.0, 1.0]
    assert [each.log for each in both.term_estimators] == ["digamma", "variance_optimal", "variance_optimal"]


def test_a_model_card_tells_of_logs_only_where_the_game_has_any(tmp_path):
    plans = {kind: plan(tmp_path, f"game=coherence_{kind}") for kind in ("arithmetic", "geometric")}
    told = {kind: _logs(made.config, made.play.game) for kind, made in plans.items()}
    assert told == {
        "arithmetic": ", logs by plugin",
        "geometric": "",
    }


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["game=coherense"], "game: no game is called 'coherense' — did you mean 'coherence'?"),
        (["model.path=./nowhere"], "model.path: './nowhere' holds no config.json"),
        (["data.path=nowhere.jsonl"], "nowhere.jsonl"),
        (["training.samples=2"], "training.samples: 2 are too few for this game — use at least 3"),
        (["training.questions_per_step=500"], "500 a step, but there are 480 questions"),
        (
            ["training.micro_batch_size=60"],
            "60 does not divide the 256 completions of a step — the nearest that do are 32 and 64",
        ),
    ],
)
def test_mistakes_in_settings(tmp_path, settings, expected):
    assert expected in told(tmp_path, *settings)


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AlftError, match="is no folder that can be written to"):
        load_plan(load_config(None, [f"output.directory={tmp_path / 'file'}"]))


def test_nothing_left_to_train_on(tmp_path):
    path = questions(tmp_path)
    assert "no question is left to train on" in told(tmp_path, f"data.path={path}", "data.held_out=30")


def test_one_view_only(tmp_path):
    assert "compares views, and questions have only 1" in told(
        tmp_path, f"data.path={questions(tmp_path, views=())}"
    )


def test_majority_plays_with_one_view(tmp_path):
    assert plan(tmp_path, f"data.path={questions(tmp_path, views=())}", "game=majority").views == 1


def test_correctness_names_the_questions_without_answer(tmp_path):
    path = questions(tmp_path, answer=None)
    assert "correctness needs answers" in told(tmp_path, f"data.path={path}", "game=correctness")


def test_questions_trained_and_measured_on(tmp_path):
    path = questions(tmp_path)
    assert "held-out questions are also trained on" in told(
        tmp_path, f"data.path={path}", f"data.eval_path={path}"
    )


def test_several_mistakes_are_told_at_once(tmp_path):
    message = told(tmp_path, "game=nothing", "model.path=./nowhere", "data.path=nowhere.jsonl")
    assert all(part in message for part in ("no game is called", "holds no config.json", "nowhere.jsonl"))


def test_an_earlier_run_is_never_overwritten(tmp_path):
    ready = plan(tmp_path)
    ready.directory.mkdir(parents=True)
    check_directory(ready.directory, Start.NEW)  # an empty directory holds nothing to lose
    (ready.directory / "config.yaml").touch()
    with pytest.raises(RunExistsError, match=r"a run is there already — continue with --resume, start over with"):
        check_directory(ready.directory, Start.NEW)
    check_directory(ready.directory, Start.OVERWRITE)


@pytest.mark.parametrize("start", Start)
def test_files_that_are_no_run_are_never_touched(tmp_path, start):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunExistsError, match="holds files, but no run"):
        check_directory(tmp_path, start)
    with pytest.raises(AlftError, match="is a file, not a directory"):
        check_directory(tmp_path / "thesis.tex", start)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("scoring.cap=.inf", "scoring.cap: Input should be a finite number"),
        ("scoring.power=0.5", "scoring.power: Input should be greater than or equal to 1"),
        ("scoring.power=4", "scoring.power: 4 sharpens the reference, which scoring.beta: 0 leaves out — give"),
        ("training.max_grad_norm=.inf", "training.max_grad_norm: Input should be a finite number"),
        ("constraints=[{key: a, at_most: 0.1, rate: .inf}]", "constraints[0].rate: Input should be a finite"),
        (
            "constraints=[{key: a, at_most: 0.1, largest: .inf}]",
            "constraints[0].largest: Input should be a finite",
        ),
        (f"training.seed={10**20}", "training.seed: Input should be less than 4294967296"),
        ("model.dtype=float16", "float16 loses the small gradients of this training: use bfloat16"),
        ("training.vllm={server_base_url: http://x:1}", "server_base_url is of mode: server"),
        ("training.report_to=[pigeon]", "training.report_to[0]: Input should be"),
        ("lora={rank: 0}", "lora.rank: Input should be greater than 0"),
    ],
)
def test_values_out_of_range(tmp_path, setting, expected):
    assert expected in told(tmp_path, setting)


def test_what_is_not_installed_is_told_before_anything_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr("alft.plan.plan.find_spec", lambda name: None)
    message = told(tmp_path, "training.vllm={}", "lora={}", "training.report_to=[wandb]")
    assert "training.vllm: the package vllm is not installed — pip install 'alft[vllm]'" in message
    assert "lora: the package peft is not installed — pip install 'alft[lora]'" in message
    assert "training.report_to (wandb): the package wandb is not installed" in message


def test_steps_and_sizes_that_do_not_divide(tmp_path):
    ready = plan(tmp_path, "training.steps_per_generation=4", "training.num_iterations=2", "training.steps=16")
    assert ready.steps_per_batch == 8
    message = told(tmp_path, "training.steps_per_generation=4", "training.num_iterations=2", "training.steps=20")
    assert "20 steps end inside a generation batch, which is for 8 — the nearest that fit are 16 and 24" in message
    message = told(tmp_path, "training.steps_per_generation=3", "training.steps=3")
    assert "3 does not divide the 256 completions of a generation batch" in message
    message = told(tmp_path, "training.steps_per_generation=2", "training.micro_batch_size=96")
    assert "96 does not divide the 128 completions of a step" in message


def test_a_name_that_is_no_directory_is_said_before_the_hub_is_asked(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    find_model("modls/mine")
    assert "'modls/mine' is no directory here: asking the Hub" in capsys.readouterr().err
    (tmp_path / "modls").mkdir()
    (tmp_path / "modls" / "mine").mkdir()
    (tmp_path / "modls" / "mine" / "config.json").write_text("{}")
    find_model("modls/mine")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("game", ["agreement", "majority_pooled"])
def test_a_game_that_can_not_be_solved_is_told_how_it_is_played(tmp_path, game):
    message = told(tmp_path, f"game={game}", "training.trainer=offline")
    assert f"{game} can't be solved exactly" in message
    assert "training.trainer: grpo" in message


def test_a_path_is_not_taken_for_a_hub_id(tmp_path):
    made = [
        inspect(load_config(None, [f"model.path={path}", "data.size=9"]))[0] for path in (tmp_path / "x", "me/x")
    ]
    assert ["hf download" in "".join(map(str, plan_notes(each))) for each in made] == [False, True]


def test_where_views_are_missing_it_is_said_how_they_are_written(tmp_path):
    said = told(tmp_path, f"data.path={questions(tmp_path, views=())}", "model.path=me/x")
    assert "questions have only 1 — write 1 more by `alft views` or data.views, or choose game: majority" in said
