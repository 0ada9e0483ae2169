"""All components: importing this module registers them in mmseg's registries."""

from contextlib import redirect_stdout
from io import StringIO

# It prints that a library of its makers, which nothing here needs, is missing; its logger cannot
# be set.
with redirect_stdout(StringIO()):
    import mmseg.datasets  # noqa: F401

from segkd_mm import (  # noqa: F401
    backbones,
    datasets,
    deploy,
    distill,
    evaluation,
    heads,
    hooks,
    losses,
    optim,
    segmentors,
    visualize,
    whole_image,
)
