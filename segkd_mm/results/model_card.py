"""The model card of a shared model: what it is, what it reached and how to use it."""

from collections.abc import Mapping, Sequence

from huggingface_hub import EvalResult, ModelCardData

from segkd_mm.results.tables import markdown_table

METRICS = {'mIoU': 'mean_iou', 'aAcc': 'pixel_accuracy', 'mAcc': 'mean_accuracy'}


def model_card(name: str, classes: Sequence[str], result: Mapping | None) -> str:
    """The text of a model card: YAML that the hub reads, and Markdown.

    Args:
        name: Of the repository, ``OWNER/NAME``.
        classes: Names of the classes.
        result: The result of ``segkd test`` of the very weights; None if they were not tested.
    """
    data = ModelCardData(
        library_name='segkd_mm',
        pipeline_tag='image-segmentation',
        tags=['mmsegmentation', 'semantic-segmentation'],
        model_name=name.rpartition('/')[2],
        eval_results=_evaluations(result) if result else None,
    )
    parts = [f'---\n{data.to_yaml()}\n---', f'# {name.rpartition("/")[2]}', _usage(name, classes)]
    return '\n\n'.join([*parts, _scores(result) if result else 'It was not tested.', ''])


def _evaluations(result: Mapping) -> list[EvalResult]:
    return [
        EvalResult(
            task_type='image-segmentation',
            dataset_type=result['dataset'],
            dataset_name=result['dataset'],
            dataset_split=result['split'],
            metric_type=METRICS[key],
            metric_name=key,
            metric_value=round(result['metrics'][key], 2),
        )
        for key in METRICS
        if key in result['metrics']
    ]


def _usage(name: str, classes: Sequence[str]) -> str:
    return (
        f'A semantic-segmentation model of {len(classes)} classes: {", ".join(classes)}.\n\n'
        '```python\n'
        'import segkd_mm\n\n'
        f"model = segkd_mm.load('hf://{name}')\n"
        "label_map = model.predict('image.jpg')  # class ids, uint8 [H, W]; names: model.classes\n"
        '```\n\n'
        'In mmsegmentation, with segkd_mm installed and in a copy of this repository:\n\n'
        '```python\n'
        'from mmengine.runner import load_checkpoint\n'
        'from mmseg.apis import init_model\n\n'
        "model = init_model('model.py', device='cpu')\n"
        "load_checkpoint(model, 'model.safetensors')\n"
        '```\n\n'
        '`model.py` is Python code, as all configs of mmsegmentation are; `segkd_mm.load` reads '
        '`segkd_mm.json`, which is data.'
    )


def _scores(result: Mapping) -> str:
    columns = {'IoU': 'per_class', 'recall': 'per_class_recall', 'precision': 'per_class_precision'}
    there = {title: result[key] for title, key in columns.items() if key in result}
    rows = [
        {'class': name, **{title: scores[name] for title, scores in there.items()}}
        for name in result['per_class']
    ]
    metrics = ', '.join(f'{k} {v:.2f}' for k, v in result['metrics'].items() if k in METRICS)
    training = result.get('training') or {}
    made = [f'Trained by `{training["command"]}`.'] if 'command' in training else []
    return '\n\n'.join(
        [
            '## Scores',
            f'On {result["images"]} images ({result["split"]} of {result["dataset"]}), percent: '
            f'{metrics}. {result["parameters"]:,} parameters.',
            markdown_table(rows),
            ' '.join([*made, f'Tested by `{result["command"]}`.']),
        ]
    )
