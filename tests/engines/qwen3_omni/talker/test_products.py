"""Whatever way the weights lie, products and convolutions are torch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from omni_agent.engines.qwen3_omni.talker.products import Convolution, Product

ROWS = [1, 2, 3, 4, 5, 33, 300]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=["as the CPU likes it", "plain"])
def blocked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param == "plain":  # what a GPU reads, and a torch without oneDNN
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
        return False
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this torch has no oneDNN")
    return True


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize(("out", "width", "planned"), [(96, 40, 1), (7, 96, 1920), (288, 192, 640)])
def test_a_product(rows: int, out: int, width: int, planned: int, blocked: bool) -> None:
    weight, bias, x = noise(out, width), noise(out, seed=1), noise(2, rows, width, seed=2)
    for given in (bias, None):
        product = Product.of(weight, given, rows=planned)
        assert product.blocked == blocked
        assert torch.allclose(product(x), F.linear(x, weight, given), atol=1e-4)
        assert torch.allclose(product(x[:1]), F.linear(x[:1], weight, given), atol=1e-4)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("dilation", [1, 3, 9])
@pytest.mark.parametrize(("out", "channels", "taps"), [(24, 24, 7), (40, 16, 2), (96, 96, 7)])
def test_a_dilated_convolution(
    rows: int, dilation: int, out: int, channels: int, taps: int, blocked: bool
) -> None:
    weight, bias = noise(out, channels, taps), noise(out, seed=1)
    convolution = Convolution.of(weight, bias, rows=32, dilation=dilation)
    assert convolution.blocked == blocked
    assert (convolution.channels, convolution.kept) == (channels, (taps - 1) * dilation)
    x = noise(2, rows + convolution.kept, channels, seed=2)
    expected = F.conv1d(x.transpose(1, 2), weight, bias, dilation=dilation).transpose(1, 2)
    made = convolution(x)
    assert made.shape == (2, rows, out)
    assert torch.allclose(made, expected, atol=1e-4)


def test_rows_that_lie_apart_are_read_right(blocked: bool) -> None:
    wide, weight = noise(2, 50, 80), noise(24, 40)
    part = wide[:, 3:, 20:60]
    assert torch.allclose(Product.of(weight, rows=4)(part), F.linear(part, weight), atol=1e-4)
    taps, bias = noise(24, 40, 7), noise(24)
    expected = F.conv1d(part.transpose(1, 2), taps, bias).transpose(1, 2)
    assert torch.allclose(Convolution.of(taps, bias, rows=4)(part), expected, atol=1e-4)


def test_a_row_is_the_same_to_the_last_bit_alone_and_among_others_up_to_four(blocked: bool) -> None:
    if not blocked:
        pytest.skip("only oneDNN's products are padded to one shape")
    product, x = Product.of(noise(64, 48), rows=1), noise(4, 48, seed=1)
    together = product(x)
    for row in range(4):
        assert torch.equal(product(x[row : row + 1])[0], together[row])


@pytest.mark.parametrize(
    "weight", [torch.zeros(8, 8, dtype=torch.bfloat16), torch.zeros(8, 8, device="meta")]
)
def test_half_precision_and_other_devices_keep_their_weights_plain(weight: Tensor) -> None:
    product = Product.of(weight, rows=1)
    assert not product.blocked
    assert product.weight is weight
    assert product(torch.zeros_like(weight)).shape == (8, 8)
