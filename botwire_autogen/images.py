"""Images to text and back; what comes back is a PNG of a bearable size, whatever was stored."""

from __future__ import annotations

import asyncio
import base64
import binascii
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Final, TypeVar

from autogen_core import Image
from PIL import Image as Pictures

__all__ = ["MAX_PIXELS", "image_from", "run_for_images", "text_of"]

A = TypeVar("A")
R = TypeVar("R")

MAX_PIXELS: Final = 40_000_000
"""A stored image of more pixels is not opened: a few bytes can stand for gigabytes."""


def text_of(image: Image) -> str:
    """An image as a PNG in base64; nothing of it is lost. It takes time: not for the thread of an event loop."""
    return image.to_base64()


def image_from(text: object) -> Image | None:
    """The image that stored text stands for; None where it stands for none, or for one that is too large.

    It takes time: not for the thread of an event loop.
    """
    if not isinstance(text, str):
        return None
    try:
        # Only what `text_of` writes: each other format is one more decoder for stored bytes to break.
        with Pictures.open(BytesIO(base64.b64decode(text, validate=True)), formats=("PNG",)) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return None
            return Image.from_pil(picture)
    except (binascii.Error, EOFError, OSError, SyntaxError, ValueError, zlib.error, Pictures.DecompressionBombError):
        return None


async def run_for_images(work: Callable[[A], R], argument: A, *, are_there: bool) -> R:
    """Give `work(argument)`; in a thread where there are images to pack or to unpack, which would hold up the loop."""
    return await asyncio.to_thread(work, argument) if are_there else work(argument)
