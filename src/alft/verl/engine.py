"""What verl loads, by `external_lib: alft.verl.engine`: agent loop, reward manager, advantage estimator.

The agent loop `alft_views` asks one wording of a question in each session, and plays the game when all sessions
have answered. They wait for each other there, in the one process that runs all sessions of a question: a reward
worker answers at most 1000 calls at a time, so calls that wait for each other in it can wait forever.
"""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any

import torch

from alft.completions import Completion
from alft.errors import ConfigError, Problem
from alft.models.decoding import Decoder
from alft.verl.play import Asked, Player, Share, player_of

try:
    from omegaconf import DictConfig, OmegaConf
    from verl import DataProto
    from verl.experimental.agent_loop.agent_loop import AgentLoopOutput, register
    from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop
    from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase
    from verl.trainer.ppo.core_algos import register_adv_est
except ModuleNotFoundError as error:
    missing = Problem("alft.verl", f"the package {error.name} is not installed", "pip install 'alft[verl]'")
    raise ConfigError(missing) from None

SHARE = "alft_share"
EXACT = {
    "algorithm.adv_estimator": "given",
    "algorithm.use_kl_in_reward": False,
    "algorithm.filter_groups.enable": False,
    "actor_rollout_ref.rollout.temperature": 1.0,
    "actor_rollout_ref.rollout.top_p": 1,
    "actor_rollout_ref.rollout.top_k": -1,
    "actor_rollout_ref.actor.loss_agg_mode": "seq-mean-token-sum-norm",
    "trainer.use_v1": True,
}
"""Settings of verl without which a step is the gradient of another objective than the game's."""


@register_adv_est("given")
def given(
    token_level_rewards: torch.Tensor, response_mask: torch.Tensor, **_: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """The rewards ARE the advantages: every token gets its completion's; axes (completion, token)."""
    advantages = token_level_rewards.sum(dim=-1, keepdim=True) * response_mask
    return advantages, advantages


@register("alft_views")
class ViewsAgentLoop(SingleTurnAgentLoop):
    """Session s of a question asks wording s modulo the number of its views, once."""

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> Any:
        """The completion with its share of the game, or [] where it is lost: verl pads what is missing."""
        asked = Asked.of(row.get("extra_info"), (row.get("reward_model") or {}).get("ground_truth"))
        session = int(row["session_id"]) if "session_id" in row else -1
        player = self._player(session)
        view = session % len(asked.prompts)
        output: list[AgentLoopOutput] = []

        async def made() -> Completion:
            prompt = {**row, "raw_prompt": asked.prompts[view]}
            output.append(await super(ViewsAgentLoop, self).run(sampling_params, **prompt))
            ids = output[0].response_ids
            truncated = len(ids) >= self.response_length and ids[-1] != self.tokenizer.eos_token_id
            return asked.read(self._decoder.texts([ids])[0], view, player.scorer, truncated=truncated)

        if asked.trained:
            share = await player.share(str(row["uid"]), session, made())
        else:
            share = Share.graded(await made())
        if share is None:
            return []
        output[0].extra_fields[SHARE] = asdict(share)
        return output[0]

    @cached_property
    def _decoder(self) -> Decoder:
        return Decoder(self.tokenizer, [])

    def _player(self, session: int) -> Player:
        player = player_of(_section(self.config))
        problems = [
            Problem(where, f"{value!r} trains another objective than the game's", f"set it to {exact!r}")
            for where, exact in EXACT.items()
            if (value := OmegaConf.select(self.config, where)) != exact
        ]
        if session < 0:
            problems.append(Problem("session_id", "is missing", "use verl 0.9 with trainer.use_v1: true"))
        if self.rollout_config.n != player.size:
            what = f"{self.rollout_config.n}, and the rows were written for {player.size} (views × samples)"
            problems.append(Problem("actor_rollout_ref.rollout.n", what, f"set it to {player.size}"))
        if problems:
            raise ConfigError(problems)
        return player


class SharedRewards(RewardManagerBase):
    """Hands each completion the share that the agent loop found: its advantage is its reward."""

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any = None, **_: Any) -> None:
        super().__init__(config, tokenizer, compute_score)
        player_of(_section(config))  # what is wrong with the section ends the run at its start

    async def run_single(self, data: DataProto) -> dict[str, Any]:
        """verl's reward of one completion, and what else it logs of it."""
        fields = data[-1].non_tensor_batch.get("tool_extra_fields") or {}
        share = fields.get(SHARE)
        if share is None:
            what = "a completion came without its share of the game"
            remedy = "set actor_rollout_ref.rollout.agent.default_agent_loop to alft_views"
            raise ConfigError(Problem("reward", what, remedy))
        return {
            "reward_score": share["advantage"],
            "reward_extra_info": {name: value for name, value in share.items() if name != "advantage"},
        }


def _section(config: DictConfig) -> Mapping[str, Any]:
    section = OmegaConf.select(config, "alft")
    if section is None:
        remedy = "start from the verl.yaml that `python -m alft.verl.rows` writes"
        raise ConfigError(Problem("alft", "verl's configuration has no section alft", remedy))
    found = OmegaConf.to_container(section, resolve=True)
    assert isinstance(found, dict)
    return {str(name): value for name, value in found.items()}
