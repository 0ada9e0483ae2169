"""Result files: written, read, summed up over seeds, and shown as tables."""
