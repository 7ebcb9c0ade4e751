"""Where completions come from: a local model, vLLM, or any OpenAI-compatible server, behind one `Backend`."""
