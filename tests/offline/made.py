"""Samples files made by hand: what a reference of known answer marginals would have told."""

import numpy as np

from alft.completions import Completion
from alft.models.base import Sampling
from alft.offline import Request, read_samples, sample
from alft.questions import Question, View


class Scripted:
    """A backend that tells scripted completions; prompts are `question/view`."""

    def __init__(self, told, fail_at=None):
        self.told, self.fail_at, self.calls = told, fail_at, 0

    def identity(self):
        return {"backend": "scripted", "model": "none", "revision": None, "digest": None}

    def complete(self, prompts, sampling, progress=None):
        self.calls += 1
        if self.calls == self.fail_at:
            raise KeyboardInterrupt
        if progress is not None:
            progress(1.0)
        return [[Completion(text) for text in self.told(prompt, sampling)] for prompt in prompts]


def questions(count, views=2, answer: str | None = "1"):
    asked = [tuple(View(f"q{i}/{v}", f"view {v}") for v in range(views)) for i in range(count)]
    return [Question(f"q{i}", each, answer) for i, each in enumerate(asked)]


def request(asked, samples, **changes):
    settings = {"batch_size": samples, "max_new_tokens": 8, **changes}
    return Request(asked, Sampling(samples=samples, **settings), "made")


def drawn(path, marginals, samples, seed=0, answer: str | None = "1"):
    """Answers 0, 1, … of each question and view, drawn from `marginals` (question, view, answer)."""
    rng = np.random.default_rng(seed)
    asked = questions(len(marginals), len(marginals[0]), answer)
    table = {f"q{i}/{v}": p for i, views in enumerate(marginals) for v, p in enumerate(views)}

    def told(prompt, sampling):
        return [f"So #### {a}" for a in rng.choice(len(table[prompt]), sampling.samples, p=table[prompt])]

    sample(request(asked, samples, batch_size=10**6), Scripted(told), path)
    return read_samples(path)
