"""The embedded model: the world it is trained on, its codec, judge, weights and training."""
