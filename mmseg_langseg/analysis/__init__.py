"""Pictures of a trained model: class prompts among words, and masks by cluster."""

from .assign_masks import assign_masks, mask_tower, sample_clusters
from .cluster_sample import ClusterSample
from .contact_sheet import ContactSheet, check_sheet_size
from .draw_prompt_map import draw_prompt_map
from .mask_crop import crop_mask
from .mask_labels import MaskLabels
from .nearest_words import NearWord, nearest_words
from .prompt_map import PromptMap
from .report_files import ReportFiles
from .trained_prompts import (
    embed_prompts,
    embed_words,
    find_words,
    is_embedding_file,
    load_prompt_config,
    load_prompt_model,
)
from .word_embeddings import WordEmbeddings

__all__ = [
    'ClusterSample',
    'ContactSheet',
    'MaskLabels',
    'NearWord',
    'PromptMap',
    'ReportFiles',
    'WordEmbeddings',
    'assign_masks',
    'check_sheet_size',
    'crop_mask',
    'draw_prompt_map',
    'embed_prompts',
    'embed_words',
    'find_words',
    'is_embedding_file',
    'load_prompt_config',
    'load_prompt_model',
    'mask_tower',
    'nearest_words',
    'sample_clusters',
]
