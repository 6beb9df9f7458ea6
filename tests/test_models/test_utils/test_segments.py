"""Segments and segment embeddings against loops and on cases with a known result."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_langseg.kmeans import spherical_kmeans
from mmseg_langseg.models.utils import (
    Segments,
    find_segments,
    located,
    region_labels,
    segment_embeddings,
    segment_pixels,
)


def _data():
    generator = torch.Generator().manual_seed(5)
    embeddings = torch.randn(3, 4, 6, 7, generator=generator)
    regions = torch.randint(-1, 3, (3, 6, 7), generator=generator)
    regions[1] = -1  # a view without a valid pixel
    return embeddings, regions


def test_located():
    embeddings, _ = _data()
    found = located(embeddings)
    for y in range(6):
        for x in range(7):
            unit = F.normalize(embeddings[2, :, y, x], dim=0)
            place = torch.tensor([(y + 0.5) / 6 - 0.5, (x + 0.5) / 7 - 0.5])
            expected = F.normalize(torch.cat([unit, place]), dim=0)
            torch.testing.assert_close(found[2, :, y, x], expected)


def reference_clusters(embeddings, regions, grid, iterations):
    """Return the cluster of each pixel of a view; initial centroids are the grid cells' means."""
    points = located(embeddings[None])[0]
    _, height, width = points.shape
    start = torch.zeros(grid[0] * grid[1], len(points))
    for y in range(height):
        for x in range(width):
            if regions[y, x] >= 0:
                cell = (y * grid[0] // height) * grid[1] + x * grid[1] // width
                start[cell] += points[:, y, x]
    flat = points.flatten(1).T[None]
    valid = (regions >= 0).flatten()[None]
    return spherical_kmeans(flat, start[None], iterations, valid)[0].view(height, width)


@pytest.mark.parametrize('grid', [(1, 1), (2, 3), (4, 4)])
def test_segments_are_the_view_region_and_cluster_that_occur(grid):
    embeddings, regions = _data()
    found = find_segments(embeddings, regions, grid, 4)
    names = {}
    for n in range(3):
        clusters = reference_clusters(embeddings[n], regions[n], grid, 4)
        for y in range(6):
            for x in range(7):
                if regions[n, y, x] < 0:
                    assert found.ids[n, y, x] == -1
                else:
                    name = (n, int(regions[n, y, x]), int(clusters[y, x]))
                    names.setdefault(int(found.ids[n, y, x]), set()).add(name)
    assert sorted(names) == list(range(len(found.view)))  # compact
    assert all(len(name) == 1 for name in names.values())
    ordered = [next(iter(names[s])) for s in range(len(names))]
    assert ordered == sorted(set(ordered))
    assert [name[:2] for name in ordered] == list(
        zip(found.view.tolist(), found.region.tolist(), strict=True)
    )


def test_one_cluster_gives_the_regions_back():
    embeddings, regions = _data()
    found = find_segments(embeddings, regions, (1, 1), 1)
    assert found.view.tolist() == [0, 0, 0, 2, 2, 2]
    assert found.region.tolist() == [0, 1, 2, 0, 1, 2]


def test_two_orthogonal_halves_are_apart_after_one_iteration():
    embeddings = torch.zeros(1, 2, 4, 6)
    embeddings[:, 0, :, :2] = 1  # the boundary is not on the grid
    embeddings[:, 1, :, 2:] = 1
    found = find_segments(embeddings, torch.zeros(1, 4, 6).int(), (1, 2), 1)
    assert found.ids[0].tolist() == [[0, 0, 1, 1, 1, 1]] * 4


def test_a_grid_finer_than_the_map_and_regions_of_sixteen_bits():
    embeddings = torch.randn(1, 3, 2, 2)
    found = find_segments(embeddings, torch.full((1, 2, 2), 65534), (5, 5), 10)
    assert set(found.region.tolist()) == {65534}
    assert (found.ids >= 0).all()


def test_bad_grid_names_the_value():
    with pytest.raises(ValueError, match=r'grid=\(0, 4\)'):
        find_segments(*_data(), grid=(0, 4))


def test_region_labels_join_views_of_an_image_only():
    view, region = torch.tensor([0, 0, 1, 1, 2, 2]), torch.tensor([0, 1, 0, 1, 0, 1])
    segments = Segments(torch.zeros(3, 1, 1).long(), view, region)
    labels = region_labels(segments, torch.tensor([0, 1, 0]))
    for a in range(6):
        for b in range(6):
            same = region[a] == region[b] and (view[a] % 2 == view[b] % 2)
            assert bool(labels[a] == labels[b]) == same
    assert (labels >= 0).all()


def test_embeddings_are_normalized_means():
    embeddings, regions = _data()
    segments = find_segments(embeddings, regions, (2, 2))
    found = segment_embeddings(embeddings, segments)
    for s in range(len(segments.view)):
        pixels = [
            F.normalize(embeddings[n, :, y, x], dim=0)
            for n, y, x in (segments.ids == s).nonzero().tolist()
        ]
        expected = F.normalize(torch.stack(pixels).mean(0), dim=0)
        torch.testing.assert_close(found[s], expected)


def test_pixels_of_segments():
    embeddings, regions = _data()
    segments = find_segments(embeddings, regions)
    pixels, ids = segment_pixels(embeddings.half(), segments)
    assert pixels.dtype == torch.float32
    places = (segments.ids >= 0).nonzero().tolist()
    assert len(places) == len(pixels) == len(ids)
    for row, (n, y, x) in enumerate(places):
        expected = F.normalize(embeddings[n, :, y, x].half().float(), dim=0)
        torch.testing.assert_close(pixels[row], expected)
        assert ids[row] == segments.ids[n, y, x]


def test_gradient_reaches_every_pixel_of_a_segment_and_is_finite():
    embeddings, regions = _data()
    embeddings.requires_grad_()
    segments = find_segments(embeddings, regions)
    segment_embeddings(embeddings, segments).square().sum().backward()  # constant: only finite
    assert torch.isfinite(embeddings.grad).all()
    embeddings.grad = None
    segment_embeddings(embeddings, segments)[:, 0].sum().backward()
    reached = embeddings.grad.abs().sum(1) > 0
    assert torch.equal(reached, segments.ids >= 0)


def test_zero_pixels_do_not_count():
    embeddings, regions = _data()
    segments = find_segments(embeddings, regions, (1, 1))
    clip = embeddings.clone()
    clip[0, :, :3] = 0
    clip[2] = 0
    found = segment_embeddings(clip, segments)
    assert found[:3].norm(dim=1).tolist() == pytest.approx([1] * 3)
    assert not found[3:].any()


def test_no_valid_pixel_at_all():
    embeddings, regions = _data()
    embeddings.requires_grad_()
    segments = find_segments(embeddings, regions * 0 - 1)
    assert (segments.ids == -1).all() and len(segments.view) == 0
    assert region_labels(segments, torch.arange(3)).shape == (0,)
    pixels, ids = segment_pixels(embeddings, segments)
    means = segment_embeddings(embeddings, segments)
    assert pixels.shape == means.shape == (0, 4) and ids.shape == (0,)
    (pixels.sum() + means.sum()).backward()
    assert torch.equal(embeddings.grad, torch.zeros_like(embeddings))


def test_pixels_have_the_gradient_of_a_normalization_and_one_copy_in_memory():
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(2, 5, 4, 6, generator=generator)
    embeddings[0, :, 1, 2] = 0
    regions = torch.randint(-1, 3, (2, 4, 6), generator=generator)
    segments = find_segments(embeddings, regions, (1, 1), 1)
    inside = segments.ids >= 0
    weights = torch.randn(int(inside.sum()), 5, generator=generator)

    reference = embeddings.clone().requires_grad_()
    rows = reference.permute(0, 2, 3, 1)[inside]
    normal = rows.detach().norm(dim=1) > 0
    (F.normalize(rows[normal], dim=1) * weights[normal]).sum().backward()

    embeddings.requires_grad_()
    saved = {}

    def keep(tensor):
        if tensor.is_floating_point() and tensor.numel() >= weights.numel():
            saved[tensor.data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        pixels, _ = segment_pixels(embeddings, segments)
    assert len(saved) == 1
    (pixels * weights).sum().backward()
    torch.testing.assert_close(pixels[normal], F.normalize(rows[normal], dim=1))
    torch.testing.assert_close(embeddings.grad, reference.grad)
