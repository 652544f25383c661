"""Flow matching between noise and data. `flow.py` is the place to start reading. Nothing here is specific to RNA."""
