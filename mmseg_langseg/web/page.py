"""The page of ``langseg serve``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from mmseg_langseg.export import class_colors

from .page_result import PageResult
from .photo import MAX_MEGABYTES, MAX_MEGAPIXELS
from .photo_input import photo_input
from .segment_photo import PhotoSegmenter

TITLE = 'Segment a photo by class names'
STYLE = """
.gradio-container {max-width: 1400px !important; margin: auto}
#swatches {display: none}
#photo .image-frame img {width: 100%; height: 100%; object-fit: contain}
#classes .wrap label {gap: 0}
#classes .wrap label::before {
    content: ''; width: 1em; height: 1em; margin-right: 0.6em;
    border-radius: 3px; border: 1px solid #0006; background: var(--swatch);
}
#examples thead {display: none}
#examples td {padding: 2px 8px; text-align: left}
"""
_PICTURE = dict(interactive=False, format='png', buttons=['download', 'fullscreen'], height=480)
_HOUR = 3600
_DAY = 24 * _HOUR


def build_page(
    segmenter: PhotoSegmenter,
    models: Mapping[str, str],
    model: str,
    examples: Sequence[tuple[str, str, str]],
) -> gr.Blocks:
    """Build the page.

    Args:
        segmenter: Segments the photos.
        models: What the page says about each model, by name.
        model: Name of the model that is selected first.
        examples: Photo, class names and model of the examples.
    """
    with gr.Blocks(
        title=f'{TITLE} - mmseg_langseg',
        analytics_enabled=False,
        delete_cache=(_HOUR, _DAY),
        fill_width=True,
    ) as page:
        # The result of one browser tab; it is removed when the tab has been closed.
        result = gr.State(None, delete_callback=_remove)
        gr.Markdown(f'# {TITLE}\nPhotos stay on the machine that runs this page.')
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                inputs = _inputs(models, model)
                button = gr.Button('Segment', variant='primary', elem_id='segment')
                gr.Examples(
                    [list(example) for example in examples],
                    inputs[:3],
                    cache_examples=False,
                    api_visibility='private',
                    elem_id='examples',
                    label='Examples for the embedded model',
                    visible_columns=[0, 1],
                )
            with gr.Column(scale=7, min_width=420):
                status = gr.Textbox(
                    'Add a photo and class names, then choose Segment.',
                    label='Status',
                    interactive=False,
                    lines=1,
                    max_lines=12,
                    elem_id='status',
                )
                views = _views()
        outputs = [result, status, *views.values()]

        def segment(earlier: PageResult | None, *values: Any) -> list:
            found, message = segmenter(*values)
            _remove(earlier)
            return [found, message, *_shown(found, views)]

        for event in (button.click, inputs[1].submit):
            event(
                segment,
                [result, *inputs],
                outputs,
                api_visibility='private',
                show_progress_on=[status, views['picture']],
            )
        for control, view, draw in (
            ('classes', 'picture', PageResult.picture),
            ('heat_class', 'heat_map', PageResult.heat_map),
        ):
            views[control].input(
                lambda found, value, draw=draw: draw(found, value) if found else gr.skip(),
                [result, views[control]],
                views[view],
                api_visibility='private',
                show_progress='hidden',
            )
    return page


def _inputs(models: Mapping[str, str], model: str) -> list[gr.components.Component]:
    """Add the inputs: photo, class names, model, threshold and margin."""
    photo = photo_input(
        label=f'Photo (up to {MAX_MEGAPIXELS} megapixels, {MAX_MEGABYTES} MB)',
        sources=['upload', 'clipboard'],
        height=260,
        buttons=[],
        elem_id='photo',
    )
    texts = gr.Textbox(
        label='Class names',
        placeholder='cat; dog, puppy; grass',
        elem_id='texts',
        info='Semicolons separate classes, commas synonyms.',
    )
    choice = gr.Dropdown(
        [(f'{name}: {text}', name) for name, text in models.items()],
        value=model,
        label='Model',
        elem_id='model',
        info='For photos, choose a model other than "embedded", which knows rendered shapes only. '
        'Public CLIP weights are downloaded on first use.',
    )
    with gr.Accordion('Reject uncertain pixels', open=False, elem_id='rejection'):
        threshold = gr.Slider(
            0,
            1,
            0,
            step=0.01,
            label='Threshold',
            elem_id='threshold',
            info="Pixels whose best class is less probable become 'other'.",
        )
        margin = gr.Slider(
            0,
            1,
            0,
            step=0.01,
            label='Minimum margin',
            elem_id='margin',
            info="Pixels whose two best classes differ by less become 'other'.",
        )
    return [photo, texts, choice, threshold, margin]


def _views() -> dict[str, gr.components.Component]:
    """Add the views of a result, which are empty at first."""
    views: dict[str, gr.components.Component] = {}
    with gr.Tab('Classes'):
        views['swatches'] = gr.HTML(elem_id='swatches')
        views['picture'] = gr.Image(label='Photo with class colors', elem_id='picture', **_PICTURE)
        views['classes'] = gr.CheckboxGroup(
            label='Shown classes, with their share of the photo',
            elem_id='classes',
            visible=False,
            show_select_all=True,
        )
    with gr.Tab('Heat map'):
        views['heat_class'] = gr.Dropdown(label='Class', elem_id='heat_class', interactive=True)
        views['heat_map'] = gr.Image(
            label='Probability, from 0 (dark blue) to 1 (yellow)', elem_id='heat_map', **_PICTURE
        )
    with gr.Tab('Margin'):
        views['margin_map'] = gr.Image(
            label='Lead of the best class over the second, from 0 (dark blue) to 1 (yellow)',
            elem_id='margin_map',
            **_PICTURE,
        )
    with gr.Row():
        views['label_file'] = gr.DownloadButton(
            'Download labels (PNG)', interactive=False, elem_id='label_file'
        )
        views['coco_file'] = gr.DownloadButton(
            'Download COCO (JSON)', interactive=False, elem_id='coco_file'
        )
    return views


def _shown(found: PageResult | None, views: Mapping[str, Any]) -> list:
    """Return the updates of the views."""
    if found is None:
        values = dict.fromkeys(views)
        values['classes'] = gr.CheckboxGroup([], value=[], visible=False)
        values['heat_class'] = gr.Dropdown([], value=None)
        for name in ('label_file', 'coco_file'):
            values[name] = gr.DownloadButton(value=None, interactive=False)
        return [values[name] for name in views]
    names = list(found.shares)
    first = next((name for name in names if name in found.heat_classes), found.heat_classes[0])
    values = dict(
        swatches=_swatches(names),
        picture=found.picture(),
        classes=gr.CheckboxGroup(
            [(f'{name} {share:.1%}', name) for name, share in found.shares.items()],
            value=names,
            visible=True,
        ),
        heat_class=gr.Dropdown(list(found.heat_classes), value=first),
        heat_map=found.heat_map(first),
        margin_map=found.margin_map(),
        label_file=gr.DownloadButton(value=found.label_file, interactive=True),
        coco_file=gr.DownloadButton(value=found.coco_file, interactive=True),
    )
    return [values[name] for name in views]


def _swatches(names: Sequence[str]) -> str:
    """Return a style that shows the color of each class in the list of classes."""
    rules = (
        f'#classes .wrap label:nth-of-type({number}) {{--swatch: rgb({red}, {green}, {blue})}}'
        for number, (red, green, blue) in enumerate(class_colors(names).tolist(), 1)
    )
    return f'<style>{"".join(rules)}</style>'


def _remove(found: PageResult | None) -> None:
    if found is not None:
        found.remove()
