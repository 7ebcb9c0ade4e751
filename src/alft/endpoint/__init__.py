"""Completions from any OpenAI-compatible server (vLLM, transformers serve, llama.cpp, hosted ones). No torch.

Needs the `openai` extra, which is imported only when something is asked.
"""

from alft.endpoint.client import Asking, Endpoint, Reply, Request, Traffic

__all__ = ["Asking", "Endpoint", "Reply", "Request", "Traffic"]
