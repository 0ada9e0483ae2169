"""Share a trained model on the Hugging Face hub, with a model card."""

from argparse import Namespace
from pathlib import Path

import numpy as np
from huggingface_hub import HfApi
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from mmengine.config import Config

from segkd_mm.cli.print_config import resolved
from segkd_mm.commands import command
from segkd_mm.config import inference_config, load_config, plain_student
from segkd_mm.deploy import Predictor, is_exported_model, load
from segkd_mm.deploy.loading import class_names
from segkd_mm.deploy.model_folder import without_initial_weights, write_model_folder
from segkd_mm.files import folder_aside
from segkd_mm.normalisation import channels_of
from segkd_mm.results.files import checkpoint_digest, read_results
from segkd_mm.results.model_card import model_card
from segkd_mm.segmentors.transformers_segmentor import without_folder

MODEL_KEYS = 'custom_imports', 'model', 'test_pipeline', 'default_scope'


def run(args: Namespace) -> None:
    """Run the command."""
    check_name(args.name)
    out = Path(args.out or Path(args.checkpoint).parent / 'hub')
    check_free(out)
    config = load_config(args.config, args.cfg_options)
    predictor, result = load(config, args.checkpoint), result_of(args.checkpoint)
    with folder_aside(out) as folder:
        write_folder(folder, config, args, model_card(args.name, predictor.classes, result))
        check_same(predictor, load(folder))
    print(f'Folder: {out}')
    if result is None:
        print(f'The card has no scores: run `{command("test")} {args.config} {args.checkpoint}`.')
    if args.no_upload:
        print(f'Upload it: hf upload {args.name} {out}')
    else:
        print(f'Shared: {upload(out, args.name, args.private)}')
    print(f'Load it: segkd_mm.load({str(out) if args.no_upload else "hf://" + args.name!r})')


def check_name(name: str) -> None:
    """Check the name of a repository.

    Raises:
        ValueError: It is not OWNER/NAME.
    """
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise ValueError(f'{name}: {error}') from error
    if '/' not in name:
        raise ValueError(f'{name}: expected OWNER/NAME, as in me/slim-voc.')


def check_free(out: Path) -> None:
    """Check that the folder can be written: an earlier one may hold what the user added to it.

    Raises:
        FileExistsError: It is there.
    """
    if out.exists():
        raise FileExistsError(f'{out} is there already: remove it, or choose another by --out.')


def result_of(checkpoint: str) -> dict | None:
    """The plain test result beside a checkpoint, if it is of that very file."""
    path = Path(checkpoint).parent / 'test_test.json'
    result = read_results([path])[0] if path.is_file() else {}
    is_same = result.get('checkpoint_sha256') == checkpoint_digest(checkpoint)
    return result if result and is_same else None


def write_folder(folder: Path, config: Config, args: Namespace, card: str) -> None:
    """Write all files of the folder.

    Raises:
        ValueError: The checkpoint is an exported file.
    """
    if is_exported_model(args.checkpoint):
        raise ValueError(f'{args.checkpoint} is an exported file; give the checkpoint it is of.')
    shared = plain_student(config)
    shared.model = without_initial_weights(without_folder(shared.model.to_dict()))
    write_model_folder(folder, shared, args.checkpoint)
    text = resolved(model_alone(shared), Path(config.filename).name)
    (folder / 'model.py').write_text(text, encoding='utf-8')
    (folder / 'README.md').write_text(card, encoding='utf-8')


def model_alone(config: Config) -> Config:
    """What mmseg reads for a prediction, without the data, paths and schedule of the training."""
    whole = inference_config(config)
    kept = {key: whole[key] for key in MODEL_KEYS if key in whole}
    kept['visualizer'] = dict(type='SegLocalVisualizer', name='visualizer')
    data = dict(type='BaseSegDataset', metainfo=class_names(config), pipeline=whole.test_pipeline)
    kept['test_dataloader'] = dict(dataset=data)
    return Config(kept)


def check_same(model: Predictor, shared: Predictor) -> None:
    """Check that two models predict the same label map of an image of noise.

    Raises:
        RuntimeError: They do not.
    """
    channels = channels_of(model.model)
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, channels), np.uint8)
    if not np.array_equal(model.predict(noise), shared.predict(noise)):
        raise RuntimeError('The model that was written predicts otherwise than the checkpoint.')


def upload(folder: Path, name: str, private: bool) -> str:
    """Upload a folder to a repository, which is made if it is not there; gives its address.

    Raises:
        OSError: The hub cannot be reached, or refuses.
    """
    api = HfApi()
    try:
        address = api.create_repo(name, private=private, exist_ok=True)
        api.upload_folder(repo_id=name, folder_path=folder, commit_message='Push of segkd_mm')
    except Exception as error:  # of requests, httpx and huggingface_hub, by its version
        raise OSError(
            f'Could not push to {name} ({first_line(error)}). The folder is whole: after '
            f'`hf auth login`, and where the hub can be reached, `hf upload {name} {folder}`.'
        ) from error
    return str(address)


def first_line(error: Exception) -> str:
    """The first line of an error's message; its type where it has none."""
    return (str(error) or type(error).__name__).splitlines()[0]
