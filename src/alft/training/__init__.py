"""Training with TRL: block sampler, trainer, watch and run directory (torch is imported from here on)."""
