"""The checkpoint's ``config.json``: the keys the speech half rests on, validated.

A config comes from outside, so pydantic reads it: a missing, mistyped or absurd
value is one ConfigError that names the file and the key, before anything is
allocated. Values of the published model are in ``docs`` of the Qwen3-Omni report
(section 2, Table 1) and the published ``config.json``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from omni_agent.errors import ConfigError

# Upper bounds are far above the published model and far below what would let a
# hostile file ask for terabytes.
Size = Annotated[int, Field(ge=1, le=1 << 20)]
Layers = Annotated[int, Field(ge=1, le=256)]
TokenId = Annotated[int, Field(ge=0, le=1 << 20)]
Eps = Annotated[float, Field(gt=0, le=1e-2)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Rope(_Frozen):
    """Rotary position embedding. ``mrope_section``: angles for time, height, width."""

    rope_type: Literal["default"] = "default"
    rope_theta: float = Field(gt=1)
    mrope_section: tuple[int, int, int] | None = None


class BackboneConfig(_Frozen):
    """``talker_config.text_config``: the MoE decoder that writes codebook 0."""

    vocab_size: Size
    hidden_size: Size
    intermediate_size: Size  # width inside text_projection and hidden_projection
    num_hidden_layers: Layers
    num_attention_heads: Size
    num_key_value_heads: Size
    head_dim: Annotated[int, Field(ge=2, le=1024, multiple_of=2)]
    moe_intermediate_size: Size
    shared_expert_intermediate_size: Size
    num_experts: Size
    num_experts_per_tok: Size
    norm_topk_prob: bool
    rms_norm_eps: Eps = 1e-6
    hidden_act: Literal["silu"] = "silu"
    attention_bias: Literal[False] = False
    rope_parameters: Rope
    max_position_embeddings: Size = 65536

    @model_validator(mode="after")
    def _consistent(self) -> BackboneConfig:
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError("num_attention_heads is not a multiple of num_key_value_heads")
        if self.num_experts_per_tok > self.num_experts:
            raise ValueError("num_experts_per_tok exceeds num_experts")
        section = self.rope_parameters.mrope_section
        if section is not None and sum(section) != self.head_dim // 2:
            raise ValueError("mrope_section does not sum to head_dim / 2")
        return self


class PredictorConfig(_Frozen):
    """``talker_config.code_predictor_config``: the MTP module, codebooks 1 to 15."""

    vocab_size: Size
    hidden_size: Size
    intermediate_size: Size
    num_hidden_layers: Layers
    num_attention_heads: Size
    num_key_value_heads: Size
    head_dim: Annotated[int, Field(ge=2, le=1024, multiple_of=2)]
    num_code_groups: Annotated[int, Field(ge=2, le=64)]
    rms_norm_eps: Eps = 1e-6
    hidden_act: Literal["silu"] = "silu"
    attention_bias: Literal[False] = False
    rope_parameters: Rope

    @model_validator(mode="after")
    def _consistent(self) -> PredictorConfig:
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError("num_attention_heads is not a multiple of num_key_value_heads")
        return self


class TalkerConfig(_Frozen):
    """``talker_config``. Codec ids index the Talker's own vocabulary."""

    text_config: BackboneConfig
    code_predictor_config: PredictorConfig
    num_code_groups: Annotated[int, Field(ge=2, le=64)]
    thinker_hidden_size: Size
    accept_hidden_layer: Annotated[int, Field(ge=0, le=256)]
    codec_pad_id: TokenId
    codec_bos_id: TokenId
    codec_eos_token_id: TokenId
    codec_nothink_id: TokenId
    codec_think_bos_id: TokenId
    codec_think_eos_id: TokenId
    audio_token_id: TokenId
    image_token_id: TokenId
    video_token_id: TokenId
    vision_start_token_id: TokenId
    audio_start_token_id: TokenId
    spatial_merge_size: Annotated[int, Field(ge=1, le=16)] = 2
    position_id_per_seconds: Annotated[int, Field(ge=1, le=1000)]
    speaker_id: dict[str, TokenId] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> TalkerConfig:
        text, predictor = self.text_config, self.code_predictor_config
        if predictor.hidden_size != text.hidden_size:
            raise ValueError("code_predictor_config.hidden_size differs from text_config's")
        if predictor.num_code_groups != self.num_code_groups:
            raise ValueError("code_predictor_config.num_code_groups differs from talker_config's")
        named = {
            "codec_pad_id": self.codec_pad_id,
            "codec_bos_id": self.codec_bos_id,
            "codec_eos_token_id": self.codec_eos_token_id,
            "codec_nothink_id": self.codec_nothink_id,
            "codec_think_bos_id": self.codec_think_bos_id,
            "codec_think_eos_id": self.codec_think_eos_id,
            **{f"speaker_id.{name}": value for name, value in self.speaker_id.items()},
        }
        for name, value in named.items():
            if value >= text.vocab_size:
                raise ValueError(f"{name} {value} is outside the codec vocabulary")
        return self


class Code2WavConfig(_Frozen):
    """``code2wav_config``: codes to waveform."""

    codebook_size: Size
    num_quantizers: Annotated[int, Field(ge=1, le=64)]
    hidden_size: Size
    intermediate_size: Size
    num_hidden_layers: Layers
    num_attention_heads: Size
    num_key_value_heads: Size
    sliding_window: Annotated[int, Field(ge=2, le=4096)]
    decoder_dim: Size
    upsample_rates: tuple[Annotated[int, Field(ge=2, le=64)], ...] = Field(min_length=1)
    upsampling_ratios: tuple[Annotated[int, Field(ge=1, le=64)], ...]
    rms_norm_eps: Eps = 1e-5
    hidden_act: Literal["silu"] = "silu"
    attention_bias: Literal[False] = False
    rope_parameters: Rope

    @model_validator(mode="after")
    def _consistent(self) -> Code2WavConfig:
        if self.hidden_size % (2 * self.num_attention_heads):
            raise ValueError("hidden_size is not an even multiple of num_attention_heads")
        if self.num_key_value_heads != self.num_attention_heads:
            raise ValueError("num_key_value_heads differs from num_attention_heads")
        if self.decoder_dim % (1 << len(self.upsample_rates)):
            raise ValueError("decoder_dim cannot be halved once per upsample rate")
        return self

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads

    @property
    def frame_samples(self) -> int:
        """Samples per codec frame (1920 in the published model)."""
        total = 1
        for factor in (*self.upsampling_ratios, *self.upsample_rates):
            total *= factor
        return total

    @property
    def lag_samples(self) -> int:
        """Samples the decoder's shift takes off the first frame (555 when published).

        Each stride-s transposed convolution (kernel 2s) trims s samples on both
        sides; what it trims is stretched by the strides after it.
        """
        lag = 0
        for rate in self.upsample_rates:
            lag = lag * rate + rate
        return lag


class ThinkerTextConfig(_Frozen):
    """``thinker_config.text_config``: only the embedding table is ours."""

    vocab_size: Size
    hidden_size: Size


class ThinkerConfig(_Frozen):
    text_config: ThinkerTextConfig


class OmniConfig(_Frozen):
    """What the Talker runtime needs of ``config.json``."""

    model_type: Literal["qwen3_omni_moe"]
    im_start_token_id: TokenId
    im_end_token_id: TokenId
    system_token_id: TokenId
    user_token_id: TokenId
    assistant_token_id: TokenId
    tts_pad_token_id: TokenId
    tts_bos_token_id: TokenId
    tts_eos_token_id: TokenId
    thinker_config: ThinkerConfig
    talker_config: TalkerConfig
    code2wav_config: Code2WavConfig

    @model_validator(mode="after")
    def _consistent(self) -> OmniConfig:
        talker, wav, text = (
            self.talker_config,
            self.code2wav_config,
            self.thinker_config.text_config,
        )
        if talker.thinker_hidden_size != text.hidden_size:
            raise ValueError("talker_config.thinker_hidden_size differs from the Thinker's")
        if talker.num_code_groups != wav.num_quantizers:
            raise ValueError("talker_config.num_code_groups differs from code2wav's num_quantizers")
        if talker.code_predictor_config.vocab_size != wav.codebook_size:
            raise ValueError(
                "code_predictor_config.vocab_size differs from code2wav's codebook_size"
            )
        if not wav.codebook_size < talker.text_config.vocab_size:
            raise ValueError("the codec vocabulary has no room for control ids")
        for name in (
            "im_start", "im_end", "system", "user", "assistant", "tts_pad", "tts_bos", "tts_eos",
        ):  # fmt: skip
            if getattr(self, f"{name}_token_id") >= text.vocab_size:
                raise ValueError(f"{name}_token_id is outside the Thinker's vocabulary")
        return self


# A published config.json is about 20 kB.
_CONFIG_LIMIT = 4 << 20


def read_config(directory: Path | str) -> OmniConfig:
    """The config of a checkpoint directory.

    Raises ConfigError, naming the file and the key, when it cannot be used.
    """
    path = Path(directory) / "config.json"
    try:
        if path.stat().st_size > _CONFIG_LIMIT:
            raise ConfigError(f"{path}: larger than any config this runtime knows")
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid JSON ({error})") from error
    return parse_config(raw, path)


def parse_config(raw: object, source: Path | str) -> OmniConfig:
    """Validate a parsed ``config.json``; ``source`` names it in the ConfigError."""
    try:
        return OmniConfig.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "config"
        raise ConfigError(f"{source}: {key}: {first['msg']}") from error
