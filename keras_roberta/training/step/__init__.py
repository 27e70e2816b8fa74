"""A training step, built from functions: the loss, the gradients, and transforms of both.

The functions are chained as in optax:

    loss function        (model, batch) -> BatchLoss     `loss.model_loss`
    gradient function    (model, batch) -> gradients     `gradients.gradients_of(loss function)`
    loss transform       loss function -> loss function
    gradient transform   gradient function -> gradient function

The built-in parts of a step follow the same pattern: `replica_seeds` and `fail_together` are
gradient transforms, and `compiled()` and `accumulated(parts)` return one.
`training_step.make_gradient_function` builds the step of a task.

These modules need TensorFlow, except `composed_train_step`, which a task inherits from.
"""
