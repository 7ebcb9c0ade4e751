"""Completions to rewards, per second on one core: this package against math-verify used in the usual way.

Run: python -m benchmarks.answers [rates|growth|hostile|pairs] (all by default), or FILE.jsonl: readers compared on
completions that a person read, with `text`, `truncated`, `read` (the number or null) and `prompt` in each row.

Groups of 16 completions of a question, as two views of 8 samples. Ours: every completion is read, keyed, counted
and scored by arithmetic coherence, with advantages, caches empty at the start. The usual way: math-verify parses
every completion, then compares each with the most frequent answer of its group (majority vote as reward), on a
declared subsample of whole groups from the same completions. Times are CPU seconds of one thread.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import random
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from math_verify import parse, verify

from alft import games
from alft.answers import MARKED, KeyPolicy, ReadPolicy, canonical, extract, read
from alft.answers.guarded import GuardedGrader, refusal
from alft.completions import Completion
from alft.rewards import Scoring
from alft.rewards.scorer import Scorer
from benchmarks.completions import KINDS, completions
from tests.answers.hostile import ALL, HOSTILE
from tests.answers.test_pairs import LINES

SEED = 5
GROUPS, SIZE, VIEWS = 1250, 16, 2  # 20,000 completions a kind
BATCH = 125  # questions scored together
USUAL_GROUPS = 16  # of the same groups, evenly spread: the usual way is too slow for all
ENOUGH = 100_000  # completions per second that are hoped for on numbers
MEGABYTE = 1_000_000
_PLACES = [(f"question {n}", view) for n in range(BATCH) for view in range(VIEWS) for _ in range(SIZE // VIEWS)]


def rates() -> None:
    """Completions per second by kind and stage, and how many times the usual way that is."""
    print(f"{'kind':14} {'extract/s':>10} {'+ key/s':>10} {'+ reward/s':>10} {'usual/s':>8} {'times':>6}")
    for kind in KINDS:
        texts = completions(kind, GROUPS, SIZE, SEED)
        extracting, keying = _seconds(_extracted, texts), _seconds(_keyed, texts)
        whole = _seconds(_rewarded, texts)
        every = GROUPS // USUAL_GROUPS
        some = [t for g in range(USUAL_GROUPS) for t in texts[g * every * SIZE : (g * every + 1) * SIZE]]
        usual = len(some) / _once(_usual, some)
        ours = [len(texts) / seconds for seconds in (extracting, keying, whole)]
        print(
            f"{kind:14} {ours[0]:10,.0f} {ours[1]:10,.0f} {ours[2]:10,.0f} {usual:8.1f} {ours[2] / usual:6.0f}",
            flush=True,
        )
    print(f"usual way: {USUAL_GROUPS} of {GROUPS} groups; numeric target {ENOUGH:,}/s")


def _extracted(texts: Sequence[str]) -> None:
    for text in texts:
        extract(text)


def _keyed(texts: Sequence[str]) -> None:
    for text in texts:
        canonical(extract(text))


def _rewarded(texts: Sequence[str]) -> None:
    """Batches of questions through the scorer that training uses."""
    scorer = Scorer(Scoring(games.Coherence("arithmetic")))
    for start in range(0, len(texts), BATCH * SIZE):
        batch = zip(_PLACES, texts[start : start + BATCH * SIZE], strict=True)
        scorer.score(
            [
                Completion(text, question=question, place=view, key=canonical(extract(text)))
                for (question, view), text in batch
            ]
        )


def _usual(texts: Sequence[str]) -> None:
    """Parse every completion; reward those that verify against the most frequent answer of their group."""
    for start in range(0, len(texts), SIZE):
        parsed = [parse(text) for text in texts[start : start + SIZE]]
        names = [str(found[-1]) if found else "" for found in parsed]
        majority = parsed[names.index(max(names, key=names.count))]
        for found in parsed:
            verify(majority, found)


def _seconds(work: Callable[[Sequence[str]], None], texts: Sequence[str]) -> float:
    """Least of seven runs, each with empty caches: the others were disturbed."""
    return min(_once(work, texts) for _ in range(7))


def _once(work: Callable[[Sequence[str]], None], texts: Sequence[str]) -> float:
    for cache in gc.get_objects():
        if isinstance(cache, functools._lru_cache_wrapper) and cache.__module__.startswith("alft.answers"):
            cache.cache_clear()
    gc.collect()
    gc.freeze()  # the garbage of the imports and of the texts is not what is measured
    began = time.process_time()
    work(texts)
    return time.process_time() - began


def growth() -> None:
    """Milliseconds to read and key one completion, as it grows to a megabyte."""
    print(f"{'characters':>10} {'plain ms':>9} {'thinking ms':>12} {'unread ms':>10}")
    for size in (1_000, 10_000, 100_000, MEGABYTE):
        line = "So 3 + 4 = 7 apples. "
        body = line * (size // len(line))
        texts = (
            f"{body}The answer is 7.",
            f"<think>{body}</think>The answer is 7.",
            body,
        )
        print(f"{size:10,}", *(f"{1e3 * _seconds(_keyed, [text]):10.3f}" for text in texts), flush=True)


def hostile() -> None:
    """What becomes of hostile expressions behind the guard, by group, and of 10,000 answers with 1 % of them."""
    with GuardedGrader() as grader:
        grader.grade("1+x", "x+1")  # the child is there
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for name, group in HOSTILE.items():
            began, worst, outcomes = time.monotonic(), 0.0, Counter[str]()
            for expression in group:
                outcomes[grader.grade(expression, r"\frac{x}{2}")] += 1
                worst, began = max(worst, time.monotonic() - began), time.monotonic()
            print(f"{name:34} {len(group):3}  slowest {worst:.2f} s  {_listed(outcomes)}", flush=True)
        rng, ordinary = random.Random(SEED), completions("LaTeX", 625, SIZE, SEED)
        answers = [rng.choice(ALL) if rng.random() < 0.01 else extract(text) for text in ordinary]
        began, outcomes = time.monotonic(), Counter[str]()
        for place, answer in enumerate(answers):
            outcomes[grader.grade(answer, extract(ordinary[place - place % SIZE]) or "0")] += 1
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"{len(answers):,} answers, 1 % hostile: {time.monotonic() - began:.1f} s, {_listed(outcomes)}")
        refused = sum(refusal(answer) is not None for answer in answers if answer is not None)
        print(f"refused by rule: {refused} of these; this process grew by {grown / 1024:.0f} MiB")


def pairs() -> None:
    """Where math-verify, asked in both directions behind the guard, says other than tests/answers/pairs.txt."""
    found, groups = Counter[str](), {"same, it says not": [], "not the same, it says so": [], "one way only": []}
    with GuardedGrader() as grader:
        for line in LINES:
            same = " ≡ " in line
            left, right = line.split(" ≡ " if same else " ≢ ")
            told = {grader._ask(left, right), grader._ask(right, left)}
            if None in told:
                found["no opinion in time"] += 1
            elif len(told) > 1:
                groups["one way only"].append(line)
            elif told != {same}:
                groups["same, it says not" if same else "not the same, it says so"].append(line)
            else:
                found["agrees"] += 1
    print(f"{len(LINES)} pairs: {_listed(found)}")
    for name, lines in groups.items():
        print(f"{name}: {len(lines)}", *lines, sep="\n    ")


def readers(path: str) -> None:
    """Ours, lm-eval's two rules for GSM8K (written again) and math-verify, against what a person read."""
    rows = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]
    for prompt in [*sorted({str(row["prompt"]) for row in rows}), ""]:
        some = [row for row in rows if prompt in ("", str(row["prompt"]))]
        silent = sum(row["read"] is None for row in some)
        print(f"{path} {prompt or 'all'}: {len(some)} completions, {silent} without an answer to the person")
        for name, reader in READERS.items():
            found = Counter[str]()
            for row in some:
                key, person = reader(row["text"], row["truncated"]), canonical(row["read"])
                kind = "as the person" if key == person else "unread" if key is None else "wrong"
                found["read where there is none" if person is None and key is not None else kind] += 1
            print(f"    {name:24} {_listed(found)}")


def _ours(text: str, truncated: bool, policy: ReadPolicy = MARKED) -> str | None:
    return canonical(read(text, policy, truncated=truncated).answer, NUMBERS)


def _last(pattern: str, text: str) -> str | None:
    found = re.findall(pattern, text)
    return canonical(found[-1].rstrip("."), NUMBERS) if found else None


def _math_verify(text: str, truncated: bool) -> str | None:
    parsed = parse(text)
    return canonical(str(parsed[0]), NUMBERS) if parsed else None


NUMBERS = KeyPolicy(units="drop", percent="drop")
READERS: dict[str, Callable[[str, bool], str | None]] = {
    "alft": _ours,
    "alft, truncated: read": lambda text, _: _ours(text, False),
    "alft, last number": lambda text, _: _ours(text, False, ReadPolicy(unmarked="last number")),
    "lm-eval, strict": lambda text, _: _last(r"#### (-?[0-9.,]+)", text),
    "lm-eval, flexible": lambda text, _: _last(r"-?[$0-9.,]{2,}|-?[0-9]+", text),
    "math-verify": _math_verify,
}


def _listed(outcomes: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in outcomes.most_common())


def main(arguments: list[str]) -> None:
    """Run the parts named, or all."""
    parts = {"rates": rates, "growth": growth, "hostile": hostile, "pairs": pairs}
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name in arguments or parts:
        readers(name) if name.endswith(".jsonl") else parts[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
