"""verl's own agent workers, reward workers, queue and advantages in Ray; only the rollout server stands in.

Run by test_engine.py in a process of its own: `python -m tests.verl.chained DIRECTORY`, where verl.yaml is.
"""

import json
import os
import shutil
import sys
import time
import uuid
from pathlib import Path

import numpy as np
import ray
import transfer_queue as tq
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from transformers import AutoTokenizer
from verl import DataProto
from verl.experimental.reward_loop.reward_loop import RewardLoopManager
from verl.trainer.ppo.utils import need_critic, need_reference_policy
from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopManagerTQ
from verl.trainer.ppo.v1.utils import compute_advantage_for_multi_trajectories
from verl.utils import tensordict_utils
from verl.utils.config import validate_config
from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn

from tests.verl.server import Server

OVERRIDES = [
    "trainer.n_gpus_per_node=1",
    "actor_rollout_ref.rollout.agent.num_workers=1",
    "reward.num_workers=1",
    "transfer_queue.enable=true",
    "transfer_queue.backend.SimpleStorage.num_data_storage_units=1",
    "alft.deadline=20",
]


def configured(directory):
    """verl's configuration, checked as `verl.trainer.main_ppo` checks it; its model has the default template."""
    with initialize_config_dir(str(directory), version_base=None):
        config = compose("verl", overrides=OVERRIDES)
    validate_config(config, need_reference_policy(config), need_critic(config))
    model = shutil.copytree(config.actor_rollout_ref.model.path, directory / "model")
    written = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(written | {"model_type": "llama"}))
    config.actor_rollout_ref.model.path = str(model)
    OmegaConf.resolve(config)
    return config


def played(config, agents, tokenizer, split):
    """All rows of a split, asked at once: their trajectories as verl trains on them."""
    dataset = RLHFDataset([config.data[f"{split}_files"]], tokenizer, config.data)
    batch = collate_fn([dataset[place] for place in range(len(dataset))])
    batch["uid"] = np.array([str(uuid.uuid4()) for _ in range(len(dataset))], dtype=object)
    ids = {uid: info["question_id"] for uid, info in zip(batch["uid"], batch["extra_info"], strict=True)}
    validate = {"validate": True} if split == "val" else {}
    agents.generate_sequences(tensordict_utils.get_tensordict(batch, {"global_steps": 0} | validate))
    started = time.monotonic()
    status = {}
    while sum(value in ("finished", "failure") for value in status.values()) < len(dataset):
        assert time.monotonic() - started < 240, status
        time.sleep(0.5)
        status = {key: tag.get("status") for key, tag in tq.kv_list().get(split, {}).items()}
    keys = sorted(key for key in status if "_" in key)
    fields = ["uid", "response_mask", "rm_scores", "prompts", "responses", "extra_fields"]
    data = tq.kv_batch_get(keys=keys, partition_id=split, select_fields=fields)
    pairs = zip(
        data["prompts"].unbind(), data["responses"].unbind(), data.pop("extra_fields").tolist(), strict=True
    )
    texts = [(tokenizer.decode(asked), tokenizer.decode(said), extra) for asked, said, extra in pairs]
    batch = DataProto(batch=data.select("response_mask", "rm_scores").to_padded_tensor())
    batch.batch["token_level_rewards"] = batch.batch["rm_scores"]
    estimator = config.algorithm.adv_estimator
    found = compute_advantage_for_multi_trajectories(batch, keys, estimator, config=config.algorithm).batch
    columns = (found["advantages"].tolist(), found["response_mask"].tolist())
    return {
        "status": {ids[key]: value for key, value in status.items() if "_" not in key},
        "rows": [
            {
                "question": ids[key.split("_")[0]],
                "session": int(key.split("_")[1]),
                "prompt": prompt,
                "response": response,
                "logged": extra["reward_extra_info"],
                "advantages": advantages,
                "mask": mask,
            }
            for key, (prompt, response, extra), advantages, mask in zip(keys, texts, *columns, strict=True)
        ],
    }


def start_ray(tries=5):
    """Ray gives a node 30 seconds to start, which a busy machine exceeds."""
    path = os.pathsep.join(each or os.getcwd() for each in sys.path)
    variables = {"PYTHONPATH": path, "TRANSFER_QUEUE_ENABLE": "1", "OMP_NUM_THREADS": "1"}
    for left in reversed(range(tries)):
        try:
            ray.init(address="local", num_cpus=3, include_dashboard=False, runtime_env={"env_vars": variables})
            return
        except Exception:
            ray.shutdown()
            if not left:
                raise


def main(directory):
    config = configured(directory)
    start_ray()
    tq.init(config.transfer_queue)
    tokenizer = AutoTokenizer.from_pretrained(config.actor_rollout_ref.model.path)
    rewards = RewardLoopManager(config).reward_loop_worker_handles
    agents = AgentLoopManagerTQ.create(
        config=config, llm_client=Server(tokenizer, 0), reward_loop_worker_handles=rewards
    )
    found = {split: played(config, agents, tokenizer, split) for split in ("train", "val")}
    (directory / "found.json").write_text(json.dumps(found))
    ray.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
