"""Speech models: they hear an utterance and say it again, through few bits (a codec) or through a mel spectrogram."""
