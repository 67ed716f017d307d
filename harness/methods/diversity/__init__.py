"""Methods that make the samples of a prompt differ more, or keep them away from given images."""
