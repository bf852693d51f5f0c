"""Uses the shared library as it is, by ctypes: no compiler, no header, no generated binding.

    test_ctypes.py LIBRARY

Constants come from duet_constants(), sizes of what grows are passed, handles are plain pointers. Two
channels over a socket pair exchange messages both ways and close.
"""

import socket
import sys
import threading

try:
    import ctypes
except ImportError:
    print("python3 has no ctypes: skipped")
    sys.exit(77)

from ctypes import POINTER, byref, c_char, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

lib = ctypes.CDLL(sys.argv[1])


class Constant(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("value", c_int64)]


class ResultInfo(ctypes.Structure):
    _fields_ = [("number", c_int), ("kind", c_int), ("name", c_char_p), ("sentence", c_char_p),
                ("cure", c_char_p)]


class InfoHead(ctypes.Structure):
    """The first members of duet_info: a program that knows no more passes this size."""

    _fields_ = [("role", c_int), ("pattern", c_int), ("ready", c_int)]


def call(name, result, *arguments):
    function = getattr(lib, name)
    function.restype, function.argtypes = result, arguments
    return function


constants = call("duet_constants", POINTER(Constant))
explain = call("duet_explain", POINTER(ResultInfo), c_int)
key_new = call("duet_key_new", c_int, POINTER(c_void_p), c_int, c_char_p, c_size_t, c_int64)
key_parse = call("duet_key_parse", c_int, POINTER(c_void_p), c_int, c_char_p, c_size_t, c_void_p)
key_format = call("duet_key_format", c_int, c_void_p, c_char_p, c_size_t, POINTER(c_size_t))
key_id = call("duet_key_id", POINTER(c_char), c_void_p)
key_free = call("duet_key_free", None, c_void_p)
config_new = call("duet_config_new", c_void_p)
config_add = call("duet_config_add", c_int, c_void_p, c_void_p)
config_set = call("duet_config_set", c_int, c_void_p, c_int, c_uint64)
config_free = call("duet_config_free", None, c_void_p)
replay_new = call("duet_replay_new", c_void_p, c_size_t)
replay_free = call("duet_replay_free", None, c_void_p)
channel_open = call("duet_channel_open", c_int, POINTER(c_void_p), c_void_p, c_void_p, c_int, c_int, c_int)
channel_send = call("duet_channel_send_message", c_int, c_void_p, c_uint32, c_char_p, c_size_t,
                    POINTER(c_size_t), c_int)
channel_recv = call("duet_channel_recv_all", c_int, c_void_p, POINTER(c_uint32), POINTER(c_void_p),
                    POINTER(c_size_t), c_size_t, c_int)
channel_close = call("duet_channel_close", c_int, c_void_p, c_int)
channel_info = call("duet_channel_info_sized", None, c_void_p, c_void_p, c_size_t)
channel_free = call("duet_channel_free", None, c_void_p)

value = {}
row = constants()
for i in range(10000):
    if row[i].name is None:
        break
    value[row[i].name.decode()] = row[i].value
TIMEOUT_MS = 60000


def check(result):
    assert result == 0, f"{explain(result).contents.name.decode()}: {explain(result).contents.sentence.decode()}"


def make_key():
    """A new secret, through its text and back."""
    key, back, size = c_void_p(), c_void_p(), c_size_t()
    check(key_new(byref(key), value["DUET_KIND_SECRET"], None, 0, 0))
    assert key_format(key, None, 0, byref(size)) == value["DUET_E_ROOM"]
    text = ctypes.create_string_buffer(size.value)
    check(key_format(key, text, size.value, byref(size)))
    check(key_parse(byref(back), value["DUET_KIND_ANY"], text.raw, size.value, None))
    count = value["DUET_SECRET_ID_SIZE"]
    assert key_id(key)[:count] == key_id(back)[:count]
    key_free(back)
    return key


def receive(channel):
    code, data, size = c_uint32(), c_void_p(), c_size_t()
    result = channel_recv(channel, byref(code), byref(data), byref(size), 1 << 24, TIMEOUT_MS)
    if result == value["DUET_CLOSED"]:
        return None
    check(result)
    return code.value, ctypes.string_at(data, size.value)


def send(channel, code, data):
    sent = c_size_t()
    check(channel_send(channel, code, data, len(data), byref(sent), TIMEOUT_MS))
    assert sent.value == len(data)


def answer(channel, failures):
    """Send each message back, under the next code; then close."""
    try:
        for message in iter(lambda: receive(channel), None):
            send(channel, message[0] + 1, message[1])
        check(channel_close(channel, TIMEOUT_MS))
    except BaseException as problem:
        failures.append(problem)
        raise


def main():
    key, config, replay = make_key(), c_void_p(config_new()), c_void_p(replay_new(100))
    check(config_add(config, key))
    check(config_set(config, value["DUET_SET_FRAME_SIZE"], 5000))
    key_free(key)
    ends, channels, failures = socket.socketpair(), [], []
    for role, end in zip(("DUET_TOP", "DUET_BOTTOM"), ends):
        channel = c_void_p()
        # One cache of nonces for both would take the peer for a reflection.
        check(channel_open(byref(channel), config, replay if role == "DUET_BOTTOM" else None, value[role],
                           end.fileno(), end.fileno()))
        channels.append(channel)
    config_free(config)
    thread = threading.Thread(target=answer, args=(channels[1], failures))
    thread.start()
    for size in (0, 1, 5000, 100000):
        data = bytes(range(256)) * (size // 256 + 1)
        send(channels[0], 7, data[:size])
        assert receive(channels[0]) == (8, data[:size]), f"a message of {size} bytes"
    check(channel_close(channels[0], TIMEOUT_MS))
    assert receive(channels[0]) is None
    thread.join()
    info = InfoHead()
    channel_info(channels[0], byref(info), ctypes.sizeof(info))
    assert info.ready == 1 and info.role == value["DUET_TOP"]
    for channel in channels:
        channel_free(channel)
    replay_free(replay)
    assert not failures
    print(f"{len(value)} constants, 4 messages there and back")


main()
