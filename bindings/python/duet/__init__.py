"""A private, authenticated channel between two peers that share a secret.

    import duet
    with duet.connect("127.0.0.1", 4000, "shared.key") as channel:
        channel.send(b"hello")

Blocking: connect(), listen(), wrap() and Channel. asyncio: the module duet.aio. Without I/O:
Session. Errors derive from duet.Error; duet.errors has them all.
"""

from . import aio
from ._library import VERSION as __version__
from ._wire import Message
from .channel import Channel
from .errors import *  # noqa: F401,F403
from .errors import __all__ as _error_names
from .keys import Config, Identity, Peers, Profile, Replay, Secret
from .session import Session
from .sockets import Listener, connect, listen, wrap

__all__ = ["Channel", "Config", "Identity", "Listener", "Message", "Peers", "Profile", "Replay",
           "Secret", "Session", "__version__", "aio", "connect", "listen", "wrap", *_error_names]
