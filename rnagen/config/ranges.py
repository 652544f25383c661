"""What options of numbers and names take, in words for messages; the checks stand where the options are declared."""

_ZERO_TO_ONE = "from 0 to 1"
_BELOW_ONE = "from 0 to less than 1"
_POSITIVE = "more than 0"
_AT_LEAST_ZERO = "0 or more"
_AT_LEAST_ONE = "1 or more"

RANGES = {
    **dict.fromkeys(("encoder_rate", "min_contacts", "structure_share", "spatial_crop"), _ZERO_TO_ONE),
    **dict.fromkeys(("dropout", "condition_dropout", "label_dropout", "ema_decay"), _BELOW_ONE),
    **dict.fromkeys(("lr", "grad_clip", "drmsd_clamp", "time_multiplier", "sigma_data"), _POSITIVE),
    **dict.fromkeys(("weight_decay", "lr_warmup", "lr_decay", "synthetic_steps", "val_batches"), _AT_LEAST_ZERO),
    **dict.fromkeys(("flow_weight", "lddt_weight", "drmsd_weight", "aligned_mae_weight"), _AT_LEAST_ZERO),
    **dict.fromkeys(("consistency_weight", "distogram_weight"), _AT_LEAST_ZERO),
    **dict.fromkeys(("epochs", "train_batches", "val_epoch_freq", "print_freq", "ckpt_freq"), _AT_LEAST_ONE),
    "keep_freq": _AT_LEAST_ONE,
    "lr_decay_start": "the epoch, 0 or more, or None",
    **dict.fromkeys(("accumulate_grad", "batch_size", "copies", "structure_ramp", "val_repeat"), _AT_LEAST_ONE),
    **dict.fromkeys(("embed_dim", "pair_dim", "mlp_ratio", "max_relative_position"), "from 1 to 16384"),
    "distogram_bins": "from 1 to 16384",
    **dict.fromkeys(("trunk_layers", "num_layers"), "from 1 to 256"),
    **dict.fromkeys(("length_power", "cluster_power"), "from -10 to 10"),
    "pair_feature_dropout": _ZERO_TO_ONE,
    "train_share": "more than 0, up to 1",
    "lddt_thresholds": "one or more, each more than 0",
    "crop": "8 or more",
    "devices": "from 1 to 64, or auto",
    "num_nodes": "from 1 to 1024",
    "seed": "from 0 to 4294967295",
    "accelerator": "one of auto, cpu, gpu, cuda, mps",
    "run_name": "the name of a folder within run_dir",
}
"""By the name of the option."""
