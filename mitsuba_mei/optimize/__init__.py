"""The optimisation of one scene, in memory."""
