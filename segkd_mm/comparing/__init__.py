"""Running the trainings of a comparison: what is missing, each once, resumable at any point."""
