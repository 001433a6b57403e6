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
@pytest.mark.parametrize(
    ("out", "channels", "taps", "planned"), [(24, 24, 7, 4), (40, 16, 2, 160), (96, 96, 7, 1920)]
)
def test_a_dilated_convolution(
    rows: int, dilation: int, out: int, channels: int, taps: int, planned: int, blocked: bool
) -> None:
    weight, bias = noise(out, channels, taps), noise(out, seed=1)
    convolution = Convolution.of(weight, bias, rows=planned, dilation=dilation)
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
    assert torch.allclose(Convolution.of(taps, bias, rows=99)(part), expected, atol=1e-4)


def test_a_row_is_the_same_to_the_last_bit_alone_and_among_others_up_to_four(blocked: bool) -> None:
    if not blocked:
        pytest.skip("only oneDNN's products are padded to one shape")
    product, x = Product.of(noise(64, 48), rows=1), noise(4, 48, seed=1)
    together = product(x)
    for row in range(4):
        assert torch.equal(product(x[row : row + 1])[0], together[row])


HALVES = torch.backends.quantized.engine in {"x86", "fbgemm"}
needs_halves = pytest.mark.skipif(not HALVES, reason="only FBGEMM multiplies by float16 weights")


@needs_halves
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("with_bias", [True, False])
def test_a_few_rows_times_published_weights_are_a_product_in_fp32(
    rows: int, with_bias: bool
) -> None:
    weight = (0.02 * noise(96, 640)).bfloat16().float()
    bias, gain, x = noise(96, seed=1), noise(96, seed=2), noise(2, rows, 640, seed=3)
    product = Product.of(weight, bias if with_bias else None, rows=1, gain=gain)
    assert product.gain is not None, "the weight was not halved"
    exact = F.linear(x.double(), weight.double()) * gain + (bias if with_bias else 0)
    made = product(x)
    assert made.dtype == torch.float32
    # A factor rounded to float16, or a sum kept in it, would be off by 1e-3.
    assert torch.allclose(made.double(), exact, rtol=1e-5, atol=1e-5)


@needs_halves
def test_weights_of_any_size_are_halved_when_bfloat16_holds_them() -> None:
    for size in (1e-30, 1e-3, 1.0, 1e30):
        weight = (size * noise(16, 32)).bfloat16().float()
        weight[0, :4] = torch.tensor([0.0, 1e-12 * size, -1e-9 * size, 1e-6 * size])
        weight = weight.bfloat16().float()
        product, x = Product.of(weight, rows=1), noise(3, 32, seed=1)
        assert product.gain is not None
        exact = F.linear(x.double(), weight.double())
        assert ((product(x).double() - exact).abs() / size).max() < 1e-4


@needs_halves
@pytest.mark.parametrize("weight", [noise(16, 32), torch.zeros(16, 32)], ids=["fp32", "zero"])
def test_weights_that_float16_cannot_hold_stay_in_fp32(weight: Tensor) -> None:
    gain, x = noise(16, seed=1), noise(3, 32, seed=2)
    product = Product.of(weight, rows=1, gain=gain)
    assert product.gain is None
    assert torch.allclose(product(x), F.linear(x, weight) * gain, atol=1e-5)


@needs_halves
def test_many_rows_keep_fp32_weights_which_are_no_slower_then() -> None:
    weight = noise(16, 32).bfloat16().float()
    assert Product.of(weight, rows=640).gain is None


@needs_halves
def test_a_convolution_of_a_few_rows_halves_its_weights_too() -> None:
    weight, bias = noise(24, 16, 7).bfloat16().float(), noise(24, seed=1)
    for dilation in (1, 3):
        convolution = Convolution.of(weight, bias, rows=4, dilation=dilation)
        assert isinstance(convolution.weight, Product)
        assert convolution.weight.gain is not None
        x = noise(2, 5 + convolution.kept, 16, seed=2)
        expected = F.conv1d(x.transpose(1, 2), weight, bias, dilation=dilation).transpose(1, 2)
        assert torch.allclose(convolution(x), expected, atol=1e-4)


@pytest.mark.parametrize(
    "weight", [torch.zeros(8, 8, dtype=torch.bfloat16), torch.zeros(8, 8, device="meta")]
)
def test_half_precision_and_other_devices_keep_their_weights_plain(weight: Tensor) -> None:
    product = Product.of(weight, rows=1)
    assert not product.blocked
    assert product.weight is weight
    assert product(torch.zeros_like(weight)).shape == (8, 8)
