"""The trainings of a comparison: run what is missing, several at once, resumable."""
