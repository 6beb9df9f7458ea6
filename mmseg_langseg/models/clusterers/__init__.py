"""Clusterers: assign features to prototypes (Sinkhorn, arg-max, prototypes of unknown classes)."""

from .argmax_clusterer import ArgmaxClusterer
from .base_clusterer import BaseClusterer
from .sinkhorn import sinkhorn
from .sinkhorn_clusterer import SinkhornClusterer
from .unknown_prototypes import UnknownPrototypes

__all__ = ['ArgmaxClusterer', 'BaseClusterer', 'SinkhornClusterer', 'UnknownPrototypes', 'sinkhorn']
