"""Training and testing of several configs with several seeds, in parallel and resumable."""
