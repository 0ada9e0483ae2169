"""Loss modules, registered in ``MODELS`` under their class names, over the pure functions."""

from segkd_mm.losses.modules.base import KDLoss, LabelledKDLoss
from segkd_mm.losses.modules.channels import (
    ChannelDirectionLoss,
    ChannelMemoryLoss,
    ChannelRelationLoss,
)
from segkd_mm.losses.modules.cross_entropy import LabelledCrossEntropyLoss
from segkd_mm.losses.modules.features import (
    AttentionTransferLoss,
    CosineFeatureLoss,
    CosineSmoothL1Loss,
    FitNetLoss,
    PKDLoss,
)
from segkd_mm.losses.modules.generation import AfDCDLoss, MGDLoss
from segkd_mm.losses.modules.logits import (
    BoundarySplitLoss,
    ChannelWiseLoss,
    DISTLoss,
    DKDLoss,
    HardJaccardLoss,
    PixelKLLoss,
    SoftJaccardLoss,
    StandardisedKLLoss,
)
from segkd_mm.losses.modules.memory import CIRKDMemoryLoss
from segkd_mm.losses.modules.pseudo_labels import PseudoLabelLoss
from segkd_mm.losses.modules.relations import (
    CrossImageLoss,
    IntraClassLoss,
    PairWiseLoss,
    SelfSimilarityLoss,
)

__all__ = [
    'AfDCDLoss',
    'AttentionTransferLoss',
    'BoundarySplitLoss',
    'CIRKDMemoryLoss',
    'ChannelDirectionLoss',
    'ChannelMemoryLoss',
    'ChannelRelationLoss',
    'ChannelWiseLoss',
    'CosineFeatureLoss',
    'CosineSmoothL1Loss',
    'CrossImageLoss',
    'DISTLoss',
    'DKDLoss',
    'FitNetLoss',
    'HardJaccardLoss',
    'IntraClassLoss',
    'KDLoss',
    'LabelledCrossEntropyLoss',
    'LabelledKDLoss',
    'MGDLoss',
    'PKDLoss',
    'PairWiseLoss',
    'PixelKLLoss',
    'PseudoLabelLoss',
    'SelfSimilarityLoss',
    'SoftJaccardLoss',
    'StandardisedKLLoss',
]
