"""Other ways to take a concept out of a diffusion model, each from its published formula, in our own words."""
