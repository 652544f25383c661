"""Training: the objective, the data it sees, the Lightning module and what happens around it."""
