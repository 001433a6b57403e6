"""How long one 80 ms frame takes: Talker step, MTP and Code2Wav, beside the reference.

    taskset -c 1 python benchmarks/talker.py [--size tiny|cpu|true] [--streams 1,4,16,32]
                                             [--only parts|frames|code2wav] [--json FILE]
                                             [--profile]

Random weights, no network. ``true`` is the published size (the default on a GPU);
``cpu`` keeps Code2Wav and MTP at their published size and cuts the Talker to two
layers of sixteen experts (the default on a CPU). The reference is the same module
of ``transformers``, eager, in the same process; runs alternate, and the table
shows each one's median and quartiles, in milliseconds. The ratio is the median of
the rounds' own ratios: what else the machine does falls on both halves of a round.
``--profile`` says, after the table, which kernels or operations a frame's time goes to.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from omni_agent.engines.qwen3_omni.talker.batch import CodesJob, SamplesJob
from omni_agent.engines.qwen3_omni.talker.code2wav import Code2Wav
from omni_agent.engines.qwen3_omni.talker.config import OmniConfig, parse_config
from omni_agent.engines.qwen3_omni.talker.layout import TEXT_EMBEDDING, runtime_layout
from omni_agent.engines.qwen3_omni.talker.ops import EagerOps
from omni_agent.engines.qwen3_omni.talker.predictor import Predictor
from omni_agent.engines.qwen3_omni.talker.prompt import Segment
from omni_agent.engines.qwen3_omni.talker.reading import RandomSource, Reader
from omni_agent.engines.qwen3_omni.talker.runtime import Frame, Runtime, RuntimeOptions, Stream
from omni_agent.engines.qwen3_omni.talker.sampling import TalkerSampling
from omni_agent.engines.qwen3_omni.talker.tiny_config import tiny_config
from omni_agent.engines.qwen3_omni.talker.weights import TalkerWeights, build

PUBLISHED = Path(__file__).parents[1] / "tests/engines/qwen3_omni/talker/published_config.json"
PROMPT = 256  # positions
ONLY = ("parts", "frames", "code2wav")
FRAME, FIRST = "whole 80 ms frame", "first frame after the first token"
PREFILL = f"Talker prefill, {PROMPT} positions"
TARGETS_MS = {(FRAME, 1): 4, (FRAME, 16): 8, (FRAME, 32): 12, (PREFILL, 1): 6, (FIRST, 1): 10}
"""Medians on one H100 80 GB in bfloat16, at true size; (row, streams)."""


@dataclass(frozen=True)
class Spread:
    """Quartiles of the rounds, milliseconds."""

    low: float
    median: float
    high: float

    @staticmethod
    def of(times: Sequence[float]) -> Spread:
        low, median, high = np.percentile(times, (25, 50, 75)).tolist()
        return Spread(low, median, high)

    def __str__(self) -> str:
        return f"{self.median:.1f} ({self.low:.1f} – {self.high:.1f})"


@dataclass(frozen=True)
class Row:
    """One line of the table. ratio: the reference's time over ours, median of the rounds."""

    what: str
    streams: int
    ours: Spread
    reference: Spread | None = None
    ratio: float | None = None


class Bench:
    """Alternates ours and the reference, so that a busy machine is busy for both."""

    def __init__(self, rounds: int, device: torch.device, *, judged: bool) -> None:
        """judged: against the targets."""
        self.rounds, self.device, self.judged = rounds, device, judged
        self.rows: list[Row] = []

    def add(
        self,
        what: str,
        streams: int,
        ours: Callable[[], object],
        reference: Callable[[], object] | None = None,
        *,
        per: tuple[int, int] = (1, 1),
    ) -> None:
        """``per``: how many frames one call of ours, and of the reference, makes."""
        times: tuple[list[float], list[float]] = ([], [])
        for turn in range(self.rounds + 1):  # the first one warms up
            for index, call in enumerate((ours, reference)):
                if call is not None:
                    spent = self._time(call) / per[index]
                    if turn:
                        times[index].append(spent)
        row = Row(what, streams, Spread.of(times[0]))
        if times[1]:
            ratio = statistics.median(b / a for a, b in zip(*times, strict=True))
            row = Row(what, streams, row.ours, Spread.of(times[1]), ratio)
        self.show(row)

    def show(self, row: Row) -> None:
        self.rows.append(row)
        target = TARGETS_MS.get((row.what, row.streams)) if self.judged else None
        print(format_row(row, target), flush=True)

    def _time(self, call: Callable[[], object]) -> float:
        self._wait()
        begin = time.perf_counter()
        call()
        self._wait()
        return 1e3 * (time.perf_counter() - begin)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def raw_config(size: str) -> dict[str, Any]:
    if size == "tiny":
        return tiny_config()
    raw: dict[str, Any] = json.loads(PUBLISHED.read_text())
    if size == "cpu":
        raw["talker_config"]["text_config"].update(num_hidden_layers=2, num_experts=16)
        raw["thinker_config"]["text_config"]["vocab_size"] = 151_936
    return raw


def random_weights(config: OmniConfig, device: torch.device, dtype: torch.dtype) -> TalkerWeights:
    layout = runtime_layout(config)
    rows = torch.empty(layout[TEXT_EMBEDDING], dtype=torch.bfloat16).normal_(0, 0.5)
    return build(config, Reader(RandomSource(layout, device), device, dtype), rows)


class Reference:
    """The public modules with random weights; None of them where transformers is missing."""

    def __init__(self, raw: dict[str, Any], device: torch.device, dtype: torch.dtype) -> None:
        from transformers import Qwen3OmniMoeConfig
        from transformers.models.qwen3_omni_moe import modeling_qwen3_omni_moe as modules

        config = Qwen3OmniMoeConfig(**raw)
        kinds = {
            "talker": (modules.Qwen3OmniMoeTalkerForConditionalGeneration, config.talker_config),
            "wav": (modules.Qwen3OmniMoeCode2Wav, config.code2wav_config),
        }
        made = {}
        for name, (kind, part) in kinds.items():
            with torch.device(device):
                model = kind(part).to(dtype).eval()
            for parameter in model.parameters():  # its own init leaves the experts NaN
                torch.nn.init.normal_(parameter, 0, 0.02)
            made[name] = model
        self.talker, self.wav = made["talker"], made["wav"]
        self.device, self.dtype = device, dtype
        self.hidden = config.talker_config.text_config.hidden_size
        self.cache: Any = None

    def row(self, count: int) -> torch.Tensor:
        return torch.randn(1, count, self.hidden, device=self.device, dtype=self.dtype)

    def prefill(self) -> None:
        out = self.talker.model(inputs_embeds=self.row(PROMPT), use_cache=True)
        self.cache = out.past_key_values

    def step(self) -> None:
        hidden = self.talker.model(
            inputs_embeds=self.row(1), past_key_values=self.cache, use_cache=True
        ).last_hidden_state
        self.talker.codec_head(hidden)

    def predict(self) -> None:
        self.talker.code_predictor.generate(
            inputs_embeds=self.row(2), max_new_tokens=15, do_sample=True, top_k=50, top_p=0.8
        )


def opened(runtime: Runtime, count: int) -> list[Stream]:
    config = runtime.config
    streams = []
    for seed in range(count):
        stream = runtime.open(sampling=TalkerSampling(seed=seed))
        runtime.prefill(stream, Segment((config.user_token_id,) * PROMPT))
        runtime.begin(stream)
        runtime.push(stream, [config.user_token_id] * 64)
        streams.append(stream)
    return streams


def bench_frames(bench: Bench, weights: TalkerWeights, streams: int, reference: Reference) -> None:
    """Whole frames, as the service steps them, and their two halves."""
    runtime = Runtime(weights, RuntimeOptions(slots=streams, positions=1024))
    runner, config = runtime._batches, weights.config
    speaking = opened(runtime, streams)
    first = runtime.step(speaking)
    groups = config.talker_config.num_code_groups
    jobs = [
        CodesJob(s.slot, s.length, s.position, config.user_token_id, s.sampling,
                 np.full(groups, 0.5, np.float32))
        for s in speaking
    ]  # fmt: skip
    codes = [frame.codes for frame in first if isinstance(frame, Frame) and len(frame.codes)]
    codes += [np.zeros(groups, np.int64)] * (streams - len(codes))
    waves = [SamplesJob(s.slot, c, first=False) for s, c in zip(speaking, codes, strict=True)]
    one = streams == 1
    if one:
        reference.prefill()

    def reference_frame() -> None:
        reference.step()
        reference.predict()
        reference.wav(torch.randint(0, 8, (1, groups, 1), device=reference.device))

    def halves() -> None:
        runner.codes(jobs)
        runner.samples(waves)

    bench.add("Talker step + MTP", streams, lambda: runner.codes(jobs))
    bench.add("Code2Wav, 1 frame", streams, lambda: runner.samples(waves))
    bench.add(FRAME, streams, halves, reference_frame if one else None)


def bench_parts(bench: Bench, weights: TalkerWeights, reference: Reference) -> None:
    """MTP alone, prefill, and the first frame."""
    config, device = weights.config, bench.device
    talker, norm = config.talker_config, weights.backbone.norm
    predictor = Predictor(talker.code_predictor_config, weights.predictor, EagerOps(), 1)
    hidden = torch.randn(1, talker.text_config.hidden_size, device=device, dtype=norm.dtype)
    warm, uniform = torch.ones(1, device=device), torch.rand(1, 15, device=device)
    runtime = Runtime(weights, RuntimeOptions(slots=1, positions=1024))
    segment = Segment((config.user_token_id,) * PROMPT)

    def predict() -> None:
        predictor.frame(hidden, hidden, warm, uniform)

    def prefill() -> None:
        stream = runtime.open()
        runtime.prefill(stream, segment)
        runtime.close(stream)

    def first_frame() -> float:
        (stream,) = opened(runtime, 1)
        bench._wait()
        begin = time.perf_counter()
        runtime.step([stream])
        bench._wait()
        spent = 1e3 * (time.perf_counter() - begin)
        runtime.close(stream)
        return spent

    bench.add("MTP, eager, 1 frame", 1, predict, reference.predict)
    bench.add(PREFILL, 1, prefill, reference.prefill)
    first = Spread.of([first_frame() for _ in range(bench.rounds + 1)][1:])
    bench.show(Row(FIRST, 1, first))


def bench_code2wav(bench: Bench, weights: TalkerWeights, reference: Reference) -> None:
    """Streams of several frames a call against one whole decode, both per frame."""
    wav = Code2Wav(weights.config.code2wav_config, weights.code2wav)
    quantizers = weights.config.code2wav_config.num_quantizers
    codes = torch.randint(0, 8, (1, quantizers, 100), device=bench.device)
    _, begun = wav.decode(codes[..., :1], wav.empty_state(1), first=True)

    for count, whole in ((1, 25), (2, 25), (4, 25), (8, 25), (1, 100)):

        def stream(count: int = count) -> None:
            state = begun
            for _ in range(8 // count):
                _, state = wav.decode(codes[..., :count], state, first=False)

        bench.add(
            f"Code2Wav, {count} a call, per frame (reference: whole decode of {whole})",
            1, stream, partial(reference.wav, codes[..., :whole]), per=(8, whole),
        )  # fmt: skip


def format_row(row: Row, target: float | None) -> str:
    ratio = "–" if row.ratio is None else f"{row.ratio:.2f}×"
    verdict = "–"
    if target is not None:
        verdict = f"≤ {target:g}: {'met' if row.ours.median <= target else 'missed'}"
    cells = (row.what, row.streams, row.ours, row.reference or "–", ratio, verdict)
    return f"| {' | '.join(map(str, cells))} |"


def profile(weights: TalkerWeights, device: torch.device) -> None:
    """Where the time of one stream's frames goes, by kernel on a GPU and operation on a CPU."""
    runtime = Runtime(weights, RuntimeOptions(slots=1, positions=1024))
    streams = opened(runtime, 1)
    runtime.step(streams)  # the first has another shape
    activities = [torch.profiler.ProfilerActivity.CPU]
    if device.type == "cuda":
        activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as seen:
        for _ in range(5):
            runtime.step(streams)
    order = f"self_{device.type}_time_total"
    print("\n5 frames of one stream:\n" + seen.key_averages().table(sort_by=order, row_limit=25))


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=("tiny", "cpu", "true"))
    parser.add_argument("--device")
    parser.add_argument("--streams", help="default: 1,4 and on a GPU 16,32, too")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=ONLY, help="leave out the rest")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    gpu = device.type == "cuda"
    size = options.size or ("true" if gpu else "cpu")
    dtype = torch.bfloat16 if gpu else torch.float32
    if not gpu:
        torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    raw = raw_config(size)
    weights = random_weights(parse_config(raw, PUBLISHED), device, dtype)
    bench = Bench(options.rounds, device, judged=gpu and size == "true")
    before = os.getloadavg()[0]
    name = torch.cuda.get_device_name(device) if gpu else f"{platform.machine()} CPU, 1 thread"
    print(f"{name}, {dtype}, size {size}, torch {torch.__version__}, {date.today()}\n")
    print("| | streams | ours, ms | reference, ms | | target |\n|---|---|---|---|---|---|")
    reference = Reference(raw, device, dtype)
    wanted = {options.only} if options.only else set(ONLY)
    if "parts" in wanted:
        bench_parts(bench, weights, reference)
    if "code2wav" in wanted:
        bench_code2wav(bench, weights, reference)
    counts = options.streams or ("1,4,16,32" if gpu else "1,4")
    for streams in map(int, counts.split(",") if "frames" in wanted else ()):
        bench_frames(bench, weights, streams, reference)
    print(
        "\nload average, before and after:",
        *(f"{load:.1f}" for load in (before, os.getloadavg()[0])),
    )
    if options.profile:
        profile(weights, device)
    if options.json:
        facts = {"device": name, "dtype": str(dtype), "size": size, "torch": torch.__version__}
        rows = [asdict(row) for row in bench.rows]
        options.json.write_text(
            json.dumps({**facts, "date": str(date.today()), "rows": rows}, indent=1)
        )


if __name__ == "__main__":
    main()
