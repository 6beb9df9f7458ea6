"""Report page of an adaptation: one HTML file without external resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from mmseg_langseg.apis.evaluation_run import versions
from mmseg_langseg.fileio import write_whole_file
from mmseg_langseg.verdict import Photo

from .adaptation import Adaptation, Judged
from .measurements import Measurements
from .report_chart import interval_chart
from .report_pictures import Picture, photo_pictures, segmented_pictures
from .report_style import STYLE

MOST_PHOTOS = 12
_MOST_LISTED = 50


def write_report(
    path: Path, result: Adaptation, measurements: Measurements, photos: Sequence[Photo]
) -> None:
    """Write the report page.

    Args:
        path: File to write.
        result: The result.
        measurements: Loads the models for the pictures.
        photos: The held-out photos; the first ones are shown.
    """
    sections = [
        _headline(result),
        _usage(result),
        _table(result),
        _pictures(result, measurements, photos[:MOST_PHOTOS]),
        _meaning(),
        _left_out(result),
        _settings(result),
    ]
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>langseg adapt: {escape(result.chosen.candidate.name)}</title>\n'
        f'<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{"".join(sections)}</main>\n'
        '</body>\n</html>\n'
    )
    # File names may be invalid text.
    write_whole_file(path, page.encode(errors='backslashreplace'))


def compared(result: Adaptation) -> Judged | None:
    """Return the candidate that is shown beside zero-shot CLIP; None if there is none.

    This is the chosen one, or if zero-shot CLIP was chosen, the one with the highest gain.
    """
    if not result.is_zero_shot:
        return result.chosen
    return max(result.judged[1:], key=lambda one: one.verdict.gain, default=None)


def _headline(result: Adaptation) -> str:
    kind = 'kept' if result.is_zero_shot else 'better'
    notes = ''.join(f'<p><strong>{escape(note)}</strong></p>\n' for note in result.notes)
    counts = (
        f'Trained on {len(result.trained)} photos without labels, compared on '
        f'{len(result.held_out)} other photos without labels'
    )
    where = escape(str(result.settings['photos']))
    return f'<h1 class="{kind}">{escape(result.answer)}</h1>\n{notes}<p>{counts} of {where}.</p>\n'


def _usage(result: Adaptation) -> str:
    return f'<h2>Use the chosen model</h2>\n<pre><code>{escape(result.command)}</code></pre>\n'


def _table(result: Adaptation) -> str:
    parts = list(result.judged[0].verdict.parts)
    number = ' class="number"'
    kinds = [number, number, '', '', *[number] * len(parts)]
    titles = ['gain in mIoU', 'interval', '', 'verdict', *parts]
    head = '<th scope="col">model</th>' + ''.join(
        f'<th scope="col"{kind}>{escape(title)}</th>'
        for kind, title in zip(kinds, titles, strict=True)
    )
    low = min(one.verdict.low for one in result.judged)
    high = max(one.verdict.high for one in result.judged)
    rows = []
    for one in result.judged:
        verdict, chosen = one.verdict, one is result.chosen
        is_first = one is result.judged[0]
        mark = ' (chosen)' if chosen else ''
        cells = [
            '–' if is_first else f'{verdict.gain:+.1f}',
            '–' if is_first else f'{verdict.low:+.1f} to {verdict.high:+.1f}',
            '' if is_first else interval_chart(verdict, low, high),
            'reference' if is_first else escape(verdict.decision),
            *(_number(verdict.parts[name][1]) for name in parts),
        ]
        row = ''.join(f'<td{kind}>{cell}</td>' for kind, cell in zip(kinds, cells, strict=True))
        name = escape(one.candidate.name + mark)
        row_class = ' class="chosen"' if chosen else ''
        rows.append(f'<tr{row_class}><th scope="row">{name}</th>{row}</tr>\n')
    reason = (
        'No interval is wholly above zero, so zero-shot CLIP is kept.'
        if result.is_zero_shot
        else 'Of the models whose whole interval is above zero, the one with the highest lower end '
        'is chosen.'
    )
    return (
        f'<h2>All candidates</h2>\n<p>{reason}</p>\n<div class="scroll"><table>\n'
        '<caption>Estimated difference from zero-shot CLIP, in percent points of mIoU</caption>\n'
        f'<thead><tr>{head}</tr></thead>\n<tbody>\n{"".join(rows)}</tbody>\n</table></div>\n'
    )


def _number(value: float) -> str:
    return f'{value:.1f}' if abs(value) >= 10 else f'{value:.2f}'


def _pictures(result: Adaptation, measurements: Measurements, photos: Sequence[Photo]) -> str:
    columns = [photo_pictures(photos)]
    colors: dict[str, str] = {}
    shown = [result.judged[0], *filter(None, [compared(result)])]
    for one in shown:
        pictures, own = segmented_pictures(one.candidate, measurements, photos)
        columns.append(pictures)
        colors.update(own)
    titles = ['photo', *(one.candidate.name for one in shown)]
    figures = []
    for photo, pictures in zip(photos, zip(*columns, strict=True), strict=True):
        cells = ''.join(map(_cell, pictures, titles))
        figures.append(
            f'<figure class="photo"><div>{cells}</div>'
            f'<figcaption>{escape(photo.name)}</figcaption></figure>\n'
        )
    after = escape(titles[-1])
    choice = f'The chosen model beside zero-shot CLIP, on {len(photos)} random held-out photos.'
    if result.is_zero_shot:
        choice = (
            f'{len(photos)} random held-out photos. Beside zero-shot CLIP, {after} is '
            'shown, the other model with the highest estimate; it was not chosen.'
        )
    return (
        f'<h2>Before and after</h2>\n<p>{choice}</p>\n{_legend(colors)}'
        f'<div class="photos">\n{"".join(figures)}</div>\n'
    )


def _cell(picture: Picture, title: str) -> str:
    return f'<span><img src="{picture.uri}" alt="{escape(picture.text)}">{escape(title)}</span>'


def _legend(colors: Mapping[str, str]) -> str:
    entries = ''.join(
        f'<li><span style="background: {color}"></span>{escape(name)}</li>\n'
        for name, color in sorted(colors.items())
    )
    return f'<ul class="legend" aria-label="Class colors">\n{entries}</ul>\n'


def _meaning() -> str:
    return (
        '<h2>What the numbers mean</h2>\n'
        '<p>No labels were used. The gain is an <em>estimate</em> of the difference in mIoU (mean '
        'intersection over union of the classes, in percent points) between a model and untrained, '
        'zero-shot CLIP on the held-out photos. It is computed from class-agnostic masks and from '
        'what untrained CLIP says about each mask as a whole. The interval contains the choice of '
        'the photos (bootstrap) and the usual error of such an estimate, as found on rendered '
        'scenes with labels. A “centered” model subtracts from each class its mean score over '
        'training photos, so that no class wins everywhere.</p>\n'
        '<p>The estimate can be wrong: where CLIP misjudges whole masks, where the masks miss what '
        'you look for, or where the held-out photos are nearly the same as those trained on, such '
        'as frames of one video. Look at the pictures. If the decision matters, label a few dozen '
        'photos and test both models on them.</p>\n'
    )


def _left_out(result: Adaptation) -> str:
    if not result.unusable:
        return ''
    entries = ''.join(
        f'<li>{escape(name)}: {escape(reason)}</li>\n'
        for name, reason in result.unusable[:_MOST_LISTED]
    )
    more = len(result.unusable) - _MOST_LISTED
    rest = f'<p>and {more} more, see verdict.json</p>\n' if more > 0 else ''
    return f'<h2>Images that were left out</h2>\n<ul>\n{entries}</ul>\n{rest}'


def _settings(result: Adaptation) -> str:
    entries = {**result.settings, **versions()}
    entries['texts'] = '; '.join(', '.join(words) for words in result.settings['texts'])
    rows = ''.join(
        f'<tr><th scope="row">{escape(key)}</th><td>{escape(str(value))}</td></tr>\n'
        for key, value in entries.items()
        if value not in (None, {})
    )
    return (
        '<h2>Settings and versions</h2>\n'
        f'<div class="scroll"><table class="settings">\n<tbody>\n{rows}</tbody>\n</table></div>\n'
    )
