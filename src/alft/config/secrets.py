"""Secrets stay out of configurations, which runs record and people share: they come from the environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from alft.errors import Problem

_NAME = re.compile(r"(^|[_.-])(token|api_?key|password|passwd|secret|access_?key)$", re.IGNORECASE)
_VALUE = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{16,}|(?:sk|rk)-[\w-]{16,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}"
    r"|AKIA[0-9A-Z]{16}|AIza[\w-]{30,}|xox[abpr]-[\w-]{10,})",
    re.ASCII,
)
_HIDDEN: Final = "…"
_REMEDY: Final = "take it out, and set it in the environment (HF_TOKEN, OPENAI_API_KEY)"


def secrets_in(values: object, where: str = "") -> Iterator[tuple[str, str]]:
    """(where, secret) of every text that is a secret by its form, or by the name of its key.

    >>> list(secrets_in({"model": {"path": "x", "hf_token": "abc"}}))
    [('model.hf_token', 'abc')]
    """
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from secrets_in(value, f"{where}.{key}" if where else str(key))
    elif isinstance(values, Sequence) and not isinstance(values, str):
        for place, value in enumerate(values):
            yield from secrets_in(value, f"{where}[{place}]")
    elif isinstance(values, str):
        found = _VALUE.findall(values)
        if not found and values and _NAME.search(where):
            found = [values]
        yield from ((where, secret) for secret in found)


def secret_problems(values: object, origin: str) -> tuple[list[Problem], list[str]]:
    """What to say of each secret, and the secrets themselves, for `redacted`."""
    found = list(secrets_in(values))
    problems = [Problem(f"{origin}: {where}", "this is a secret", _REMEDY) for where, _ in found]
    return problems, [secret for _, secret in found]


def hidden(text: str, secrets: Sequence[str] = ()) -> str:
    """The text with every secret hidden: those known, and those that show by their form.

    >>> hidden("'hf_abcdefghijklmnopqrst' is no folder")
    "'…' is no folder"
    """
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return _VALUE.sub(_HIDDEN, text)


def redacted(problems: Iterable[Problem], secrets: Sequence[str]) -> list[Problem]:
    """The problems with every secret hidden."""
    return [Problem(*(hidden(text, secrets) for text in (p.where, p.what, p.remedy))) for p in problems]
