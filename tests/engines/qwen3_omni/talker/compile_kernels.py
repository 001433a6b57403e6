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

CAPABILITIES = (80, 89, 90)  # Ampere, Ada, Hopper
ROWS, SLOTS, POSITIONS = 8, 9, 8192
TYPES = {torch.bfloat16: "*bf16", torch.float32: "*fp32", torch.int64: "*i64"}
Launch = tuple[Any, tuple[Any, ...], dict[str, int]]


def launches() -> list[Launch]:
    """What the operations launch for the Talker's and MTP's shapes."""
    made: list[Launch] = []
    triton_ops._launch = lambda kernel, grid, *args, **constants: made.append(
        (kernel, args, constants)
    )
    ops = triton_ops.TritonOps()
    rows = torch.zeros(ROWS, dtype=torch.int64, device="meta")
    for groups, positions in ((2, POSITIONS), (8, 16)):
        cache = (half(SLOTS, groups, positions, 128), half(SLOTS, groups, positions, 128))
        angles = (torch.zeros(ROWS, 64, device="meta"), torch.zeros(ROWS, 64, device="meta"))
        qkv = half(ROWS, (16 + 2 * groups) * 128)
        q = ops.rope_store(qkv, (half(128), half(128)), angles, cache, (rows, rows), 1e-6)
        ops.attend(q, cache, (rows, rows))
    ops.rms_norm(half(ROWS, 1024), half(1024), 1e-6)
    ops.swiglu(half(ROWS, 2 * 3072))
    chosen = torch.zeros(ROWS, 6, dtype=torch.int64, device="meta")
    ops.experts(half(ROWS, 1024), chosen, half(ROWS, 6), half(128, 768, 1024), half(128, 1024, 384))
    return made


def half(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.bfloat16, device="meta")


def source(launch: Launch) -> ASTSource:
    kernel, args, constants = launch
    signature, aligned = {}, {}
    for index, (name, value) in enumerate(zip(kernel.arg_names, args, strict=False)):
        if isinstance(value, Tensor):
            signature[name] = TYPES[value.dtype]
            aligned[(index,)] = [["tt.divisibility", 16]]
        else:
            signature[name] = "fp32" if isinstance(value, float) else "i32"
    assert set(signature) | set(constants) == set(kernel.arg_names), kernel.arg_names
    signature.update(dict.fromkeys(constants, "constexpr"))
    return ASTSource(kernel, signature, constants, aligned)


def main() -> None:
    for launch in launches():
        for capability in CAPABILITIES:
            target = GPUTarget("cuda", capability, 32)
            compiled = triton.compile(source(launch), target=target)
            print(launch[0].__name__, f"sm_{capability}", compiled.metadata.shared)


if __name__ == "__main__":
    main()
