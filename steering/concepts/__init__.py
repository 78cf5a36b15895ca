"""What is looked for: prompt pairs to learn a concept from, and prompts with roles to judge it on."""
