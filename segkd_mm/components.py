"""All components: importing this module registers them in mmseg's registries."""

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
