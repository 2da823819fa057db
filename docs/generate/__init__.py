"""Pages of the documentation that are made from the code: scene file, results, commands, measured figures."""
