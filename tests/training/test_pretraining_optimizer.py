import numpy as np
import pytest

from keras_roberta.training.optimizer.pretraining import peak_learning_rate, pretraining_optimizer


@pytest.mark.parametrize(("batch_size", "rate"), [(256, 1e-4), (2048, 5e-4), (8192, 7e-4)])
def test_the_known_peaks(batch_size, rate):
    assert peak_learning_rate(batch_size) == pytest.approx(rate)


def test_peaks_between_and_beyond():
    rates = [peak_learning_rate(2**n) for n in range(16)]
    assert (np.diff(rates) >= 0).all()
    assert rates[0] == pytest.approx(1e-4) and rates[-1] == pytest.approx(7e-4)
    assert peak_learning_rate(8192, 1536) == pytest.approx(3.5e-4)


def test_the_recipe():
    config = pretraining_optimizer().get_config()
    found = {name: config[name] for name in ("beta_1", "beta_2", "epsilon", "weight_decay")}
    assert found == dict(beta_1=0.9, beta_2=0.98, epsilon=1e-6, weight_decay=0.01)
    assert set(config["not_decayed"]) == {"bias", "gamma", "beta"}
