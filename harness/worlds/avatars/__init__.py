"""The avatars world: 64x64 portraits drawn from explicit attributes and a continuous identity, with captions.

Rooms: `attributes` (what can be stated, and sampling), `identity` (who it is), `draw` (pixels), `captions` (the grammar
and its inverse), `prompts` (prompt sets), `dataset` (training and held-out renders by key). Pure numpy.
"""
