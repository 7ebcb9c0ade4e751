"""verl's own agent worker, reward worker, dataset and advantages in one process, without a Ray cluster or a queue.

What takes minutes to start in `chained` takes seconds here: `python -m tests.verl.in_process DIRECTORY`.
"""

import asyncio
import json
import sys
import uuid
from pathlib import Path

import numpy as np
import torch
import verl.trainer.ppo.v1.agent_loop_tq as agents
from transformers import AutoTokenizer
from verl import DataProto
from verl.experimental.reward_loop.reward_loop import RewardLoopWorker
from verl.trainer.ppo.v1.utils import compute_advantage_for_multi_trajectories
from verl.utils import tensordict_utils
from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn

from tests.verl.chained import configured
from tests.verl.server import Server


class Queue:
    """What the agent worker writes, instead of TransferQueue."""

    def __init__(self):
        self.rows, self.status = {"train": {}, "val": {}}, {"train": {}, "val": {}}

    def init(self, *_, **__): ...

    async def async_kv_put(self, key, partition_id, tag):
        self.status[partition_id][key] = tag["status"]

    async def async_kv_batch_put(self, keys, fields, tags, partition_id):
        self.rows[partition_id].update(zip(keys, fields.unbind(0), strict=True))


class Handle:
    """A reward worker as Ray hands it out: `handle.compute_score.remote(data)`."""

    def __init__(self, worker):
        self.compute_score, self.remote = self, worker.compute_score


async def played(config, tokenizer, split, queue):
    """All rows of a split, asked at once: their trajectories as verl trains on them."""
    worker_class = agents.AgentLoopWorkerTQ.__ray_metadata__.modified_class
    worker = worker_class(config, Server(tokenizer, 0), None, [Handle(RewardLoopWorker(config))])
    dataset = RLHFDataset([config.data[f"{split}_files"]], tokenizer, config.data)
    batch = collate_fn([dataset[place] for place in range(len(dataset))])
    batch["uid"] = np.array([str(uuid.uuid4()) for _ in range(len(dataset))], dtype=object)
    ids = {uid: info["question_id"] for uid, info in zip(batch["uid"], batch["extra_info"], strict=True)}
    validate = {"validate": True} if split == "val" else {}
    await worker.generate_sequences(tensordict_utils.get_tensordict(batch, {"global_steps": 0} | validate))
    while worker.background_tasks:
        await asyncio.sleep(0.2)
    keys = sorted(queue.rows[split])
    fields = [queue.rows[split][key] for key in keys]
    longest = max(len(each["response_mask"]) for each in fields)

    def padded(name):
        return torch.stack(
            [torch.nn.functional.pad(each[name], (0, longest - len(each[name]))) for each in fields]
        )

    data = DataProto.from_dict(
        tensors={"response_mask": padded("response_mask"), "token_level_rewards": padded("rm_scores")}
    )
    estimator = config.algorithm.adv_estimator
    found = compute_advantage_for_multi_trajectories(data, keys, estimator, config=config.algorithm).batch
    columns = (found["advantages"].tolist(), found["response_mask"].tolist())
    return {
        "status": {ids[key]: value for key, value in queue.status[split].items()},
        "rows": [
            {
                "question": ids[key.split("_")[0]],
                "session": int(key.split("_")[1]),
                "prompt": tokenizer.decode(each["prompts"]),
                "response": tokenizer.decode(each["responses"]),
                "logged": getattr(each["extra_fields"], "data", each["extra_fields"])["reward_extra_info"],
                "advantages": advantages,
                "mask": mask,
            }
            for key, each, advantages, mask in zip(keys, fields, *columns, strict=True)
        ],
    }


async def main(directory):
    agents.tq = queue = Queue()
    config = configured(directory)
    tokenizer = AutoTokenizer.from_pretrained(config.actor_rollout_ref.model.path)
    found = {split: await played(config, tokenizer, split, queue) for split in ("train", "val")}
    (directory / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
