import torch

from mmseg_langseg.evaluation import class_iou, count_pixels


def test_counts_are_those_of_a_loop():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(-1, 5, (7, 9), generator=generator)
    labels[0] = 255
    groups = torch.randint(0, 3, (7, 9), generator=generator)
    expected = torch.zeros(4, 3, dtype=torch.long)
    for label, group in zip(labels.flatten().tolist(), groups.flatten().tolist(), strict=True):
        if 0 <= label < 4:
            expected[label, group] += 1
    assert torch.equal(count_pixels(labels, groups, 4, 3), expected)


def test_uint8_labels_do_not_overflow():
    labels = torch.full((3, 4), 140, dtype=torch.uint8)
    counts = count_pixels(labels, labels, 150, 150)
    assert counts[140, 140] == 12 == counts.sum()


def test_iou_by_hand():
    confusion = torch.tensor([[6, 2, 0, 0], [1, 2, 1, 0], [1, 1, 3, 0], [0, 0, 0, 0]])
    iou = class_iou(confusion)
    torch.testing.assert_close(iou[:3], torch.tensor([6 / 10, 2 / 7, 3 / 6], dtype=torch.double))
    assert iou[3].isnan()
