"""How the built-in models and their cards are made."""
