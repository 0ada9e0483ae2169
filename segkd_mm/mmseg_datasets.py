"""Import of mmseg's data sets, in silence.

It prints that a library of its makers, which nothing here needs, is missing; its logger cannot be
set.
"""

from contextlib import redirect_stdout
from io import StringIO

with redirect_stdout(StringIO()):
    import mmseg.datasets  # noqa: F401
