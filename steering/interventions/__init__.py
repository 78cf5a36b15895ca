"""What is done to an activation while a model samples: formulas, entries, the engine, steering, observation."""
