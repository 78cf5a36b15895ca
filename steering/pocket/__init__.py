"""The embedded model: the world it is trained on, its judge, weights and training."""
