"""Data sets, samplers and transforms for mmseg; importing them registers them."""

import segkd_mm.mmseg_datasets  # noqa: F401
from segkd_mm.datasets.band_distortion import DistortBands
from segkd_mm.datasets.bands import LoadBands
from segkd_mm.datasets.cached_loading import LoadCachedAnnotations, LoadCachedImage
from segkd_mm.datasets.camvid import CamVidDataset
from segkd_mm.datasets.checked_annotations import LoadCheckedAnnotations
from segkd_mm.datasets.cityscapes_half import CityscapesHalfDataset
from segkd_mm.datasets.distortion import TabledPhotoMetricDistortion
from segkd_mm.datasets.few_labels import FewLabelsEpochSampler, FewLabelsInfiniteSampler
from segkd_mm.datasets.folder import FolderDataset
from segkd_mm.datasets.image_crop import LoadImageCrop
from segkd_mm.datasets.layout import CheckedLayout, DataLayoutError
from segkd_mm.datasets.mosaic import MosaicInRange
from segkd_mm.datasets.msrc_v2 import MSRCv2Dataset
from segkd_mm.datasets.msrc_v2_objects import MSRCv2ObjectsDataset
from segkd_mm.datasets.replay import (
    ReplayClassBalancedDataset,
    ReplayEpochSampler,
    ReplayIndex,
    ReplayInfiniteSampler,
    SeedAugmentation,
)
from segkd_mm.datasets.resize_crop_flip import RandomResizeCropFlip
from segkd_mm.datasets.sample_error import SampleError
from segkd_mm.datasets.shapes import ShapesDataset, make_shapes
from segkd_mm.datasets.unlabelled import WithUnlabelled
from segkd_mm.datasets.voc import VOC2012Dataset
from segkd_mm.datasets.voc_7 import VOC7Dataset
from segkd_mm.datasets.without_labels import WithoutLabels

__all__ = [
    'CamVidDataset',
    'CheckedLayout',
    'CityscapesHalfDataset',
    'DataLayoutError',
    'DistortBands',
    'FewLabelsEpochSampler',
    'FewLabelsInfiniteSampler',
    'FolderDataset',
    'LoadBands',
    'LoadCachedAnnotations',
    'LoadCachedImage',
    'LoadCheckedAnnotations',
    'LoadImageCrop',
    'MSRCv2Dataset',
    'MSRCv2ObjectsDataset',
    'MosaicInRange',
    'RandomResizeCropFlip',
    'ReplayClassBalancedDataset',
    'ReplayEpochSampler',
    'ReplayIndex',
    'ReplayInfiniteSampler',
    'SampleError',
    'SeedAugmentation',
    'ShapesDataset',
    'TabledPhotoMetricDistortion',
    'VOC7Dataset',
    'VOC2012Dataset',
    'WithUnlabelled',
    'WithoutLabels',
    'make_shapes',
]
