# Default runtime: registration of this package, logging, checkpoints, visualization.
custom_imports = dict(imports=['mmseg_langseg'], allow_failed_imports=False)
default_scope = 'mmseg'
env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='MainProcessLoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='WholeCheckpointHook', by_epoch=False, interval=1000, max_keep_ckpts=2),
    checkpoint_fit=dict(type='CheckpointFitHook'),
    finite_loss=dict(type='FiniteLossHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    iteration_seed=dict(type='IterationSeedHook'),
    termination=dict(type='TerminationHook'),
    visualization=dict(type='SegVisualizationHook'),
    labels=dict(type='LabelCheckHook'),
    throughput=dict(type='ThroughputHook'),
)
log_processor = dict(by_epoch=False)
log_level = 'INFO'
# Without a `name`, each run gets its own visualizer, even several runs in one process.
visualizer = dict(type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
tta_model = dict(type='LanguageTTAModel')
load_from = None
resume = False
