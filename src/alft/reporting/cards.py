"""Model cards: how a model was made, from what, and what was measured. A card names no local path."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from alft import starter
from alft.config.load import game_label
from alft.config.schema import LoraConfig, ModelConfig, RunConfig
from alft.evaluation.results import Results, Training
from alft.games import Game
from alft.reporting.tables import PAIRED, paired
from alft.text import LABELS, SOLVED, counted, equilibrium, interval, number

MEASURED = ("accuracy_sampled", "accuracy_greedy", "agreement_greedy", "incoherence_corrected", "unread")
"""Figures of an evaluation's summary that a card shows."""
Fact = tuple[str, object]  # a line of a card: a name and a value


def model_card(
    config: RunConfig, game: Game, results: Results, digests: Mapping[str, str], *, computed: str, saved: str
) -> str:
    """The card of a trained model; `results` are those of results.json, `digests` those of inputs.json.

    `computed` and `saved` are the precisions of training and of the model.
    """
    done, path = results.get("training", {}), config.model.path
    rows = [_row(results, name) for name in MEASURED if name in results["difference"]]
    note = f" ({PAIRED})" if any("*" in row[-1] for row in rows) else ""
    return _card(
        title=config.game.label,
        tag=config.training.trainer,
        base=path if public_name(path) == path and path not in starter.MODELS else None,
        opening=f", as the game `{config.game.label}`; its reasoning was left free.{_ending(done)}",
        how=[*_making(config, game, done, digests), ("precision", f"computed in {computed}, saved in {saved}")],
        heading="Measured",
        introduction=f"On held-out questions, before and after, sampled (temperature 1) and greedy{note}:",
        columns=("", "before", "after", "change [95 %]"),
        rows=rows,
    )


def distilled_card(solved: Mapping[str, Any], how: Sequence[Fact]) -> str:
    """The card of a model distilled from weighted completions.

    `solved` holds the game and the metrics `predicted` for its equilibrium: not a measurement of the model.
    """
    game = game_label(solved["game"])
    return _card(
        title=f"{game}, offline",
        tag="offline",
        opening=(
            f": its own completions, each weighted by the equilibrium of the game `{game}`; "
            "its reasoning was left free."
        ),
        how=how,
        base=None,
        heading="Predicted",
        introduction="On the training questions, before training. Measure the model with `alft evaluate`.",
        columns=("", "the completions", "at equilibrium"),
        rows=[
            (SOLVED[name], number(found["now"]["mean"]), number(found["after"]["mean"]))
            for name, found in (solved.get("predicted") or {}).items()
        ],
    )


def source_of(model: ModelConfig) -> str:
    """The model that training started from, with its revision."""
    return public_name(model.path) + (f", revision {model.revision}" if model.revision else "")


def adapter_facts(lora: LoraConfig | None) -> Iterator[Fact]:
    """The line about a LoRA adapter; none without one."""
    if lora is not None:
        yield "adapter", f"LoRA, rank {lora.rank}, alpha {lora.alpha:g}, merged into the weights"


def public_name(path: str) -> str:
    """The name of a model or a file of questions in public: a Hub id whole, the last part of a local path."""
    return Path(path).name if Path(path).expanduser().exists() or path.startswith(("/", ".", "~")) else path


def _card(**parts: Any) -> str:
    """A card as Markdown. The template names its parts; `opening` ends the first sentence."""
    return templates().get_template("card.md.j2").render(parts) + "\n"


def templates(*, autoescape: bool = False) -> Environment:
    """The templates of this package; what is missing by mistake is an error."""
    return Environment(
        loader=PackageLoader("alft.reporting", ""),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _ending(training: Training) -> str:
    """Which model this is, where it is not the one of the last step."""
    if stopped := training.get("stopped"):
        return f"\n\nThe run was stopped ({stopped}); this is the last good model."
    step = training.get("restored_step")
    return "" if step is None else f"\n\nThis is the model of step {step}: later ones scored worse."


def _making(config: RunConfig, game: Game, done: Training, digests: Mapping[str, str]) -> Iterator[Fact]:
    training = config.training
    yield "from", f"{source_of(config.model)} (sha256 or commit {digests['model']})"
    built_in = config.data.path in starter.QUESTIONS
    questions = "built-in questions" if built_in else public_name(config.data.path)
    yield "questions", f"{questions} (sha256 of what was read {digests['data']})"
    if config.data.examples:
        yield "before every question", f"the solved questions of {public_name(config.data.examples)}: ask so, too"
    yield "game", config.game.label
    if config.constraints:
        yield "limits", ", ".join(f"{each.name or 'a limit'} ≤ {each.at_most:g}" for each in config.constraints)
    if config.parity is not None:
        yield "parity between groups", f"weight {config.parity.weight:g}"
    yield from _offline(config, done) if training.trainer == "offline" else _live(config, game, done)
    yield from adapter_facts(config.lora)
    yield "seed", training.seed


def _live(config: RunConfig, game: Game, done: Training) -> Iterator[Fact]:
    training, steps, completions = config.training, done.get("steps"), done.get("completions")
    before = done.get("reference_completions")
    first = f", and {before} of the reference before" if before else ""
    taken = counted(steps or 0, "step")
    yield "trainer", f"TRL's {training.trainer.upper()}, {taken}, {completions} completions{first}"
    yield "learning rate", f"{training.learning_rate:g}, {training.schedule}"
    yield "each step", f"{training.questions_per_step} questions, {training.samples} samples per view"
    yield "KL penalty β", f"{config.scoring.beta:g}"
    yield "rewards", f"baseline {config.scoring.baseline}, cap {config.scoring.cap:g}{_logs(config, game)}"


def _offline(config: RunConfig, done: Training) -> Iterator[Fact]:
    training, chosen = config.training, config.offline
    yield "completions", f"{done.get('completions')}, sampled once, {chosen.samples} per view"
    yield "equilibrium", equilibrium(config.scoring.beta, config.scoring.power or 1.0)
    yield "trainer", f"TRL's SFT, weighted, {done.get('steps')} steps of {chosen.batch_size} completions"
    yield "learning rate", f"{training.learning_rate:g}, {training.schedule}"
    yield "epochs", f"{chosen.epochs:g}"


def _logs(config: RunConfig, game: Game) -> str:
    """How logs of marginals were estimated, for a game that uses any."""
    words = game.wants
    asked = words is None or any(word.startswith("log") for word in words)
    return f", logs by {config.scoring.log}" if asked else ""


def _row(results: Results, name: str) -> tuple[str, str, str, str]:
    parts = [results[part][name] for part in ("before", "after", "difference")]
    by_view = isinstance(parts[2], Mapping)
    before, after, change = (part["mean"] if by_view else part for part in parts)
    bounds = parts[2]["interval"] if by_view else results["difference"]["intervals"][name]
    moved = f"{paired(before, after, change)} {interval(bounds, 3, sign=True)}".strip()
    return LABELS[name], number(before), number(after), moved
