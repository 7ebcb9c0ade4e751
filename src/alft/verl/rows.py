"""Questions as the dataset that verl trains on, and the configuration that plays their game there.

    python -m alft.verl.rows -c config.yaml DIRECTORY

writes train.parquet, test.parquet and verl.yaml, and prints the command that starts verl. A row is a question with
all its views, so that verl never separates them.
"""

import argparse
import math
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from alft import starter
from alft.config.load import ConfigLike
from alft.errors import AlftError, ConfigError, Problem
from alft.plan.build import load_plan
from alft.plan.plan import Plan
from alft.questions import DataWarning, Question
from alft.questions.model import as_chat, json_map
from alft.storage.files import write_parquet, write_text
from alft.training.dataset import PromptReader, fitted, prompt_reader
from alft.verl.play import DEADLINE, SECTIONS, unplayable

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
VIEW = pa.struct([("name", pa.string()), ("prompt", MESSAGES), ("answer_map", pa.string())])
EXTRA = pa.struct(
    [
        ("index", pa.int64()),
        ("split", pa.string()),
        ("question_id", pa.string()),
        ("group", pa.string()),
        ("aliases", pa.list_(pa.string())),
        ("views", pa.list_(VIEW)),
    ]
)
SCHEMA = pa.schema(
    [
        ("data_source", pa.string()),
        ("prompt", MESSAGES),
        ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
        ("extra_info", EXTRA),
    ]
)
"""Columns of a dataset in verl's layout; `prompt` is the first view. An `answer_map` is JSON, or null."""
CONTEXT = 64  # prompts are given room in multiples of so many tokens


def to_rows(questions: Sequence[Question], split: str, views: int) -> pa.Table:
    """Rows of `SCHEMA` with the first `views` views of each question; split "train" is played, "test" measured."""
    rows = [
        {
            "data_source": "alft",
            "prompt": as_chat(question.views[0].prompt),
            "reward_model": {"style": "rule", "ground_truth": question.answer},
            "extra_info": {
                "index": index,
                "split": split,
                "question_id": question.id,
                "group": question.group,
                "aliases": list(question.aliases),
                "views": [
                    {"name": view.name, "prompt": as_chat(view.prompt), "answer_map": json_map(question, view)}
                    for view in question.views[:views]
                ],
            },
        }
        for index, question in enumerate(questions)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def write_rows(directory: Path | str, config: ConfigLike = None, overrides: Sequence[str] = ()) -> Path:
    """Write train.parquet, test.parquet and verl.yaml for a configuration as `alft train` takes it.

    Returns the path of verl.yaml. Raises AlftError, with all problems at once: what `alft train` would refuse, and
    what verl has no form of.
    """
    directory, plan = Path(directory).absolute(), load_plan(config, overrides)
    reader = prompt_reader(plan.config.model)
    if problems := [*unplayable(plan.config, plan.play.game), *_unmatched(plan, reader)]:
        raise ConfigError(problems)
    plan = fitted(plan, reader)
    if any(len(question.views) > plan.views for question in plan.train):
        what = f"only the first {plan.views} views of each question are asked"
        warnings.warn(f"{plan.config.data.path}: {what}", DataWarning, stacklevel=2)
    directory.mkdir(parents=True, exist_ok=True)
    for split, questions in (("train", plan.train), ("test", plan.held_out)):
        table = to_rows(questions, split, plan.views)
        write_parquet(directory / f"{split}.parquet", [table], SCHEMA, compression="snappy")
    written = yaml.safe_dump(trainer_config(plan, reader, directory), sort_keys=False, allow_unicode=True)
    write_text(directory / "verl.yaml", written)
    return directory / "verl.yaml"


def trainer_config(plan: Plan, reader: PromptReader, directory: Path) -> dict[str, Any]:
    """verl's configuration for a plan: its game, its sizes and its learning rate, over those of alft.yaml."""
    config, training = plan.config, plan.config.training
    asked = [view for question in (*plan.train, *plan.held_out) for view in question.views[: plan.views]]
    completions = plan.views * training.samples
    game = config.model_dump(mode="json", include=set(SECTIONS))
    data = {
        "train_files": str(directory / "train.parquet"),
        "val_files": str(directory / "test.parquet"),
        "train_batch_size": training.questions_per_step,
        "max_prompt_length": -(-max(map(reader.length, asked)) // CONTEXT) * CONTEXT,
        "max_response_length": training.max_new_tokens,
        "seed": training.seed,
        "apply_chat_template_kwargs": dict(config.model.chat_template_kwargs),
    }
    trainer = {
        "project_name": "alft",
        "experiment_name": plan.directory.name,
        "default_local_dir": str(directory / "checkpoints"),
        "total_training_steps": training.steps,
        "total_epochs": math.ceil(training.steps * training.questions_per_step / len(plan.train)) + 1,
        "save_freq": training.checkpoint_every or -1,
        "test_freq": training.checkpoint_every or -1,
    }
    path = config.model.path
    model = str(starter.model_path(path)) if path in starter.MODELS else path
    rollout = {"n": completions, "val_kwargs": {"n": plan.views}}
    return {
        "defaults": ["ppo_trainer", "alft", "_self_"],
        "hydra": {"searchpath": ["pkg://verl.trainer.config", "pkg://alft.verl"]},
        "alft": {**game, "completions": completions, "deadline": DEADLINE},
        "data": data,
        "actor_rollout_ref": {"model": {"path": model}, "actor": _actor(plan), "rollout": rollout},
        "trainer": trainer,
    }


def _actor(plan: Plan) -> dict[str, Any]:
    training = plan.config.training
    return {
        "ppo_mini_batch_size": training.questions_per_step,
        "grad_clip": training.max_grad_norm,
        "optim": {
            "lr": training.learning_rate,
            "lr_scheduler_type": training.schedule,
            "lr_warmup_steps": training.warmup_steps,
            "clip_grad": training.max_grad_norm,
        },
    }


def _unmatched(plan: Plan, reader: PromptReader) -> Iterator[Problem]:
    """Settings of a run that verl has no equal of, and a model that it can't ask."""
    config, training = plan.config, plan.config.training
    linear = training.schedule == "linear"
    found = {
        "training.schedule": (linear, "verl decays to 0 by cosine only", "constant or cosine"),
        "training.steps_per_generation": (plan.steps_per_batch > 1, "one update per batch", "set it to 1"),
        "lora": (config.lora is not None, "is not passed on", "actor_rollout_ref.model.lora_rank, in verl's own"),
        "model.revision": (config.model.revision is not None, "verl loads no revision", "name a directory"),
    }
    for where, (there, what, remedy) in found.items():
        if there:
            yield Problem(where, what, remedy)
    if not reader.chat:
        what = f"{config.model.path!r} has no chat template, and verl asks by chat messages"
        yield Problem("model.path", what, "choose an instruction-tuned model")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 2 for a configuration that can't be run."""
    parser = argparse.ArgumentParser(prog="python -m alft.verl.rows", description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("directory", type=Path, help="where train.parquet, test.parquet and verl.yaml go")
    parser.add_argument("-c", "--config", type=Path, help="YAML configuration, as `alft train` takes it")
    parser.add_argument("--set", action="append", default=[], help="section.key=value, overrides the file")
    given = parser.parse_args(arguments)
    try:
        path = write_rows(given.directory, given.config, given.set)
    except AlftError as error:
        print(*(f"error: {problem}" for problem in error.problems), sep="\n", file=sys.stderr)
        return 2
    print(f"wrote {path.parent}: train.parquet, test.parquet, verl.yaml")
    print(f"python -m verl.trainer.main_ppo --config-path {path.parent} --config-name verl")
    return 0


if __name__ == "__main__":
    sys.exit(main())
