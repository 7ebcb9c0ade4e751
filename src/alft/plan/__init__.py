"""A plan: a configuration, its questions and all that is built from them, checked before a model is loaded."""
