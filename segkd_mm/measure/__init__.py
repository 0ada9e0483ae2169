"""Measurements of latency, parameters, memory, training steps and the speed of the machine."""
