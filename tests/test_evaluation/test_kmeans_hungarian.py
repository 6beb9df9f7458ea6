from itertools import permutations

import pytest
import torch
import torch.nn.functional as F

from mmseg_langseg.evaluation import class_iou, cluster_embeddings, evaluate_kmeans, hungarian_iou
from tests.test_evaluation.colors import ColorEncoder, color_loader
from tests.tiny import pixelclip


def best_by_search(confusion):
    """Return the largest mean IoU over all one-to-one matchings of a square matrix."""
    every = permutations(range(len(confusion)))
    return max(class_iou(confusion[:, list(order)]).mean() for order in every)


@pytest.mark.parametrize('seed', range(5))
def test_no_other_matching_is_better(seed):
    confusion = torch.randint(1, 50, (5, 5), generator=torch.Generator().manual_seed(seed))
    iou, cluster_class = hungarian_iou(confusion)
    assert sorted(cluster_class.tolist()) == list(range(5))
    torch.testing.assert_close(iou.mean(), best_by_search(confusion))


def test_the_sum_of_iou_counts_and_not_the_pixels():
    # By pixel count the identity is best (100 + 0 against 98 + 1); by IoU the swap is.
    confusion = torch.tensor([[100, 98], [1, 0]])
    assert hungarian_iou(confusion)[1].tolist() == [1, 0]


def test_permuted_clusters_are_perfect():
    order = [3, 0, 2, 1]
    iou, cluster_class = hungarian_iou(torch.diag(torch.tensor([5, 1, 9, 4]))[:, order])
    assert iou.tolist() == [1, 1, 1, 1] and cluster_class.tolist() == order


def test_clusters_left_over_join_the_class_of_most_pixels():
    # Class 1 is split into three clusters; class 2 does not occur and gets no cluster.
    confusion = torch.tensor([[0, 8, 0, 1, 0], [6, 0, 4, 5, 0], [0, 0, 0, 0, 0]])
    iou, cluster_class = hungarian_iou(confusion)
    assert cluster_class.tolist()[:4] == [1, 0, 1, 1]
    torch.testing.assert_close(iou[:2], torch.tensor([8 / 9, 15 / 16], dtype=torch.double))
    assert iou[2].isnan()


def test_classes_left_over_have_no_pixel_right():
    iou, cluster_class = hungarian_iou(torch.tensor([[9, 0], [0, 3], [5, 0]]))
    assert cluster_class.tolist() == [0, 1]
    torch.testing.assert_close(iou, torch.tensor([9 / 14, 1, 0], dtype=torch.double))


def test_clusters_are_found_and_seeded():
    generator = torch.Generator().manual_seed(0)
    centers = torch.eye(4, 6)
    points = centers.repeat(30, 1) + 0.05 * torch.randn(120, 6, generator=generator)
    found = cluster_embeddings(points, 4, seed=1)
    assert torch.equal(found, cluster_embeddings(points, 4, seed=1))
    closest = (found @ centers.T).max(0)
    assert sorted(closest.indices.tolist()) == [0, 1, 2, 3] and closest.values.min() > 0.99
    torch.testing.assert_close(found, F.normalize(found, dim=1))


def test_colors_that_are_classes_score_all():
    model, loader = ColorEncoder(), color_loader()
    result = evaluate_kmeans(model, loader, seed=0)
    assert result.miou == 100
    for words in ('k-means + Hungarian', '6 images of', '3 clusters', 'seed 0', '(colors)'):
        assert words in result.protocol
    assert 'left over' not in result.protocol


def test_clusters_beyond_the_classes_are_reported_and_few_points_suffice():
    result = evaluate_kmeans(ColorEncoder(), color_loader(), num_clusters=4, max_points=12)
    assert '12 cells' in result.protocol and 'cluster left over (1)' in result.protocol
    assert result.miou == 100


def test_one_cluster_is_refused():
    with pytest.raises(ValueError, match='at least 2'):
        evaluate_kmeans(ColorEncoder(), color_loader(), num_clusters=1)


def test_a_language_segmentor_needs_no_words():
    result = evaluate_kmeans(pixelclip(), color_loader(), num_clusters=3)
    assert 0 < result.miou <= 100
    assert '(12 dimensions)' in result.protocol and '96 cells' in result.protocol
