"""Exports a trained detector, final boxes included."""

from experiments import detection_run, model_export
from squeeze_tf import export
from squeeze_tf.detection import inputs, parity


def run(
    workdir: str,
    output: str,
    data: str | None = None,
    formats: list[str] = model_export.FORMATS,
    num_images: int = 4,
) -> list[export.Parity]:
    """Exports and compares on images of the validation data or of `data`."""
    model_export.check(formats, num_images)
    config = detection_run.read_run(workdir)
    model = detection_run.load(config, workdir)
    samples = detection_run.samples(config, "validation", data)
    batches = inputs.image_batches(
        [sample.path for sample in samples[:num_images]],
        detection_run.image_size(config),
        batch_size=1,
    )
    with inputs.naming_damaged([sample.path for sample in samples]):
        images = [image for image, _ in batches.as_numpy_iterator()]
    detector = detection_run.detector(config, model)
    return model_export.run(
        detector,
        images,
        output,
        formats,
        parity.agreement,
        parity.MIN_AGREEMENT,
    )
