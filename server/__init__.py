"""The running service: one process a task (intake, worker, web), started and watched by `bouncemx serve`."""
