"""ML-KEM-768, written from FIPS 203 alone: plain, slow, and not constant in time.

Only for the second implementation (duet.py). Names are the standard's.
"""

import hashlib

Q, N, K, ETA, DU, DV = 3329, 256, 3, 2, 10, 4
KEY, TEXT = 384 * K + 32, 32 * (DU * K + DV)


def bit_reverse(i):
    return int(f"{i:07b}"[::-1], 2)


ZETA = [pow(17, bit_reverse(i), Q) for i in range(128)]
GAMMA = [pow(17, 2 * bit_reverse(i) + 1, Q) for i in range(128)]


def byte_encode(f, d):
    value = sum(x << (d * i) for i, x in enumerate(f))
    return value.to_bytes(32 * d, "little")


def byte_decode(data, d):
    value = int.from_bytes(data, "little")
    return [(value >> (d * i)) & ((1 << d) - 1) for i in range(N)]


def compress(f, d):
    return [(((x << (d + 1)) + Q) // (2 * Q)) % (1 << d) for x in f]


def decompress(f, d):
    return [(2 * Q * x + (1 << d)) >> (d + 1) for x in f]


def sample_ntt(seed):
    stream, a, at = hashlib.shake_128(seed).digest(3 * 1024), [], 0
    while len(a) < N:
        c = stream[at:at + 3]
        at += 3
        for d in (c[0] + 256 * (c[1] % 16), c[1] // 16 + 16 * c[2]):
            if d < Q and len(a) < N:
                a.append(d)
    return a


def sample_cbd(seed):
    bits = int.from_bytes(seed, "little")
    take = [(bits >> i) & 1 for i in range(8 * len(seed))]
    return [(sum(take[2 * i * ETA:(2 * i + 1) * ETA])
             - sum(take[(2 * i + 1) * ETA:(2 * i + 2) * ETA])) % Q for i in range(N)]


def prf(s, b):
    return hashlib.shake_256(s + bytes([b])).digest(64 * ETA)


def ntt(f):
    f, i, length = list(f), 1, 128
    while length >= 2:
        for start in range(0, N, 2 * length):
            for j in range(start, start + length):
                t = ZETA[i] * f[j + length] % Q
                f[j + length], f[j] = (f[j] - t) % Q, (f[j] + t) % Q
            i += 1
        length //= 2
    return f


def ntt_inverse(f):
    f, i, length = list(f), 127, 2
    while length <= 128:
        for start in range(0, N, 2 * length):
            for j in range(start, start + length):
                t = f[j]
                f[j] = (t + f[j + length]) % Q
                f[j + length] = ZETA[i] * (f[j + length] - t) % Q
            i -= 1
        length *= 2
    return [x * 3303 % Q for x in f]


def multiply(f, g):
    out = []
    for i in range(128):
        a, b, c, d = f[2 * i], f[2 * i + 1], g[2 * i], g[2 * i + 1]
        out += [(a * c + b * d * GAMMA[i]) % Q, (a * d + b * c) % Q]
    return out


def add(*polynomials):
    return [sum(x) % Q for x in zip(*polynomials)]


def dot(row, column):
    return add(*(multiply(f, g) for f, g in zip(row, column)))


def matrix(rho, transposed):
    return [[sample_ntt(rho + (bytes([i, j]) if transposed else bytes([j, i])))
             for j in range(K)] for i in range(K)]


def hash_g(data):
    digest = hashlib.sha3_512(data).digest()
    return digest[:32], digest[32:]


def keygen(seed):
    """The keys (ek, dk) that d ‖ z makes."""
    d, z = seed[:32], seed[32:]
    rho, sigma = hash_g(d + bytes([K]))
    s = [ntt(sample_cbd(prf(sigma, i))) for i in range(K)]
    e = [ntt(sample_cbd(prf(sigma, K + i))) for i in range(K)]
    t = [add(dot(row, s), noise) for row, noise in zip(matrix(rho, False), e)]
    ek = b"".join(byte_encode(f, 12) for f in t) + rho
    dk = b"".join(byte_encode(f, 12) for f in s)
    return ek, dk + ek + hashlib.sha3_256(ek).digest() + z


def encrypt(ek, m, r):
    t = [byte_decode(ek[384 * i:384 * i + 384], 12) for i in range(K)]
    y = [ntt(sample_cbd(prf(r, i))) for i in range(K)]
    e1 = [sample_cbd(prf(r, K + i)) for i in range(K)]
    e2 = sample_cbd(prf(r, 2 * K))
    u = [add(ntt_inverse(dot(row, y)), noise)
         for row, noise in zip(matrix(ek[384 * K:], True), e1)]
    v = add(ntt_inverse(dot(t, y)), e2, decompress(byte_decode(m, 1), 1))
    return b"".join(byte_encode(compress(f, DU), DU) for f in u) + byte_encode(compress(v, DV), DV)


def decrypt(dk, c):
    size = 32 * DU
    u = [ntt(decompress(byte_decode(c[size * i:size * i + size], DU), DU)) for i in range(K)]
    v = decompress(byte_decode(c[size * K:], DV), DV)
    s = [byte_decode(dk[384 * i:384 * i + 384], 12) for i in range(K)]
    w = [(a - b) % Q for a, b in zip(v, ntt_inverse(dot(s, u)))]
    return byte_encode(compress(w, 1), 1)


def check_key(ek):
    """FIPS 203 §7.2."""
    return len(ek) == KEY and all(x < Q for i in range(K)
                                  for x in byte_decode(ek[384 * i:384 * i + 384], 12))


def encaps(ek, m):
    """The shared secret and its ciphertext."""
    shared, r = hash_g(m + hashlib.sha3_256(ek).digest())
    return shared, encrypt(ek, m, r)


def decaps(dk, c):
    inner, ek, h, z = dk[:384 * K], dk[384 * K:768 * K + 32], dk[-64:-32], dk[-32:]
    m = decrypt(inner, c)
    shared, r = hash_g(m + h)
    if encrypt(ek, m, r) == c:
        return shared
    return hashlib.shake_256(z + c).digest(32)
