"""Distillation losses as pure functions of student and teacher tensors.

All of them share these properties. Shapes are [N, C, H, W] for ``student`` and ``teacher``, and
[N, H, W] of bool for ``valid``, which is False at void pixels and padding (None: all count). Those
that need labels take them in its place: class ids at the map's size, [N, H, W], -1 at void, as
:func:`labels_at` makes them. The result is a mean over the valid positions, so that a weight
carries from one crop or batch size to another, and zero where there are none; relations bound
their nodes (see :mod:`segkd_mm.losses.functional.relations`), and a smoothed Jaccard counts
pixels. Void has no influence on value or gradient, be it infinite or NaN. All are computed in
float32, also under autocast, and no gradient reaches the teacher. Losses of relations and of
attention allow the student other channels than the teacher's; the rest want one shape.
:func:`hard_jaccard` alone does not use the teacher.
"""

from segkd_mm.losses.functional.boundary import boundary_split, edges
from segkd_mm.losses.functional.channels import (
    channel_affinity,
    channel_direction,
    channel_maps,
    channel_relations,
)
from segkd_mm.losses.functional.common import (
    class_masks,
    in_float32,
    labels_at,
    mean_over_valid,
    valid_pixels,
)
from segkd_mm.losses.functional.contrast import dense_contrast
from segkd_mm.losses.functional.correlation import dist
from segkd_mm.losses.functional.decoupled_kl import dkd
from segkd_mm.losses.functional.features import (
    attention_transfer,
    cosine_feature,
    cosine_smooth_l1,
    fitnet,
    pkd,
)
from segkd_mm.losses.functional.jaccard import hard_jaccard, soft_jaccard
from segkd_mm.losses.functional.kl import channel_wise, pixel_kl, standardised_kl
from segkd_mm.losses.functional.pseudo_labels import pseudo_label
from segkd_mm.losses.functional.relations import (
    cross_image,
    intra_class,
    memory_affinity,
    pair_wise,
    self_similarity,
)

__all__ = [
    'attention_transfer',
    'boundary_split',
    'channel_affinity',
    'channel_direction',
    'channel_maps',
    'channel_relations',
    'channel_wise',
    'class_masks',
    'cosine_feature',
    'cosine_smooth_l1',
    'cross_image',
    'dense_contrast',
    'dist',
    'dkd',
    'edges',
    'fitnet',
    'hard_jaccard',
    'in_float32',
    'intra_class',
    'labels_at',
    'mean_over_valid',
    'memory_affinity',
    'pair_wise',
    'pixel_kl',
    'pkd',
    'pseudo_label',
    'self_similarity',
    'soft_jaccard',
    'standardised_kl',
    'valid_pixels',
]
