"""Makes PyPI's torchvision importable beside a CPU torch; scripts/setup puts it into .venv.

PyPI has CUDA builds only: beside a CPU torch their operators do not load, and the import
fails on registering shapes for two of them. The image and video processors that vLLM
and transformers take from it use neither, so declaring the two is enough. It must happen
in every process that imports torchvision, vLLM's own ones too: hence a ``.pth`` file.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec

_declared: list[object] = []  # declarations live as long as their library object


class _BeforeTorchvision:
    """An importer that finds nothing; it acts when torchvision is looked for, once."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            if torch.version.cuda is None:
                library = torch.library.Library("torchvision", "DEF")
                for op in ("nms", "qnms"):
                    library.define(
                        f"{op}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
                    )
                _declared.append(library)
        return None


sys.meta_path.insert(0, _BeforeTorchvision())
