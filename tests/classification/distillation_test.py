import numpy as np
import tensorflow as tf
from absl.testing import absltest

from squeeze_tf.classification import distillation
from tests import shared_files

keras = tf.keras


class RefineryLossTest(absltest.TestCase):
    def test_loss_and_gradient_are_those_of_the_released_code(self):
        found = np.load(
            shared_files.path(
                "reference/architectures/vectors/refinery_loss.npz"
            )
        )
        student = tf.constant(found["student"])
        teacher = tf.constant(found["teacher_logits"])
        with tf.GradientTape() as tape:
            tape.watch([student, teacher])
            loss = distillation.refinery_loss(teacher, student)
        self.assertAlmostEqual(float(loss), float(found["loss"]), places=5)
        of_student, of_teacher = tape.gradient(loss, [student, teacher])
        np.testing.assert_allclose(of_student, found["dstudent"], atol=1e-6)
        self.assertIsNone(of_teacher)

    def test_it_is_least_where_the_student_is_the_teacher(self):
        random = np.random.default_rng(0)
        teacher = tf.constant(random.normal(size=(6, 5)))
        least = distillation.refinery_loss(teacher, teacher)
        probabilities = tf.nn.softmax(teacher).numpy()
        entropy = -(probabilities * np.log(probabilities)).sum(1).mean()
        self.assertAlmostEqual(float(least), entropy)
        for _ in range(20):
            other = teacher + random.normal(size=(6, 5)) / 10
            loss = distillation.refinery_loss(teacher, other)
            self.assertGreater(float(loss), entropy)

    def test_a_certain_teacher_is_a_label(self):
        logits = np.random.default_rng(0).normal(size=(3, 4))
        teacher = 1e4 * np.eye(4)[[2, 0, 3]]
        expected = tf.nn.sparse_softmax_cross_entropy_with_logits(
            [2, 0, 3], logits
        )
        self.assertAlmostEqual(
            float(distillation.refinery_loss(teacher, logits)),
            float(tf.reduce_mean(expected)),
        )


class RefinedTest(absltest.TestCase):
    def network(self, num_classes=4, channels=3):
        keras.utils.set_random_seed(0)
        x = keras.Input((2, 2, channels))
        y = keras.layers.BatchNormalization()(x)
        y = keras.layers.Dense(num_classes)(keras.layers.Flatten()(y))
        return keras.Model(x, y)

    def batches(self):
        images = np.random.default_rng(0).normal(size=(6, 2, 2, 3))
        images = images.astype(np.float32)
        targets = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1]]
        return tf.data.Dataset.from_tensor_slices((images, targets)).batch(4)

    def test_training_on_the_batches_is_training_with_the_loss(self):
        teacher, student = self.network(), self.network()
        student.set_weights([w + 0.1 for w in student.get_weights()])
        before = [w.copy() for w in teacher.get_weights()]
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        made = distillation.refined(self.batches(), teacher)
        for (image, target), (same, _) in zip(made, self.batches()):
            np.testing.assert_array_equal(image, same)
            logits = student(image, training=False)
            self.assertAlmostEqual(
                float(loss(target, logits)),
                float(distillation.refinery_loss(teacher(image), logits)),
                places=6,
            )
        for ours, theirs in zip(teacher.get_weights(), before):
            np.testing.assert_array_equal(ours, theirs)  # averages as well

    def test_a_teacher_of_something_else_is_refused(self):
        for options, what in (
            ({"num_classes": 5}, "classes"),
            ({"channels": 1}, "images"),
        ):
            with self.assertRaisesRegex(ValueError, f"of {what} .* got"):
                distillation.refined(self.batches(), self.network(**options))


if __name__ == "__main__":
    absltest.main()
