import numpy as np
import pytest

from mmseg_langseg.analysis import WordEmbeddings, nearest_words
from mmseg_langseg.fileio import BadFileError
from mmseg_langseg.models.text_encoders import OpenCLIPTextEncoder, Vocabulary
from tests.tiny import VIT


def words_of(rows):
    rows = np.asarray(rows, np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return WordEmbeddings(
        tuple(f'word {i}' for i in range(len(rows))), tuple(range(len(rows))), rows
    )


def test_every_word_of_a_vocabulary_is_encoded_on_its_own():
    vocabulary = Vocabulary.from_names(['cat, puss', 'grass'], background=['sky', 'sea, ocean'])
    encoder = OpenCLIPTextEncoder(VIT)
    found = WordEmbeddings.of_vocabulary(vocabulary, encoder, 'single')
    assert found.words == ('cat', 'puss', 'grass', 'sky', 'sea', 'ocean')
    assert found.classes == (0, 0, 1, 2, 2, 2)
    expected = encoder.encode_texts([f'A photo of a {word} in the scene' for word in found.words])
    np.testing.assert_allclose(found.rows, expected.numpy(), atol=1e-6)


def test_a_file_of_embeddings_is_normalized(tmp_path):
    rows = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float16)
    np.savez(tmp_path / 'x.npz', names=np.array(list('abcde')), embeddings=rows)
    found = WordEmbeddings.from_npz(tmp_path / 'x.npz')
    assert found.words == tuple('abcde') and found.classes == tuple(range(5))
    assert found.rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found.rows, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(
        found.rows, rows / np.linalg.norm(rows.astype(float), axis=1)[:, None], atol=1e-3
    )


TWO = np.array(['a', 'b'])


@pytest.mark.parametrize(
    ('arrays', 'message'),
    [
        (dict(names=TWO), r"expected the arrays 'names'.*'embeddings'"),
        (dict(names=TWO, embeddings=np.ones((3, 4))), r'shape \(2, D\)'),
        (dict(names=TWO, embeddings=np.ones(2)), r'shape \(2, D\)'),
        (dict(names=TWO, embeddings=np.ones((2, 4), int)), 'dtype int64'),
        (dict(names=np.array([1, 2]), embeddings=np.ones((2, 4))), 'expected N strings'),
        (dict(names=TWO, embeddings=np.array([[1.0, 0], [0, 0]])), "of 'b' is zero"),
        (dict(names=TWO, embeddings=np.array([[1.0, 0], [0, np.nan]])), "of 'b' is zero or not"),
        (dict(names=TWO, embeddings=np.array([[np.inf, 0], [0, 1]])), "of 'a' is zero or not"),
        (dict(names=TWO[:0], embeddings=np.ones((0, 4))), 'no embeddings'),
        (dict(names=np.array(['a', None]), embeddings=np.ones((2, 4))), 'Object arrays'),
    ],
)
def test_other_content_is_named(tmp_path, arrays, message):
    np.savez(tmp_path / 'x.npz', **arrays)
    with pytest.raises(BadFileError, match=rf'x\.npz: .*{message}'):
        WordEmbeddings.from_npz(tmp_path / 'x.npz')


def test_damaged_and_missing_files_are_named(tmp_path):
    path = tmp_path / 'x.npz'
    with pytest.raises(FileNotFoundError, match='no embedding file'):
        WordEmbeddings.from_npz(path)
    np.savez(path, names=TWO, embeddings=np.ones((2, 4)))
    content = path.read_bytes()
    for damaged in (
        b'',
        b'{}',
        content[:-30],
        content.replace(b"'shape': (2, 4)", b"'shape': (2,9)"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(BadFileError, match=r'x\.npz: '):
            WordEmbeddings.from_npz(path)


def test_nearest_words_are_those_of_a_plain_loop():
    rng = np.random.default_rng(0)
    words = words_of(rng.normal(size=(20, 8)))
    centers = words_of(rng.normal(size=(4, 8))).rows
    found = nearest_words(centers, words, 3)
    for center, nearest in zip(centers, found, strict=True):
        cosines = [sum(a * b for a, b in zip(center, row, strict=True)) for row in words.rows]
        order = sorted(range(20), key=lambda i: -cosines[i])[:3]
        assert [near.index for near in nearest] == order
        assert [near.word for near in nearest] == [words.words[i] for i in order]
        np.testing.assert_allclose([n.cosine for n in nearest], np.array(cosines)[order], rtol=1e-4)
    assert len(nearest_words(centers, words, 99)[0]) == 20


def test_embeddings_of_another_clip_are_an_error():
    with pytest.raises(ValueError, match=r'8 dimensions .* 4'):
        nearest_words(words_of(np.eye(8)).rows, words_of(np.eye(4)))
