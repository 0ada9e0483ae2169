"""Teachers that see whole images while the student sees crops: live, or read from a cache."""

import segkd_mm.mmseg_datasets  # noqa: F401
from segkd_mm.whole_image.builder import TeacherCacheBuilder
from segkd_mm.whole_image.cached_teacher import CachedTeacher
from segkd_mm.whole_image.checks import CacheError
from segkd_mm.whole_image.images import WholeImages
from segkd_mm.whole_image.live_teacher import WholeImageTeacher
from segkd_mm.whole_image.store import TeacherCache
from segkd_mm.whole_image.view import View
from segkd_mm.whole_image.wrappers import WithTeacherCache, WithWholeImage

__all__ = [
    'CacheError',
    'CachedTeacher',
    'TeacherCache',
    'TeacherCacheBuilder',
    'View',
    'WholeImageTeacher',
    'WholeImages',
    'WithTeacherCache',
    'WithWholeImage',
]
