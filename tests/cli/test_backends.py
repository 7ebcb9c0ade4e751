"""Which settings a model is asked with: those of the model that answers, not of the configuration's default."""

from alft.config.schema import RunConfig
from alft.plan.defaults import BOXED
from alft.verbs.asking import ModelSource

SERVED = ModelSource("http://127.0.0.1:1/v1", "org/large")


def test_a_served_model_has_room_to_reason_and_is_told_how_to_mark_its_answer():
    found = SERVED.settings(RunConfig())
    assert (found.model.path, found.training.max_new_tokens, found.data.instruction) == ("org/large", 512, BOXED)


def test_what_the_user_said_is_kept():
    given = RunConfig.model_validate({"training": {"max_new_tokens": 99}, "data": {"instruction": ""}})
    found = SERVED.settings(given)
    assert (found.training.max_new_tokens, found.data.instruction) == (99, "")


def test_a_local_model_beside_it_has_its_own():
    assert SERVED.settings(RunConfig(), "starter").training.max_new_tokens == 40
    assert ModelSource().settings(RunConfig()).data.instruction == ""
