"""What each command takes: modules that import next to nothing, so that ``--help`` is quick.

The docstring of a module is the help text of its command; ``segkd NAME`` in it is written as a user
calls that command (see ``segkd_mm.commands``). ``add_arguments`` may set ``finish``, which is
called with the arguments as they were read and the function that refuses them.
"""
