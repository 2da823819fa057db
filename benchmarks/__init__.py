"""Measurements of speed, of gradients and of what is reached; ``python -m benchmarks`` runs them.

Each prints tables and writes them as JSON, with pictures beside. They measure this machine as it is: run them on a
quiet one.
"""
