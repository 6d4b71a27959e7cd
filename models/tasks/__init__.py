# SPDX-License-Identifier: MIT
"""Tasks that a receiver does: labelled samples of real data with fixed splits, and the prior.

A task is one file that calls `register`; see `sentiment.py`. May import: models.assets, numpy,
Pillow and the standard library.
"""

from models.tasks import image as _image
from models.tasks import picture_reconstruction as _picture_reconstruction
from models.tasks import sentiment as _sentiment
from models.tasks import text_reconstruction as _text_reconstruction
from models.tasks import topic as _topic
from models.tasks import vqa as _vqa
from models.tasks.base import Picture, Sample, Task, TaskError, get_task, register, task_names
from models.tasks.reconstruction import Content, ReconstructionTask

__all__ = [
    "Content",
    "Picture",
    "ReconstructionTask",
    "Sample",
    "Task",
    "TaskError",
    "get_task",
    "register",
    "task_names",
]

# imported for their registration
_ = (_sentiment, _topic, _image, _vqa, _text_reconstruction, _picture_reconstruction)
