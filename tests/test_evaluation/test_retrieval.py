import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmseg_langseg.evaluation import embed_images, evaluate_retrieval, retrieve_labels
from mmseg_langseg.evaluation.retrieval import build_memory
from tests.test_evaluation.colors import COLORS, ColorEncoder, color_loader


def rows(count, width, seed):
    return F.normalize(torch.randn(count, width, generator=torch.Generator().manual_seed(seed)))


def slow(queries, memory, labels, neighbors):
    found = []
    for query in queries:
        order = sorted(range(len(memory)), key=lambda i: -float(query @ memory[i]))[:neighbors]
        votes = {}
        for i in order:
            count, total = votes.get(int(labels[i]), (0, 0.0))
            votes[int(labels[i])] = (count + 1, total + float(query @ memory[i]))
        found.append(max(votes, key=votes.get))
    return torch.tensor(found)


@pytest.mark.parametrize('neighbors', [1, 4, 5, 1000])
def test_labels_are_those_of_a_loop(neighbors):
    # More queries than one chunk; four neighbors with three labels produce ties.
    queries, memory = rows(300, 4, 0), rows(40, 4, 1)
    labels = torch.randint(0, 3, (40,), generator=torch.Generator().manual_seed(2))
    expected = slow(queries, memory, labels, neighbors)
    assert torch.equal(retrieve_labels(queries, memory, labels, neighbors), expected)


def test_a_tie_goes_to_the_nearer():
    memory = F.normalize(torch.tensor([[1.0, 0.0], [1.0, 0.1], [1.0, 1.0], [1.0, 0.9]]))
    labels = torch.tensor([5, 2, 5, 2])
    assert retrieve_labels(memory[:1], memory, labels, 4).tolist() == [2]


@pytest.mark.parametrize(('neighbors', 'count'), [(0, 3), (5, 0)])
def test_no_neighbors_and_empty_memory_are_refused(neighbors, count):
    with pytest.raises(ValueError, match=f'{neighbors} neighbors in a memory of {count} rows'):
        retrieve_labels(torch.eye(2), torch.ones(count, 2), torch.zeros(count).long(), neighbors)


def test_memory_holds_segments_and_their_labels():
    memory, labels = build_memory(ColorEncoder(), color_loader())
    assert 6 * 2 <= len(memory) <= 6 * 36
    assert torch.equal((memory @ COLORS.T).argmax(1), labels)


def test_colors_are_retrieved():
    model, loader = ColorEncoder(), color_loader()
    result = evaluate_retrieval(model, loader, color_loader(count=3), neighbors=3)
    assert result.miou == 100
    for words in ('6 images of Colors', '3 images of Colors', '6x6 clusters', 'its 3 nearest'):
        assert words in result.protocol


def test_a_memory_of_other_classes_is_refused():
    other = color_loader()
    other.dataset.metainfo = dict(classes=('red', 'green', 'gray'))
    with pytest.raises(ValueError, match='not those of the test split'):
        evaluate_retrieval(ColorEncoder(), color_loader(), other)


def test_images_without_labels_are_refused():
    with pytest.raises(ValueError, match='LoadLabelMap'):
        evaluate_retrieval(ColorEncoder(), color_loader(labeled=False), color_loader())


def test_only_encoders_give_embeddings():
    with pytest.raises(TypeError, match='Conv2d gives no embeddings'):
        next(embed_images(nn.Conv2d(3, 3, 1), color_loader()))
    batch = next(embed_images(ColorEncoder(), color_loader()))
    torch.testing.assert_close(batch.embeddings.norm(dim=1), torch.ones(2, 8, 8))
    assert batch.size == (16, 16) and len(batch.samples) == 2
