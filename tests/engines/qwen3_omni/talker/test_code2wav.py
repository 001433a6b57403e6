"""Streaming equals offline, and offline equals the reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from omni_agent.engines.qwen3_omni.talker.code2wav import Code2Wav, WavStore
from omni_agent.engines.qwen3_omni.talker.tiny import make_tiny
from omni_agent.engines.qwen3_omni.talker.weights import load

FRAMES = 350  # past the reference's 300-frame chunk, and five times the attention window
RAGGED = [3, 1, 2, 7, 50, 1, 1, 130, 5, 80, 70]


# A CPU keeps the weights of the one (as published) in half the bytes, and of the other not.
@pytest.fixture(scope="module", params=[torch.bfloat16, torch.float32], ids=["bf16", "fp32"])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint in either precision."""
    return make_tiny(tmp_path_factory.mktemp("stored"), dtype=request.param)


@pytest.fixture(scope="module")
def decoder(stored: Path) -> Code2Wav:
    weights = load(stored)
    return Code2Wav(weights.config.code2wav_config, weights.code2wav)


def reference_of(stored: Path) -> Any:
    transformers = pytest.importorskip("transformers")
    kind = transformers.Qwen3OmniMoeForConditionalGeneration
    return kind.from_pretrained(stored, dtype=torch.float32).eval().code2wav


@pytest.fixture(scope="module")
def codes() -> torch.Tensor:
    return torch.randint(0, 64, (1, 16, FRAMES), generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module")
def whole(decoder: Code2Wav, codes: torch.Tensor) -> np.ndarray:
    wave, _ = decoder.decode(codes, decoder.empty_state(1), first=True)
    return wave[0].numpy()


def stream(decoder: Code2Wav, codes: torch.Tensor, sizes: list[int]) -> list[np.ndarray]:
    state, out, done = decoder.empty_state(1), [], 0
    for size in sizes:
        wave, state = decoder.decode(codes[..., done : done + size], state, first=done == 0)
        out.append(wave[0].numpy())
        done += size
    return out


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, "ragged"])
def test_streaming_equals_offline(
    size: int | str, decoder: Code2Wav, codes: torch.Tensor, whole: np.ndarray
) -> None:
    if isinstance(size, int):
        sizes = [size] * (FRAMES // size) + ([FRAMES % size] if FRAMES % size else [])
    else:
        sizes = RAGGED
    assert sum(sizes) == FRAMES
    pieces = stream(decoder, codes, sizes)
    assert [len(piece) for piece in pieces] == [
        1920 * count - (555 if index == 0 else 0) for index, count in enumerate(sizes)
    ]
    assert np.abs(np.concatenate(pieces) - whole).max() < 1e-4


@pytest.mark.filterwarnings("ignore")
def test_offline_equals_one_forward_of_the_reference(
    stored: Path, codes: torch.Tensor, whole: np.ndarray
) -> None:
    with torch.no_grad():
        reference = reference_of(stored)(codes)[0, 0].numpy()
    assert reference.shape == whole.shape == (1920 * FRAMES - 555,)
    assert (np.abs(reference) < 1).mean() > 0.999, "a clamped waveform would hide differences"
    assert np.abs(whole - reference).max() < 1e-4


@pytest.mark.filterwarnings("ignore")
def test_the_tail_is_what_the_reference_trims(
    stored: Path, decoder: Code2Wav, codes: torch.Tensor
) -> None:
    model = reference_of(stored)
    for block in model.decoder[1:5]:
        block.block[1].right_pad = 0
    with torch.no_grad():
        reference = model(codes[..., :9])[0, 0].numpy()
    state = decoder.empty_state(1)
    wave, state = decoder.decode(codes[..., :9], state, first=True)
    tail = decoder.flush(state)
    assert tail.shape == (1, 555)
    both = torch.cat((wave, tail), dim=1)[0].numpy()
    assert both.shape == reference.shape == (1920 * 9,)
    assert np.abs(both - reference).max() < 1e-4


def test_streams_of_different_ages_share_a_batch(decoder: Code2Wav, codes: torch.Tensor) -> None:
    alone = np.concatenate(stream(decoder, codes[..., :30], [1] * 30))
    store = WavStore(3, decoder.empty_state(1))
    slots = torch.tensor([2, 0])
    late = codes[..., 100:120]
    for index in range(30):
        if index < 12:  # the second stream is 12 frames younger
            rows, batch = slots[:1], codes[..., index : index + 1]
        else:
            rows, batch = (
                slots,
                torch.cat((codes[..., index : index + 1], late[..., index - 12 : index - 11])),
            )
        if index in {0, 12}:  # a first frame goes alone
            for row, one in zip(rows.tolist(), batch, strict=True):
                at = torch.tensor([row])
                first = index == 0 or row == 0
                _, after = decoder.decode(one.unsqueeze(0), store.select(at), first=first)
                store.store(at, after)
            continue
        wave, after = decoder.decode(batch, store.select(rows), first=False)
        store.store(rows, after)
    assert store.select(torch.arange(3)).frames.tolist() == [18, 0, 30]
    assert np.abs(wave[0].numpy() - alone[-1920:]).max() < 1e-4
    young = np.concatenate(stream(decoder, late[..., :18], [1] * 18))
    assert np.abs(wave[1].numpy() - young[-1920:]).max() < 1e-4


def test_a_stream_that_begins_anew_has_nothing_of_the_one_before(
    decoder: Code2Wav, codes: torch.Tensor
) -> None:
    start = decoder.empty_state(1)
    store, slot = WavStore(2, start), torch.tensor([1])
    store.store(slot, decoder.decode(codes[..., :3], start, first=True)[1])
    assert any(part.any() for part in store.select(slot).parts())
    store.reset(1)
    again = store.select(slot)
    for own, new in zip(
        (again.frames, *again.parts()), (start.frames, *start.parts()), strict=True
    ):
        assert torch.equal(own, new)


def test_the_published_state_is_2_59_megabytes_a_stream_in_bfloat16() -> None:
    import json

    from omni_agent.engines.qwen3_omni.talker.code2wav_weights import read_code2wav
    from omni_agent.engines.qwen3_omni.talker.config import parse_config
    from omni_agent.engines.qwen3_omni.talker.layout import runtime_layout
    from omni_agent.engines.qwen3_omni.talker.reading import MetaSource, Reader

    raw = json.loads((Path(__file__).parent / "published_config.json").read_text())
    config = parse_config(raw, "published")
    reader = Reader(MetaSource(runtime_layout(config)), torch.device("meta"), torch.bfloat16)
    wav = config.code2wav_config
    with torch.device("meta"):
        store = WavStore(1, Code2Wav(wav, read_code2wav(wav, reader)).empty_state(1))
    assert store.nbytes_per_stream() == pytest.approx(2.59e6, rel=0.01)
