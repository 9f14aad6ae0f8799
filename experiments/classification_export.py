"""Exports a trained classifier."""

from experiments import classification_run, model_export
from squeeze_tf import export
from squeeze_tf.classification import inputs


def run(
    workdir: str,
    output: str,
    data: str | None = None,
    formats: list[str] = model_export.FORMATS,
    num_images: int = 4,
) -> list[export.Parity]:
    """Exports and compares on images of the validation data or of `data`."""
    model_export.check(formats, num_images)
    config = classification_run.read_run(workdir)
    model = classification_run.load(workdir)
    found = classification_run.images(config, "validation", data)
    batches = inputs.evaluation_batches(
        found,
        image_size=classification_run.image_size(config),
        batch_size=1,
        crop_share=config.crop_share,
    )
    with inputs.naming_damaged(found):
        images = [
            image for image, _ in batches.take(num_images).as_numpy_iterator()
        ]
    return model_export.run(
        model, images, output, formats, export.cell_labels()
    )
