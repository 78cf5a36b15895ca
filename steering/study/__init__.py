"""The whole study: capture, score, build, generate, measure, report, for any model and concepts."""
