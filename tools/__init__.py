"""The command-line tools: thin scripts over the library, which nothing imports."""
