import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.classification import schedules


def rates(schedule, steps, **options):
    options = {"start": 0.1, "epochs": 10, "steps_per_epoch": 4} | options
    rate = schedules.learning_rate(schedule, **options)
    return [float(rate(tf.constant(step))) for step in steps]


class SchedulesTest(parameterized.TestCase):
    def test_steps_divide_from_the_first_step_of_an_epoch(self):
        # Ch. 6 §3.1: 0.1, a tenth of it from epoch 82 and from epoch 123.
        steps = [0, 82 * 4 - 1, 82 * 4, 123 * 4 - 1, 123 * 4, 164 * 4 - 1]
        found = rates("steps", steps, epochs=164, decay_epochs=(82, 123))
        np.testing.assert_allclose(
            found, [0.1, 0.1, 0.01, 0.01, 0.001, 0.001], rtol=1e-6
        )

    def test_linear_goes_to_zero_at_the_end(self):
        found = rates("linear", (0, 10, 20, 39, 40))
        np.testing.assert_allclose(
            found, [0.1, 0.075, 0.05, 0.0025, 0.0], atol=1e-8
        )

    def test_cosine_and_constant(self):
        steps = np.array([0, 10, 20, 30])
        np.testing.assert_allclose(
            rates("cosine", steps),
            0.05 * (1 + np.cos(np.pi * steps / 40)),
            rtol=1e-5,
        )
        np.testing.assert_allclose(rates("constant", steps), 0.1, rtol=1e-6)

    def test_momentum_is_that_of_the_released_code(self):
        rate = schedules.learning_rate(
            "steps",
            start=0.1,
            epochs=1,
            steps_per_epoch=4,
        )
        optimizer = schedules.momentum(rate)
        weight = tf.Variable(1.0)
        expected, speed = 1.0, 0.0
        for gradient in (1.0, -2.0, 0.5):
            optimizer.apply_gradients([(tf.constant(gradient), weight)])
            speed = 0.9 * speed + gradient
            expected -= 0.1 * speed
            self.assertAlmostEqual(float(weight), expected, places=6)

    @parameterized.parameters(
        ("stairs", (), "schedule must be one of"),
        ("steps", (0, 3), "must rise from 1"),
        ("steps", (3, 2), "must rise"),
        ("steps", (2, 2), "must rise"),
    )
    def test_other_arguments_are_refused(self, schedule, epochs, message):
        with self.assertRaisesRegex(ValueError, message):
            rates(schedule, (0,), decay_epochs=epochs)


if __name__ == "__main__":
    absltest.main()
