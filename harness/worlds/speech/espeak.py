"""espeak-ng by ctypes: text to samples, the same samples whatever was said before.

The library keeps the state of its wave generator (phases, flutter, sample counter) from one utterance to the next, and
neither a new voice nor `espeak_Terminate` resets it (measured: the same text twice differs by some samples in length).
So the library is loaded anew for each utterance, which costs about two milliseconds.
"""

from __future__ import annotations

import _ctypes
import ctypes
import os
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 22_050
"""Sampling rate of the library."""

_SYNCHRONOUS, _NO_EXIT = 2, 0x8000
_PARAMETER_RATE, _UTF8 = 1, 1
_LOCK = threading.Lock()
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class EspeakError(RuntimeError):
    """espeak-ng could not be loaded or refused a voice."""


def library() -> Path:
    """The shared library that the package espeakng-loader carries."""
    import espeakng_loader

    return Path(espeakng_loader.get_library_path())


def say(text: str, voice: str, rate_wpm: int) -> NDArray[np.int16]:
    """Mono samples (T,) int16 at 22 050 Hz of `text` in one of espeak's voices at `rate_wpm` words a minute.

    Raises EspeakError for an unknown voice, or when another part of the process holds the library.
    """
    import espeakng_loader

    path = os.fspath(library())
    chunks: list[NDArray[np.int16]] = []

    def collect(samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int | None) -> int:
        if samples and count:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    callback = _Callback(collect)
    with _LOCK:
        if _is_loaded(path):
            raise EspeakError("another part of this process holds espeak-ng: its state would enter the speech")
        lib = ctypes.CDLL(path)
        try:
            rate = lib.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), _NO_EXIT)
            if rate != RATE_HZ:
                raise EspeakError(f"espeak-ng opened at {rate} Hz, expected {RATE_HZ}")
            lib.espeak_SetSynthCallback(callback)
            if lib.espeak_SetVoiceByName(voice.encode()) != 0:
                raise EspeakError(f"espeak-ng has no voice {voice!r}")
            lib.espeak_SetParameter(_PARAMETER_RATE, rate_wpm, 0)
            data = text.encode()
            lib.espeak_Synth(data, len(data) + 1, 0, 1, 0, _UTF8, None, None)
            lib.espeak_Synchronize()
            lib.espeak_Terminate()
        finally:
            _ctypes.dlclose(lib._handle)
    return np.concatenate(chunks) if chunks else np.zeros(0, dtype=np.int16)


def _is_loaded(path: str) -> bool:
    try:
        handle = _ctypes.dlopen(path, os.RTLD_NOLOAD | os.RTLD_NOW)
    except OSError:
        return False
    _ctypes.dlclose(handle)
    return True
