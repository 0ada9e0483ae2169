"""Results of a comparison, made up for tests of tables and charts."""

SERVER = {'cpu': 'A', 'gpu': None, 'threads': 1}


def result(miou, teacher=None, seconds=1.0, per_class=None, machine=SERVER, **more):
    return {
        'metrics': {'mIoU': miou},
        'per_class': per_class or {'sky': miou},
        'dataset': 'CamVidDataset',
        'images': 233,
        'teacher': teacher and {'mIoU': teacher, 'file': f'teachers/{teacher}.json'},
        'seconds_per_iteration': seconds,
        'training': {'environment': machine},
        **more,
    }


def by_seed(*scores, **options):
    return {seed: result(score, **options) for seed, score in enumerate(scores)}
