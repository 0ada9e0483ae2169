"""The operations of an .mlpackage folder computed by PyTorch, as Core ML runs on Apple devices."""

import torch
import torch.nn.functional as F

# Operations of Core ML, as its reference describes them, on tensors and options.
OPERATIONS = {
    'add': lambda x, y: x + y,
    'concat': lambda values, axis, interleave: torch.cat(values, axis),
    'conv': lambda x, weight, strides, pad_type, pad, dilations, groups, bias=None: F.conv2d(
        x, weight, bias, strides, pad[::2], dilations, groups
    ),
    'max_pool': lambda x, kernel_sizes, strides, pad_type, pad, ceil_mode: F.max_pool2d(
        x, kernel_sizes, strides, pad[::2]
    ),
    'reduce_mean': lambda x, axes, keep_dims: x.mean(axes, keep_dims),
    'relu': lambda x: x.relu(),
    'tile': lambda x, reps: x.tile(reps),
    'upsample_bilinear': lambda x, scale_factor_height, scale_factor_width, align_corners: (
        F.interpolate(x, None, (scale_factor_height, scale_factor_width), 'bilinear', align_corners)
    ),
}


def computed(path, images):
    """The logits of images by the program and the weights in a folder."""
    import coremltools
    from coremltools.converters.mil.frontend.milproto.load import load

    model = coremltools.models.MLModel(str(path), skip_model_load=True)
    spec = model.get_spec()
    program = load(spec, spec.specificationVersion, model.weights_dir).functions['main']
    values = {'images': images}
    for operation in program.operations:
        if operation.op_type != 'const':
            inputs = {name: _value(var, values) for name, var in operation.inputs.items()}
            result = OPERATIONS[operation.op_type](**inputs)
            values[operation.outputs[0].name] = result
    return values['logits']


def _value(var, values):
    """What a variable of a program holds: computed before, or a constant."""
    if isinstance(var, list | tuple):
        return [_value(one, values) for one in var]
    if var.name in values:
        return values[var.name]
    constant = var.val
    if getattr(constant, 'ndim', 0) and constant.dtype.kind == 'f':
        return torch.tensor(constant)
    return constant.tolist() if hasattr(constant, 'tolist') else constant
