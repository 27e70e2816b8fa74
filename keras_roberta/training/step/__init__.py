"""One training step, out of parts that can be put together: a loss, gradients, transforms of both.

The parts are functions, chained as in optax:

    loss function        (model, batch) -> BatchLoss     `loss.model_loss`
    gradient function    (model, batch) -> gradients     `gradients.gradients_of(loss function)`
    loss transform       loss function -> loss function
    gradient transform   gradient function -> gradient function

What a step needs anyway is made the same way: `replica_seeds` and `fail_together` are gradient
transforms, `compiled()` and `accumulated(parts)` give one.
`training_step.make_gradient_function` puts a task's step together.

The modules need TensorFlow, except `composed_train_step`, which a task inherits from.
"""
