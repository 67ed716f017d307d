"""Running untrusted programs: jail (the kernel's limits), server (a limited process a test), runner (the harness' side)."""
