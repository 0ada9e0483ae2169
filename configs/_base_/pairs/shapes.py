"""The slim student and its teacher, a wider one, on shapes; terms to be added."""

_base_ = ['../../student/mnv3s_slim_shapes.py', '../teachers/mnv3s_wide.py']
_base_.teacher.model.decode_head.num_classes = _base_.num_classes
_base_.teacher.checkpoint = 'work_dirs/mnv3s_wide_shapes/best.pth'
model = dict(_delete_=True, type='SegDistiller', student=_base_.model, teacher=_base_.teacher)
