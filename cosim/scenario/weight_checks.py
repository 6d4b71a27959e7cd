# SPDX-License-Identifier: MIT
"""Checks of weights of the user's own, and of the language model that they need."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from cosim.scenario import names
from cosim.scenario.errors import Problem, show
from cosim.scenario.model import Scenario
from cosim.scenario.traffic import SemanticTraffic
from cosim.scenario.wording import listed
from models.names import DEFAULT_BACKBONE, DEVICE_MODELS, PACKAGED_BACKBONES

TRAINING = "python -m models.training.train_llm_token --task TASK --backbone MODEL --out FOLDER"
_DEVICE_MODEL = re.compile(rf"-({'|'.join(DEVICE_MODELS)})$")


def weight_problems(scenario: Scenario) -> Iterator[Problem]:
    """Yield what is wrong with `models.weights`, `models.backbone` and `models.allow_hub`."""
    models = scenario.models
    if not models.weights:
        for key, value in (("backbone", models.backbone), ("allow_hub", models.allow_hub)):
            if value:
                yield Problem(
                    f"models.{key}", show(value), "only with models.weights: shipped weights are "
                    "of one language model"
                )  # fmt: skip
        return
    if not os.path.isdir(models.weights):  # False, no error, for what cannot be a path
        yield Problem(
            "models.weights",
            show(models.weights),
            f"is no folder (looked for in {Path.cwd()})",
            f"make one: {TRAINING}",
        )
        return
    codecs = dict.fromkeys(traffic.codec for traffic in scenario.semantic_traffic)
    used = {codec: files for codec in codecs if (files := names.own_weights(scenario, codec))}
    if not used:
        yield Problem(
            "models.weights",
            show(models.weights),
            f"has no file CODEC-TASK.safetensors of {listed(list(codecs)) or 'any codec in use'}",
            f"make some for llm-token and raw-text: {TRAINING}",
        )
    for codec, files in used.items():
        yield from _language_model(scenario, codec, files)


def _language_model(scenario: Scenario, codec: str, files: dict[str, Path]) -> Iterator[Problem]:
    """Yield what stands between a codec's weights and the model that they name."""
    from models.fingerprint import WeightFileError, weights_meta

    models = scenario.models
    try:
        trained = sorted({str(weights_meta(path)["backbone"]) for path in files.values()})
    except WeightFileError as error:
        yield Problem("models.weights", show(models.weights), str(error), f"again: {TRAINING}")
        return
    if len(trained) > 1:
        yield Problem(
            "models.weights",
            show(models.weights),
            f"codec {show(codec)} has weights for different language models there, "
            f"{listed(trained)}: a folder for each",
        )
        return
    name = trained[0]
    if name == DEFAULT_BACKBONE:
        if models.backbone:
            yield Problem(
                "models.backbone", show(models.backbone), f"left out: the weights are for {name}"
            )
        return
    for index, traffic in enumerate(scenario.traffic):
        if (
            isinstance(traffic, SemanticTraffic)
            and traffic.codec == codec
            and _DEVICE_MODEL.search(traffic.rung)
        ):
            yield Problem(
                f"traffic.{index}.rung",
                show(traffic.rung),
                f"without a smaller device model: these are of {DEFAULT_BACKBONE} only",
            )
    where = models.backbone or name
    if where in PACKAGED_BACKBONES or os.path.isfile(os.path.join(where, "config.json")):
        return
    if os.path.isabs(where) or where.startswith(".") or os.path.isdir(where):
        yield Problem(
            "models.backbone",
            show(models.backbone),
            f"the language model of the weights of codec {show(codec)} is not there: {where}",
            "models.backbone = its folder now",
        )
    elif not models.allow_hub and not _fetched(where):
        yield Problem(
            "models.allow_hub",
            show(models.allow_hub),
            f"the language model of the weights of codec {show(codec)}, {where}, is not on this "
            "machine",
            "true fetches it from the Hugging Face hub; or models.backbone = a folder with it",
        )


def _fetched(name: str) -> bool:
    """Return whether a model of the hub was fetched before."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return isinstance(try_to_load_from_cache(name, "config.json"), str)
    except HFValidationError:
        return False
