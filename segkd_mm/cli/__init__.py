"""The command ``segkd``: one module a command, whose ``run`` takes what ``options`` has read."""
