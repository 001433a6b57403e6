"""The list of models is consistent with itself."""

from __future__ import annotations

import re

import pytest

from omni_agent.models import MODELS, Model, ModelFile

FILES = [
    pytest.param(file, id=f"{model.name}-{file.path}")
    for model in MODELS.values()
    for file in model.files
]


@pytest.mark.parametrize("file", FILES)
def test_the_pieces_make_the_file(file: ModelFile) -> None:
    assert sum(piece.size for piece in file.pieces) == file.size


@pytest.mark.parametrize("file", FILES)
def test_everything_is_pinned_by_version_and_hash(file: ModelFile) -> None:
    for digest in (file.sha256, *(piece.sha256 for piece in file.pieces)):
        assert re.fullmatch(r"[0-9a-f]{64}", digest)
    for piece in file.pieces:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9.]+", piece.requirement)
        package = piece.requirement.partition("==")[0].replace("-", "_")
        assert piece.member.startswith(("pipecat/", f"{package}/"))


@pytest.mark.parametrize("file", FILES)
def test_every_file_has_an_official_source_and_a_plain_name(file: ModelFile) -> None:
    assert file.url is not None
    assert file.url.startswith("https://")
    assert re.fullmatch(r"[\w.-]+", file.path)


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_every_model_says_what_it_is_for_and_its_licence(model: Model) -> None:
    assert MODELS[model.name] is model
    assert model.purpose
    assert model.licence in ("MIT", "Apache-2.0", "BSD-2-Clause")
    assert model.size == sum(file.size for file in model.files)
