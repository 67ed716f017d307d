"""Running untrusted programs: jail (limits of the kernel), server (a process a test), runner (the harness' side)."""
