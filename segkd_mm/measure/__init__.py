"""Measurements: latency, parameters, memory, cost of training steps, the machine and its floor."""
