"""A smaller task that begins with a part of a larger one, to be taught by it."""

from __future__ import annotations

from keras_roberta.errors import InputError
from keras_roberta.models.kept_layers import copy_layers
from keras_roberta.tasks.task import RobertaTask


def student_of(teacher: RobertaTask, num_layers: int) -> RobertaTask:
    """A task of the same kind with fewer layers, compiled anew.

    Its embeddings, head and layers are copies of the teacher's; of the layers, those of
    `layers_to_keep` (Sanh et al., 2019, section 3: a student that begins so learns much faster than
    one that begins at random). Train it with `Distillation`.

    Args:
        teacher: a trained task.
        num_layers: of the student; less than the teacher has.

    Returns:
        a task with the teacher's preprocessor and settings

    Raises:
        InputError: the number of layers does not fit, the teacher has adapters, or it is quantised.

    Example:
    ```python
    student = student_of(teacher, num_layers=3)
    student.compile(finetuning_optimizer(1e-4), loss_transforms=[Distillation(teacher)])
    student.fit(texts, labels)
    ```
    """
    of_layers = teacher.backbone.config.num_layers
    if type(num_layers) is not int or not 1 <= num_layers < of_layers:
        raise InputError(
            f"num_layers: the teacher has {of_layers} layers, and a student at least 1 and fewer "
            f"than that; got {num_layers!r}"
        )
    if any("lora" in weight.path for weight in teacher.backbone.weights):
        raise InputError("the teacher has adapters: merge them before it teaches")
    whole = teacher.backbone
    backbone = type(whole)(
        whole.config.with_layers(num_layers), whole.optional_inputs, dtype=whole.dtype_policy
    )
    copy_layers(whole, backbone)
    settings = teacher.get_config()
    for name in ("backbone", "preprocessor", "name"):
        del settings[name]
    student = type(teacher)(backbone=backbone, preprocessor=teacher.preprocessor, **settings)
    of_head = teacher.head_weights_by_name()
    for name, weight in student.head_weights_by_name().items():
        weight.assign(of_head[name])
    return student
