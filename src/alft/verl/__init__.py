"""verl as the engine: alft plays the game, verl samples, trains and scales (docs/verl.md; extra `verl`).

`rows` writes the dataset and verl's configuration, `play` gathers a question's completions and scores them once,
`engine` holds the three hooks by which verl uses both. Only `engine` imports verl, and only verl imports `engine`.
"""
