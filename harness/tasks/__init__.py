"""The tasks: one file each. Plug-ins come by the entry point `harness.tasks`."""

from __future__ import annotations

from harness.registry import Registry
from harness.tasks.task import Task

TASKS: Registry[type[Task]] = Registry(
    kind="task",
    base=lambda: Task,
    entries={
        "text_to_image": "harness.tasks.text_to_image:TextToImage",
        "image_generation": "harness.tasks.image_generation:ImageGeneration",
        "face_cloaking": "harness.tasks.face_cloaking:FaceCloaking",
        "code_translation": "harness.tasks.code_translation:CodeTranslation",
        "speech_resynthesis": "harness.tasks.speech_resynthesis:SpeechResynthesis",
        "classification": "harness.tasks.classification:Classification",
    },
)
