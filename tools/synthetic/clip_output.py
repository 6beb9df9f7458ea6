"""Write the file of a synthetic CLIP and its training log."""

from __future__ import annotations

import io
import json
from pathlib import Path

from mmseg_langseg.fileio import check_new, write_whole_file

import torch


def check_outputs(out: Path) -> None:
    """Check, before any work is done, that neither the CLIP file nor its log exists.

    Raises:
        FileExistsError: One of them exists.
    """
    for path in (out, out.with_suffix('.log.jsonl')):
        check_new(path)


def write_clip(out: Path, file: dict) -> None:
    """Write a new CLIP file."""
    content = io.BytesIO()
    torch.save(file, content)
    write_whole_file(out, content.getvalue(), replace=False)


def write_log(out: Path, lines: list[dict]) -> None:
    """Write the log of a CLIP file, one JSON object per line."""
    log = out.with_suffix('.log.jsonl')
    text = ''.join(json.dumps(line) + '\n' for line in lines)
    write_whole_file(log, text.encode(), replace=False)
    print(f'wrote {out} ({out.stat().st_size / 1e6:.2f} MB) and {log}')
