"""The rules of docs/your_data.md, by hand."""

from collections import Counter
from dataclasses import replace

import pytest

from segkd_mm.scaffold import Survey, choose_recipe

FOUND = Survey(
    images='images', masks='masks', is_mixed=False, by_folders=True, seed=0, num_train=48,
    num_val=12, num_unlabelled=0, sizes=[(480, 360)] * 3, values=Counter({0: 1}),
)  # fmt: skip


def test_on_a_cpu():
    recipe = choose_recipe(FOUND, [10, 90], 'cpu')
    # 360 is up to 1.25 times 320; 0.8 * 360 = 288; 6 batches an epoch; 1600 / 6 = 266.7.
    assert (recipe.short_side, recipe.resizes_tests, recipe.crop) == (360, False, 288)
    assert (recipe.batch_size, recipe.epochs, recipe.val_interval) == (8, 267, 27)
    assert not recipe.weighs_classes


def test_on_a_gpu_with_large_images():
    recipe = choose_recipe(replace(FOUND, sizes=[(2048, 1024)], num_train=2975), [1, 1], 'cuda:0')
    # 0.8 * 512 = 409.6, a multiple of 32 below; 185 batches of 16; 8000 / 185 = 43.2.
    assert (recipe.short_side, recipe.resizes_tests, recipe.crop) == (512, True, 384)
    assert (recipe.batch_size, recipe.epochs, recipe.val_interval) == (16, 44, 5)


def test_unlabelled_images_lengthen_an_epoch_and_are_half_of_a_batch():
    recipe = choose_recipe(replace(FOUND, num_train=8, num_unlabelled=50), [1, 1], 'cpu')
    assert (recipe.batch_size, recipe.labelled_per_batch) == (8, 4)
    assert recipe.epochs == 229  # 58 // 8 = 7 batches; 1600 / 7 = 228.6


@pytest.mark.parametrize(('num_train', 'batch', 'epochs'), [(3, 2, 300), (100_000, 8, 10)])
def test_bounds(num_train, batch, epochs):
    recipe = choose_recipe(replace(FOUND, num_train=num_train), [1, 1], 'cpu')
    assert (recipe.batch_size, recipe.epochs) == (batch, epochs)


def test_a_rare_class_is_weighed_and_epochs_can_be_given():
    recipe = choose_recipe(FOUND, [4, 96], 'cpu', epochs=5)
    assert recipe.weighs_classes
    assert (recipe.epochs, recipe.val_interval) == (5, 1)
