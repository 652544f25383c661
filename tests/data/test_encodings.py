"""The cache of encodings: what is read is what would be computed, for the same sequence, pairs and encoder alone."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rnagen.data import encodings as encoded
from rnagen.data.encodings import EncodedCache, encode_rna, encoder_fingerprint
from rnagen.encoded import EncodedFile
from rnagen.features import from_chain
from rnagen.model.conditioning import read
from rnagen.secondary.pairs import SparsePairs
from rnagen.tasks.structure.data import with_encodings
from tests.helpers.encoders import KINDS, encoder, encoder_config, model_with_encoder
from tests.helpers.tiny import make_batch, make_chain

HALF = {"rtol": 1e-3, "atol": 5e-3}
every_kind = pytest.mark.parametrize("kind", KINDS)


def cache_of(folder: Path, kind: str = "convformer") -> EncodedCache:
    return EncodedCache(folder, encoder(encoder_config(kind)))


@every_kind
def test_what_is_read_is_what_the_encoder_says(tmp_path: Path, kind: str) -> None:
    cache, chain = cache_of(tmp_path, kind), make_chain(23)
    [file] = cache.encode([(chain.sequence, chain.pairs)])
    with torch.no_grad():
        output = read(cache.encoder, from_chain(chain))
    stored = file.whole()
    assert stored.layers.dtype == np.float16
    np.testing.assert_allclose(stored.layers, output.layers[0].numpy(), **HALF)
    assert (stored.pair is None) == (kind != "convformer")
    if stored.pair is not None:
        np.testing.assert_allclose(stored.pair, output.pair[0].numpy(), **HALF)
    residues = np.array([2, 3, 4, 11, 12, 22])
    part = pickle.loads(pickle.dumps(file)).crop(residues)
    np.testing.assert_array_equal(part.layers, stored.layers[residues])
    if stored.pair is not None:
        np.testing.assert_array_equal(part.pair, stored.pair[residues][:, residues])


def test_each_different_rna_is_encoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(model, sequence: str, pairs: SparsePairs):
        calls.append(sequence)
        return encode_rna(model, sequence, pairs)

    monkeypatch.setattr(encoded, "encode_rna", counted)
    first, second = make_chain(20), make_chain(20, seed=1)
    rnas = [(chain.sequence, chain.pairs) for chain in (first, second, first)]
    files = cache_of(tmp_path).encode(rnas)
    assert files[0] == files[2] != files[1]
    assert sorted(calls) == sorted([first.sequence, second.sequence])
    assert cache_of(tmp_path).encode(rnas) == files
    assert len(calls) == 2
    # An encoding is that of a sequence with its base pairs by an encoder.
    unpaired = SparsePairs(20, np.zeros((0, 2), np.int16), np.zeros(0, np.float32))
    assert cache_of(tmp_path).encode([(first.sequence, unpaired)]) != files[:1]
    other = encoder(encoder_config())
    with torch.no_grad():
        other.norm.bias += 1e-3
    assert EncodedCache(tmp_path, other).encode(rnas[:1]) != files[:1]
    assert len(calls) == 4


def test_an_interrupted_pair_is_encoded_again(tmp_path: Path) -> None:
    cache, chain = cache_of(tmp_path), make_chain(20)
    [file] = cache.encode([(chain.sequence, chain.pairs)])
    whole = file.whole()
    file.layers.unlink()
    assert cache.encode([(chain.sequence, chain.pairs)]) == [file]
    np.testing.assert_array_equal(file.whole().layers, whole.layers)
    assert sorted(path.name for path in cache.folder.iterdir()) == sorted([file.layers.name, file.pair.name])


@every_kind
def test_the_fingerprint_is_that_of_kind_and_weights(kind: str) -> None:
    model = encoder(encoder_config(kind))
    name = encoder_fingerprint(model)
    assert encoder_fingerprint(encoder(encoder_config(kind))) == name
    others = {encoder_fingerprint(encoder(encoder_config(k))) for k in KINDS if k != kind}
    with torch.no_grad():
        next(iter(model.parameters())).view(-1)[0] += 1e-6
    assert len({name, encoder_fingerprint(model), *others}) == 4


def test_values_that_no_half_precision_number_holds_are_refused() -> None:
    model, chain = encoder(encoder_config()), make_chain(20)
    with torch.no_grad():
        model.embedding.base.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="not finite"):
        encode_rna(model, chain.sequence, chain.pairs)


def test_the_encoder_stays_as_it_was(tmp_path: Path) -> None:
    """It reads in evaluation mode, and the one of the model stays in its own."""
    cache, chain = cache_of(tmp_path), make_chain(20)
    cache.encoder.train()
    for block in cache.encoder.blocks:
        block.dropout.p = 0.5
    [file] = cache.encode([(chain.sequence, chain.pairs)])
    assert cache.encoder.training
    np.testing.assert_array_equal(
        file.whole().layers, cache_of(tmp_path / "b").encode([(chain.sequence, chain.pairs)])[0].whole().layers
    )


@every_kind
def test_examples_are_cropped_and_padded_with_their_encodings(tmp_path: Path, kind: str) -> None:
    """The encoder reads the full sequence, whose rows a crop takes: it does not read the crop."""
    model, lengths = model_with_encoder(kind), (40, 13)
    chains = with_encodings([make_chain(n, seed=n) for n in lengths], EncodedCache(tmp_path, model.encoder))
    batch = make_batch(chains, crop=16)
    output = batch.features.encoded
    assert output.layers.shape == (2, 16, 2, 16)
    assert (output.pair is None) == (kind != "convformer")
    for row, chain in enumerate(chains):
        real = batch.features.mask[row]
        rows = batch.features.residue_index[row][real].numpy() - 1
        stored = chain.encoded.whole()
        np.testing.assert_array_equal(output.layers[row][real].numpy(), stored.layers[rows])
        assert not output.layers[row][~real].any()
        if stored.pair is not None:
            np.testing.assert_array_equal(output.pair[row][real][:, real].numpy(), stored.pair[rows][:, rows])
    with torch.no_grad():
        from_crop = read(model.encoder, batch.features)
        whole = read(model.encoder, from_chain(replace(chains[1], encoded=None)))
    assert (from_crop.layers[0, :16] - output.layers[0, :16]).abs().max() > 0.05
    np.testing.assert_allclose(output.layers[1, :13].float().numpy(), whole.layers[0].numpy(), **HALF)


@every_kind
def test_a_model_answers_from_the_cache_as_without(tmp_path: Path, kind: str) -> None:
    model, chain = model_with_encoder(kind), make_chain(23)
    [cached] = with_encodings([chain], EncodedCache(tmp_path, model.encoder))
    with torch.no_grad():
        expected, found = model.condition(from_chain(chain)).trunk, model.condition(from_chain(cached)).trunk
    torch.testing.assert_close(found.single, expected.single, rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(found.pair, expected.pair, rtol=1e-2, atol=2e-2)


def test_the_numbering_of_a_chain_does_not_matter(tmp_path: Path) -> None:
    """As for its base pairs: the sequence is read as if it were whole."""
    chain = make_chain(20)
    gapped = replace(chain, residue_index=chain.residue_index + 30 * (chain.residue_index > 9).astype(np.int32))
    first, second = with_encodings([chain, gapped], cache_of(tmp_path))
    assert isinstance(first.encoded, EncodedFile)
    assert first.encoded == second.encoded
