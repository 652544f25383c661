"""What of a run may change when it is resumed, and what is about one command."""

PLACES = ("data", "splits", "structure", "cache")
"""Options that lead to what a run reads; what is there now must be the same as before, which its state knows."""
MAY_CHANGE = (
    *("ckpt", "run_name", "run_dir"),
    *PLACES,
    *("epochs", "max_time", "fresh_schedule"),
    *("accelerator", "devices", "num_nodes", "num_workers"),
    *("validate", "validate_only", "val_batches", "val_epoch_freq"),
    *("quiet", "print_freq", "ckpt_freq", "keep_freq"),
    *("skip_oom", "wandb", "wandb_project", "wandb_entity", "wandb_group", "wandb_tags", "tensorboard"),
)
"""Options that may differ when a run is resumed: where it is written and read, how long it lasts, where and how it is
computed, and what is recorded. All others stay what they were, of every task."""
OF_ONE_COMMAND = {"validate_only": False, "fresh_schedule": False, "max_time": None}
"""Options that a resumed run does not take over from the run: they are about one command."""
