"""What a failed request means: try again, give this prompt up, or stop altogether."""

import math
import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Final

import openai

from alft.errors import EndpointError, Problem
from alft.text import visible

FIRST_WAIT: Final = 0.5  # seconds
LONGEST_WAIT: Final = 30.0
CONNECTIONS: Final = 5  # tries before a server counts as unreachable: about 8 seconds


class RefusedError(Exception):
    """The server does not take this request; others may pass."""


class GarbledError(Exception):
    """The server's reply is not what the API says."""


class Verdict(Enum):
    """What to do about a failed request."""

    RETRY = "retry"
    REFUSED = "refused"
    STOP = "stop"


def judge(error: Exception) -> Verdict:
    """What to do about an error of the `openai` package, or a garbled reply."""
    if not isinstance(error, openai.APIStatusError):
        return Verdict.RETRY
    if error.status_code in (401, 403, 404) or error.code == "insufficient_quota":
        return Verdict.STOP
    return Verdict.RETRY if error.status_code in (408, 409, 429) or error.status_code >= 500 else Verdict.REFUSED


def unreachable(error: Exception) -> bool:
    """Whether no connection came about."""
    return isinstance(error, openai.APIConnectionError) and not isinstance(error, openai.APITimeoutError)


def busy(error: Exception) -> bool:
    """Whether a server, or what is before it, may just be starting or have too much to do."""
    return isinstance(error, TimeoutError | openai.APITimeoutError) or (
        getattr(error, "status_code", None) in (408, 409, 429, 502, 503, 504)
    )


def wait(error: Exception, attempt: int) -> float:
    """Seconds before try `attempt` + 1: what the server asks for, else twice as long each time."""
    if isinstance(error, openai.APIStatusError) and (asked := _retry_after(error.response.headers)) is not None:
        return asked
    return min(FIRST_WAIT * 2**attempt, LONGEST_WAIT) * random.uniform(0.75, 1.0)


def message_of(error: Exception, key: str | None) -> str:
    """What went wrong, short, inert and without the key."""
    message = str(error) or type(error).__name__
    if isinstance(error, openai.APIStatusError):
        message = f"{error.status_code}: {_detail(error)}"
    return visible(message.replace(key, "[key]") if key else message, 300)


def stop(error: Exception, url: str, model: str, key: str | None) -> EndpointError:
    """The error that ends the asking, with its remedy."""
    remedy = "see the server's log"
    status = getattr(error, "status_code", None)
    if unreachable(error):
        remedy = "start the server, or fix the URL (most end in /v1)"
    elif isinstance(error, GarbledError | ValueError):  # bad JSON
        remedy = "fix the URL (most end in /v1), or see the server's log"
    elif status in (401, 403):
        remedy = f"set ALFT_API_KEY in the environment ({'it is refused' if key else 'it is not set'})"
    elif status == 404 or (status in (400, 422) and "model" in str(error).lower()):
        remedy = f"does the server have the model '{model}', and does its URL end in /v1?"
    elif status in (400, 422):
        remedy = "change the setting that the server names"
    elif status == 429:
        remedy = "ask fewer things at once, or fix the account"
    return EndpointError(Problem(f"endpoint {url}", message_of(error, key), remedy))


def _detail(error: openai.APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict):
        detail = body.get("message") or body.get("detail") or body
        return detail if isinstance(detail, str) else repr(detail)
    return error.response.text.strip() or error.response.reason_phrase


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
