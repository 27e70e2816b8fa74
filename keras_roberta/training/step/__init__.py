"""One training step, out of parts that can be put together: a loss, gradients, transforms of both.

The parts are functions, chained as in optax:

    loss function        (model, batch) -> BatchLoss     `loss.model_loss`
    gradient function    (model, batch) -> gradients     `gradients.gradients_of(loss function)`
    loss transform       loss function -> loss function
    gradient transform   gradient function -> gradient function

`compiled`, `accumulated`, `replica_seeds` and the others in this package are gradient transforms
too. `training_step.make_gradient_function` puts a task's step together.

The modules need TensorFlow, except `composed_train_step`, which a task inherits from.
"""
