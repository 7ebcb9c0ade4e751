"""Files that survive a crash: atomic writes, a lock per directory, append-only journals, verified checkpoints."""
