"""Compiles every Triton kernel, as the runtime launches it at the published size, for real GPUs.

Run as a program, outside the interpreter of the tests: Triton needs no GPU to compile
for one. Prints a line a kernel and target: its name, target, and bytes of shared memory.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
from torch import Tensor
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from omni_agent.engines.qwen3_omni.talker import triton_ops
from omni_agent.engines.qwen3_omni.talker.ops import Places
from omni_agent.engines.qwen3_omni.talker.products import Product

CAPABILITIES = (80, 90)  # Ampere, Hopper
SLOTS, POSITIONS = 9, 8192
TYPES = {torch.bfloat16: "*bf16", torch.float32: "*fp32", torch.int64: "*i64"}
Launch = tuple[Any, tuple[Any, ...], dict[str, int]]


def launches() -> list[Launch]:
    """What the operations launch for the Talker's, MTP's and Code2Wav's shapes."""
    made: list[Launch] = []
    triton_ops._launch = lambda kernel, grid, *args, **constants: made.append(
        (kernel, args, constants)
    )
    ops = triton_ops.TritonOps()
    for rows in (1, 8, 32, 40):
        at = empty(rows, dtype=torch.int64)
        turns = empty(rows, 64, dtype=torch.float32)
        places = Places(at, at, turns, turns, apart=True)
        norms = ((empty(128), 1e-6), (empty(128), 1e-6))
        norm = (empty(1024), 1e-6)
        for groups, positions in ((2, POSITIONS), (8, 16)):
            cache = (empty(SLOTS, groups, positions, 128), empty(SLOTS, groups, positions, 128))
            weight = Product(empty((16 + 2 * groups) * 128, 1024))
            qkv = ops.linear(empty(rows, 1024), weight, norm=norm)
            ops.attention(qkv, norms, cache, places)
            mixed = ops.attend(ops.rope_store(qkv, norms, cache, places), cache, places)
            x = ops.linear(mixed, Product(empty(1024, 2048)), add=empty(rows, 1024))
        inner = ops.gated(x, Product(empty(2 * 3072, 1024)), norm=norm)
        ops.linear(inner, Product(empty(1024, 3072)), add=x)
        normed = ops.rms_norm(x, norm)
        chosen = ops.route(ops.linear(normed, Product(empty(129, 1024))), 6, normalise=True)
        weights = (empty(128, 768, 1024), empty(128, 1024, 384))
        ops.experts(normed, chosen, weights, (x, x), grouped=False)
        settings = [empty(rows, dtype=torch.float32) for _ in range(3)]
        for dtype, vocabulary in ((torch.bfloat16, 2048), (torch.float32, 3072)):
            logits = empty(rows, vocabulary, dtype=dtype)
            ops.choose(logits, settings[0], at, settings[1], settings[2])
        ops.join_snake(empty(rows, 6, 96), empty(rows, 1920, 96), (empty(96), empty(96)))
    return distinct(made)


def empty(*shape: int, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def distinct(launches: list[Launch]) -> list[Launch]:
    """One launch for each program that Triton would make."""
    made = {}
    for launch in launches:
        kernel, args, constants = launch
        types = tuple(arg.dtype if isinstance(arg, Tensor) else type(arg) for arg in args)
        made[kernel.__name__, types, tuple(constants.items())] = launch
    return list(made.values())


def source(launch: Launch) -> ASTSource:
    kernel, args, settings = launch
    constants: dict[str, Any] = {k: v for k, v in settings.items() if k not in options(launch)}
    signature, aligned = {}, {}
    for index, (name, value) in enumerate(zip(kernel.arg_names, args, strict=False)):
        # What Triton's launcher makes of the arguments.
        if value is None or (isinstance(value, int) and value == 1):
            constants[name] = value
        elif isinstance(value, Tensor):
            signature[name] = TYPES[value.dtype]
        else:
            signature[name] = "fp32" if isinstance(value, float) else "i32"
        if isinstance(value, Tensor) or (isinstance(value, int) and value != 1 and value % 16 == 0):
            aligned[(index,)] = [["tt.divisibility", 16]]
    assert set(signature) | set(constants) == set(kernel.arg_names), kernel.arg_names
    signature.update(dict.fromkeys(constants, "constexpr"))
    return ASTSource(kernel, signature, constants, aligned)


def options(launch: Launch) -> dict[str, int]:
    return {name: value for name, value in launch[2].items() if name.startswith("num_")}


def main() -> None:
    for launch in launches():
        for capability in CAPABILITIES:
            target = GPUTarget("cuda", capability, 32)
            compiled = triton.compile(source(launch), target=target, options=options(launch))
            print(launch[0].__name__, f"sm_{capability}", compiled.metadata.shared)


if __name__ == "__main__":
    main()
