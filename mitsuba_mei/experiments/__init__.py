"""What is built out of the parts: whole experiments."""
