"""Result files and training logs: writing, reading, statistics over seeds, and tables."""
