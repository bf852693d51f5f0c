"""The sessions that the cases of handshake.json and hybrid.json run, by the second implementation."""

import itertools

from duet import BOTTOM, CLOSE, KEM, PAD, REFRESH, SECRET, TOP, Session
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey


def payload(n):
    return bytes((7 * i + n) % 256 for i in range(n))


def cut_kem(extensions):
    """The extensions before and after `kem`."""
    parts, at = [b"", b""], 0
    where = 0
    while at < len(extensions):
        end = at + 4 + int.from_bytes(extensions[at + 2:at + 4], "big")
        if int.from_bytes(extensions[at:at + 2], "big") == KEM:
            where = 1
        else:
            parts[where] += extensions[at:end]
        at = end
    return parts


def make(case, role):
    """The party of a role as a case says."""
    hexed = lambda name: bytes.fromhex(case.get(f"{name}_{role}", ""))
    params = hexed("params")
    static = hexed("static")
    hybrid = case.get(f"kem_{role}", "off")
    own = hybrid != "off" and case["pattern"] != SECRET
    extensions = cut_kem(params[16:]) if own else [params[16:], b""]
    return Session(
        role, bytes.fromhex(case["W"]), case["pattern"], case["label"].encode(),
        (bytes.fromhex(case["prelude_top"]), bytes.fromhex(case["prelude_bottom"])),
        padding=hexed("hello_padding"), rotate=(params[2], params[3]),
        max_payload=int.from_bytes(params[4:8], "big"),
        time=int.from_bytes(params[8:16], "big"), extensions=extensions[0],
        extensions_after=extensions[1], hybrid=hybrid,
        kem_random=hexed("kem_seed" if role == TOP else "kem_m") or None,
        nonce=bytes.fromhex(case["N_t" if role == TOP else "N_b"]),
        ephemeral=hexed("ephemeral") or None,
        dialect=case.get("dialect") == "secret", opening=hexed("opening"),
        static=X25519PrivateKey.from_private_bytes(static) if static else None)


def run_case(case):
    """Runs a case between two sessions. Returns them, closed."""
    top, bottom = make(case, TOP), make(case, BOTTOM)
    seen = {TOP: 0, BOTTOM: 0}

    def carry():
        for source, target in itertools.cycle(((top, bottom), (bottom, top))):
            new = source.out[seen[source.role]:]
            seen[source.role] = len(source.out)
            target.receive(new)
            if len(top.out) == seen[TOP] and len(bottom.out) == seen[BOTTOM]:
                return

    carry()
    top.send(0, payload(20))
    bottom.send(7, payload(100))
    carry()
    if case["pad_before_refresh"]:
        top.send(PAD, payload(9))
    if case["crossing_refresh"]:
        bottom.ask_refresh(bytes.fromhex(case["refresh_private_bottom_dropped"]))
    top.ask_refresh(bytes.fromhex(case["refresh_private_top"]))
    if case["crossing_refresh"]:
        top.receive(bottom.out[seen[BOTTOM]:])
        seen[BOTTOM] = len(bottom.out)
    bottom.send(8, payload(3))
    private = bytes.fromhex(case["refresh_private_bottom"])
    read = bottom._read_refresh
    bottom._read_refresh = lambda refresh: read(refresh, private)
    carry()
    top.send(1, payload(40))
    bottom.send(2, payload(41))
    top.send(CLOSE)
    bottom.send(CLOSE)
    carry()
    return top, bottom


def run_story(case):
    """Runs a case of hybrid.json between two sessions. Returns them, closed."""
    sessions = {TOP: make(case, TOP), BOTTOM: make(case, BOTTOM)}
    seen = {TOP: 0, BOTTOM: 0}
    value = lambda refresh, name: bytes.fromhex(refresh.get(name, ""))

    def carry_to(role):
        other = BOTTOM if role == TOP else TOP
        new = sessions[other].out[seen[other]:]
        seen[other] = len(sessions[other].out)
        sessions[role].receive(new)

    for _ in range(3):
        carry_to(BOTTOM)
        carry_to(TOP)
    for session in sessions.values(): # what answers the refresh under way
        read = session._read_refresh
        session._read_refresh = lambda payload, read=read, session=session: read(
            payload, *session.answer)
    crossing = False
    for scene in case["story"]:
        sender = sessions[scene["from"]]
        if scene["code"] != REFRESH:
            sender.send(scene["code"], payload(scene["payload_len"]))
            continue
        refresh = case["refreshes"][scene["refresh"]]
        if scene["first"] != 1: # it follows from what has come
            carry_to(sender.role)
            continue
        if not crossing:
            carry_to(TOP)
            carry_to(BOTTOM)
        crossing = scene.get("dropped", False)
        name = "dropped" if crossing else "asker"
        for session in sessions.values():
            session.answer = (value(refresh, "answerer_private"), value(refresh, "answerer_kem_m"))
        sender.ask_refresh(value(refresh, f"{name}_private"), value(refresh, f"{name}_kem_seed"))
    carry_to(TOP)
    carry_to(BOTTOM)
    return sessions[TOP], sessions[BOTTOM]
