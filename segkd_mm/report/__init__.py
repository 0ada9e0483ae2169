"""What a model costs and how well it does: measurements, result files, tables and pictures.

Import from the modules; nothing is imported here, so that a training run loads no plotting library.
"""
