"""Models of neurons, their cards, and what they see of a render."""
