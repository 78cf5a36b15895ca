"""Which way a concept lies at one site and noise level, from the activations of pairs."""
