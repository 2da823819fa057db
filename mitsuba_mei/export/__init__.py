"""What other programs take: stimuli for a monitor, and the scene for a modelling program."""
