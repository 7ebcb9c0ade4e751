"""What a configuration leaves open is filled for the game that is really played."""

import pytest

from alft import games
from alft.answers import answer_key
from alft.config.load import load_config
from alft.offline.trainer import training_of
from alft.plan.defaults import INFORMATION_LOSS, PROBE_QUESTIONS, resolve

COMPARES = (PROBE_QUESTIONS, INFORMATION_LOSS)
ALONE = (0, INFORMATION_LOSS)
SPREADS = (0, 1.0)


@pytest.mark.parametrize(
    ("game", "expected"),
    [
        ("coherence_geometric", COMPARES),
        ("majority_pooled", COMPARES),
        ("majority", ALONE),
        ("correctness", ALONE),
        ("diversity_shannon", SPREADS),
        ("{coherence_geometric: 1.0, correctness: 0.5}", ALONE),
        ("{coherence_geometric: 1.0, diversity_shannon: 0.1}", SPREADS),
        ("{coherence_geometric: 1.0, correctness: 0.0}", COMPARES),
        ("{coherence_geometric: 1.0, diversity_shannon: 0.0}", COMPARES),
        ("{coherence_geometric: 0.0}", ALONE),
        ("[{game: coherence_geometric, where: unanswered}]", COMPARES),
        ("[{game: diversity_gini, where: unanswered}, {game: correctness, where: answered}]", SPREADS),
    ],
)
def test_the_watch_expects_what_the_played_terms_do(game, expected):
    """A term of weight 0 is not played, and one that is played on some questions only is what it is."""
    config = load_config(None, [f"game={game}"])
    watch = resolve(config, config.game.build()).watch
    assert (watch.probe_questions, watch.information_loss) == expected


class Pools(games.Majority):
    """A game of one's own that one view is enough for, and that looks across views where there are several."""

    wants = frozenset({"pooled_mode"})


class Unknown(games.Majority):
    wants = None


@pytest.mark.parametrize(("game", "expected"), [(Pools(), COMPARES), (Unknown(), ALONE), (games.Random(), ALONE)])
def test_a_game_that_looks_across_views_is_watched_for_their_consensus(game, expected):
    watch = resolve(load_config(None, []), game).watch
    assert (watch.probe_questions, watch.information_loss) == expected


def test_what_the_configuration_says_of_the_watch_stays():
    chosen = ["game=diversity_shannon", "watch.probe_questions=3", "watch.information_loss=0.5"]
    config = load_config(None, chosen)
    watch = resolve(config, config.game.build()).watch
    assert (watch.probe_questions, watch.information_loss) == (3, 0.5)


def test_a_preset_sets_the_reading_that_its_gold_needs_where_it_is_left_open():
    usual = resolve(load_config(None, ["data.preset=gsm8k"]))
    assert answer_key("#### 18 eggs", policy=usual.answers.policy) == "18"
    assert resolve(usual) == usual
    own = resolve(load_config(None, ["data.preset=gsm8k", "answers.units=keep"]))
    assert answer_key("#### 18 eggs", policy=own.answers.policy) != "18"
    assert resolve(load_config(None, [])).answers == load_config(None, ["answers.kind=any"]).answers


@pytest.mark.parametrize(("model", "power"), [("starter", 4.0), ("some/model", 16.0)])
def test_offline_the_reference_is_sharpened_for_games_that_compare_views(model, power):
    def chosen(*settings):
        config = load_config(None, [f"model.path={model}", *settings])
        return resolve(config, config.game.build()).scoring.power

    offline = "training.trainer=offline"
    assert chosen(offline) == power
    assert chosen(offline, "scoring.power=2") == 2
    assert chosen(offline, "game=correctness") == chosen() == 1


@pytest.mark.parametrize(
    ("changes", "processes", "shared"),
    [
        (["model.path=some/model"], None, True),
        (["model.path=some/model"], "2", False),
        (["model.path=some/model", "training.share_prompts=true"], "2", True),
        (["model.path=some/model", "training.share_prompts=false"], None, False),
        (["model.path=some/model", "training.trainer=offline"], None, False),
        ([], None, False),
    ],
)
def test_prompts_are_read_once_where_one_process_trains_live(monkeypatch, changes, processes, shared):
    """The bits of the built-in model stay, and how a launch divides weights decides nothing of what is sampled."""
    if processes is not None:
        monkeypatch.setenv("WORLD_SIZE", processes)
    assert resolve(load_config(None, changes)).training.share_prompts is shared


@pytest.mark.parametrize(("model", "shared"), [("starter", False), ("some/model", None)])
def test_offline_the_tokens_decide_unless_the_model_is_built_in(model, shared):
    asked = [f"model.path={model}", "training.trainer=offline"]
    assert training_of(resolve(load_config(None, asked))).share_prompts is shared
    assert training_of(resolve(load_config(None, [*asked, "offline.share_prompts=true"]))).share_prompts is True


@pytest.mark.parametrize("section", ["offline", "training"])
def test_an_offline_run_shares_prompts_wherever_that_is_asked_for(section):
    asked = [f"{section}.share_prompts=true", "training.trainer=offline", "model.path=some/model"]
    assert training_of(resolve(load_config(None, asked))).share_prompts
    assert not training_of(resolve(load_config(None, asked[1:]))).share_prompts
