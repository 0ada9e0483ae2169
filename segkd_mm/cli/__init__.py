"""The command line: one module a tool; tools/*.py call their ``main``."""
