"""Which class opens a checkpoint, and tasks of one's own among them."""

import logging

import pytest
from task_cases import CONFIG

import keras_roberta as kr
from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.errors import InputError
from keras_roberta.jobs.finetuned_task import open_finetuned_task
from keras_roberta.tasks import registry


@pytest.fixture
def tasks(monkeypatch):
    """The list of tasks, to change."""
    monkeypatch.setattr(registry, "TASKS", list(registry.TASKS))
    return registry.TASKS


def task_class(name):
    return type(name, (), {"__module__": "a_module"})


def test_registering_a_class_again_replaces_it(tasks):
    before = len(tasks)
    registry.register_task(task_class("Own"), command="own", summary="first")
    registry.register_task(task_class("Own"), command="own", summary="second")
    assert len(tasks) == before + 1 and tasks[-1].summary == "second"


def test_names_and_commands_that_are_taken(tasks):
    before = list(tasks)
    with pytest.raises(InputError, match="class name is taken by keras_roberta.tasks.masked_lm"):
        registry.register_task(task_class("RobertaMaskedLM"))
    with pytest.raises(InputError, match="'classify' is taken by RobertaTextClassifier"):
        registry.register_task(task_class("Own"), command="classify")
    assert tasks == before


@pytest.fixture
def pretrained(tokenizer, tmp_path):
    preprocessor = kr.RobertaPretrainer.preprocessor_cls(tokenizer, 24)
    model = kr.RobertaPretrainer(kr.RobertaBackbone(CONFIG), preprocessor=preprocessor)
    model.save_to_preset(tmp_path / "preset")
    return tmp_path / "preset"


def test_a_task_saved_as_itself_opens_as_itself(pretrained):
    task = kr.open_task(pretrained)
    assert type(task) is kr.RobertaPretrainer and task.objectives == ("mlm", "sop")
    cls = registry.task_class_of(open_checkpoint(pretrained), lambda cls: cls.schema_cls)
    assert cls is kr.RobertaMaskedLM


def test_commands_open_what_answers_and_name_the_rest(pretrained, caplog):
    with caplog.at_level(logging.WARNING, "keras_roberta"):
        assert type(open_finetuned_task(pretrained)) is kr.RobertaMaskedLM
    assert "opened as RobertaMaskedLM, without the head sop" in caplog.text


def test_new_heads_by_labels(tokenizer, pretrained):
    classifier = kr.RobertaTextClassifier.from_preset(pretrained, labels=["a", "b", "c"])
    assert classifier.num_classes == 3 and classifier.labels == ("a", "b", "c")
    for cls in (kr.RobertaTextClassifier, kr.RobertaMultiLabelClassifier):
        with pytest.raises(InputError, match="holds no classification head .*labels to start one"):
            cls.from_preset(pretrained)
        with pytest.raises(InputError, match="a new head: give num_classes or labels"):
            cls.from_preset(pretrained, load_head=False)


class Passing(kr.RobertaTextClassifier):
    def __init__(self, *args, extra=0, **kwargs):
        super().__init__(*args, **kwargs)
        self.extra = extra


def test_arguments_that_a_constructor_passes_on(pretrained):
    task = Passing.from_preset(pretrained, num_classes=2, dropout=0.3, extra=4)
    assert (task.num_classes, task.dropout, task.extra) == (2, 0.3, 4)
    with pytest.raises(InputError, match="no argument 'drpout'; did you mean dropout"):
        Passing.from_preset(pretrained, num_classes=2, drpout=0.3)


def test_arguments_of_a_backbone_that_is_there(pretrained):
    with pytest.raises(InputError, match="dtype: is the backbone's"):
        kr.RobertaTextClassifier.from_preset(
            pretrained, num_classes=2, backbone=kr.RobertaBackbone(CONFIG), dtype="float16"
        )


def test_weights_need_labels(pretrained):
    task = kr.RobertaTextClassifier.from_preset(pretrained, num_classes=2)
    with pytest.raises(InputError, match="sample_weight: weighs labels"):
        task.fit(["a", "b"], sample_weight=[1.0, 2.0])
    with pytest.raises(InputError, match="labels"):
        task.fit(["a", "b"], [[0], [0, 1]])


def test_no_texts(pretrained):
    with pytest.raises(InputError, match="there are no texts"):
        kr.RobertaMaskedLM.from_preset(pretrained).answers([])
