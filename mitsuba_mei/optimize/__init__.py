"""The optimization of one scene, in memory."""
