"""Tables of an evaluation: Markdown, CSV and JSON, with published numbers beside ours."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmseg_langseg.fileio import parse_json, write_whole_file

_COLUMNS = (
    *('name', 'benchmark', 'protocol', 'mIoU', 'aAcc', 'mAcc', 'images_per_second'),
    *('peak_memory_mib', 'num_images', 'num_classes', 'tower', 'pretrained', 'weights'),
    *('weights_sha256', 'readout', 'template_set', 'templates', 'class_names', 'vocabulary'),
    *('image_scale', 'input_size', 'test_cfg', 'masks', 'corruption', 'settings', 'device'),
    'versions',
)
_METRICS = ('mIoU', 'aAcc', 'mAcc')


def write_tables(
    records: Sequence[dict[str, Any]],
    out_dir: str | Path,
    published: Sequence[dict[str, Any]] = (),
) -> str:
    """Write ``table.md``, ``table.csv`` and ``table.json``.

    Args:
        records: Records of ``evaluate_all``.
        out_dir: Folder of the files.
        published: Rows of :func:`read_published`, shown below ours.

    Returns:
        The Markdown table.
    """
    table = markdown_table(records, published)
    write_whole_file(Path(out_dir, 'table.md'), table.encode())
    write_whole_file(Path(out_dir, 'table.csv'), _csv(records).encode())
    content = json.dumps(dict(ours=list(records), published=list(published)), indent=2)
    write_whole_file(Path(out_dir, 'table.json'), content.encode())
    return table


def read_published(path: str | Path) -> list[dict[str, Any]]:
    """Read published numbers.

    Args:
        path: JSON list of ``{"name": ..., "source": ..., "mIoU": {benchmark: percent}}``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file has another form.
    """
    path = Path(path)
    rows = parse_json(path.read_bytes(), f"'{path}'")
    good = isinstance(rows, list) and all(
        isinstance(row, dict)
        and isinstance(row.get('name'), str)
        and isinstance(row.get('source'), str)
        and isinstance(row.get('mIoU'), dict)
        and all(isinstance(value, (int, float)) for value in row['mIoU'].values())
        for row in rows
    )
    if not good:
        raise ValueError(
            f"'{path}': expected a list of objects with name, source and mIoU, the percent by "
            'benchmark.'
        )
    return rows


def markdown_table(
    records: Sequence[dict[str, Any]], published: Sequence[dict[str, Any]] = ()
) -> str:
    """Return two Markdown tables: mIoU of all models by benchmark, and every test by itself.

    Args:
        records: See :func:`write_tables`.
        published: Likewise.
    """
    benchmarks = list(dict.fromkeys(record['benchmark'] for record in records))
    names = list(dict.fromkeys(record['name'] for record in records))
    by_test = {(record['name'], record['benchmark']): record for record in records}
    lines = _row(['mIoU', *benchmarks]), _row(['---'] * (1 + len(benchmarks)))
    rows = [*lines]
    for name in names:
        values = [by_test.get((name, b), {}).get('metrics', {}).get('mIoU') for b in benchmarks]
        rows.append(_row([name, *map(_percent, values)]))
    for row in published:
        if any(benchmark in row['mIoU'] for benchmark in benchmarks):
            values = [_percent(row['mIoU'].get(benchmark)) for benchmark in benchmarks]
            rows.append(_row([f'{row["name"]} (published: {row["source"]})', *values]))
    metrics = [*_METRICS, *_further_metrics(records)]
    options = [key for key in ('masks', 'corruption') if any(record.get(key) for record in records)]
    head = ['model', 'benchmark', 'protocol', *metrics, 'images/s', 'peak MiB']
    head += ['read-out', 'templates', 'image scale', 'input size', 'test_cfg', *options]
    rows += ['', _row(head), _row(['---'] * len(head))]
    for record in records:
        rows.append(
            _row(
                [
                    record['name'],
                    record['benchmark'],
                    record['protocol'],
                    *(_percent(record['metrics'].get(key)) for key in metrics),
                    f'{record["images_per_second"]:.2f}',
                    f'{record["peak_memory_mib"]:.0f}',
                    *(_plain(record[key]) for key in ('readout', 'template_set', 'image_scale')),
                    *(_plain(record[key]) for key in ('input_size', 'test_cfg')),
                    *(_plain(record.get(key)) for key in options),
                ]
            )
        )
    if records:
        versions = ', '.join(f'{k} {v}' for k, v in records[0]['versions'].items())
        rows += ['', f'{records[0]["device"]}; {versions}']
    return '\n'.join(rows) + '\n'


def _csv(records: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    columns = (*_COLUMNS, *_further_metrics(records))
    writer = csv.DictWriter(text, columns, extrasaction='ignore', lineterminator='\n')
    writer.writeheader()
    for record in records:
        values = {**record, **record['metrics']}
        for key, value in values.items():
            if isinstance(value, (dict, list)):
                values[key] = json.dumps(value)
        writer.writerow(values)
    return text.getvalue()


def _further_metrics(records: Sequence[dict[str, Any]]) -> list[str]:
    """Return the names of metrics besides those that every test has."""
    names = dict.fromkeys(name for record in records for name in record['metrics'])
    return [name for name in names if name not in _METRICS]


def _row(cells: Sequence[str]) -> str:
    return f'| {" | ".join(str(cell).replace("|", "/") for cell in cells)} |'


def _percent(value: float | None) -> str:
    return '-' if value is None else f'{value:.1f}'


def _plain(value: Any) -> str:
    if value is None:
        return '-'
    if isinstance(value, dict):
        return ', '.join(f'{key}={_plain(entry)}' for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        return 'x'.join(map(str, value))
    return str(value)
