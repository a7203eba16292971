"""The running service: one process a task (intake, worker, web, webhooks), started and watched by `bouncemx serve`."""
