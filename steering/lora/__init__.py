"""The same steering as a change of weights: baking it, and a LoRA's file."""
