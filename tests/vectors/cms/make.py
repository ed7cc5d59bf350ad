#!/usr/bin/env python3
"""Makes sound.json, a message signed by openssl with a throw-away key, and malformed/, one fault
a file.

Run in this folder; openssl must be installed. The message is new every time, the faults are not.
"""
import copy
import json
import subprocess
import tempfile
from pathlib import Path


def read(data, at=0):
    tag, length, head = data[at], data[at + 1], 2
    if length & 0x80:
        count = length & 0x7F
        length, head = int.from_bytes(data[at + 2 : at + 2 + count], "big"), 2 + count
    body = data[at + head : at + head + length]
    if not tag & 0x20:
        return [tag, body], at + head + length
    children, place = [], 0
    while place < len(body):
        child, place = read(body, place)
        children.append(child)
    return [tag, children], at + head + length


def write(node):
    tag, body = node
    data = body if isinstance(body, bytes) else b"".join(map(write, body))
    if len(data) < 0x80:
        length = bytes([len(data)])
    else:
        size = (len(data).bit_length() + 7) // 8
        length = bytes([0x80 | size]) + len(data).to_bytes(size, "big")
    return bytes([tag]) + length + data


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def message():
    with tempfile.TemporaryDirectory() as folder:
        openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-keyout", "key", "-out", "cert", "-days", "3650", "-subj", "/C=UT/CN=Faults",
                "-addext", "keyUsage=critical,digitalSignature")
        Path(folder, "content").write_bytes(bytes.fromhex("3003020100"))
        openssl(folder, "cms", "-sign", "-binary", "-nodetach", "-nosmimecap", "-md", "sha256",
                "-econtent_type", "2.23.136.1.1.1", "-in", "content", "-signer", "cert",
                "-inkey", "key", "-outform", "DER", "-out", "message")
        return Path(folder, "message").read_bytes()


base = message()
tree = read(base)[0]
faults = []


def fault(name, error, edit):
    changed = copy.deepcopy(tree)
    data = changed[1][1][1][0][1]
    made = edit(changed, data)
    faults.append({"name": name, "error": error, "der": (made if isinstance(made, bytes) else write(changed)).hex()})


def signer(data):
    return data[4][1][0][1]


SYNTAX = "not a CMS message in DER"
INT = lambda value: [0x02, bytes([value])]
fault("cut-by-a-byte", SYNTAX, lambda t, d: base[:-1])
fault("a-byte-more", SYNTAX, lambda t, d: base + b"\0")
fault("length-not-minimal", SYNTAX, lambda t, d: b"\x30\x83\x00" + base[2:] if base[1] == 0x82 else b"")
fault("indefinite-length", SYNTAX, lambda t, d: b"\x30\x80" + base[4:] + b"\0\0")
fault("enveloped-data", "not SignedData", lambda t, d: t[1].__setitem__(0, [6, bytes.fromhex("2a864886f70d010703")]))
fault("two-contents", SYNTAX, lambda t, d: t[1].append(copy.deepcopy(t[1][1])))
fault("two-in-the-explicit-tag", SYNTAX, lambda t, d: t[1][1][1].append(INT(0)))
fault("version-2", "unknown version 2", lambda t, d: d.__setitem__(0, INT(2)))
fault("version-with-a-zero", SYNTAX, lambda t, d: d.__setitem__(0, [2, b"\0\x03"]))
fault("digest-algorithms-no-set", SYNTAX, lambda t, d: d[1].__setitem__(0, 0x30))
fault("digest-algorithms-endless", SYNTAX, lambda t, d: d[1].__setitem__(1, d[1][1] * 40))
fault("content-elsewhere", "no content in it", lambda t, d: d[2][1].pop())
fault("content-no-octets", SYNTAX, lambda t, d: d[2][1][1].__setitem__(1, [[0x0C, b"text"]]))
fault("content-in-pieces", SYNTAX, lambda t, d: d[2][1][1].__setitem__(1, [[0x24, [[4, b"a"], [4, b"b"]]]]))
fault("certificate-of-garbage", "certificate 1 of the signed message", lambda t, d: d[3].__setitem__(1, [[0x30, [INT(1)]]]))
fault("certificates-too-many", "at most 64 certificates", lambda t, d: d[3].__setitem__(1, d[3][1] * 65))
fault("nobody-signed", "1 to 8 signers, not 0", lambda t, d: d[4].__setitem__(1, []))
fault("nine-signers", "1 to 8 signers, not 9", lambda t, d: d[4].__setitem__(1, d[4][1] * 9))
fault("something-after-the-signers", SYNTAX, lambda t, d: d.append(INT(1)))
fault("signer-version-2", "unknown version 2", lambda t, d: signer(d).__setitem__(0, INT(2)))
fault("signer-id-of-text", "not named by issuer", lambda t, d: signer(d).__setitem__(1, [0x0C, b"me"]))
fault("signer-id-empty-key", "not named by issuer", lambda t, d: signer(d).__setitem__(1, [0x80, b""]))
fault("signer-serial-missing", SYNTAX, lambda t, d: signer(d)[1][1].pop())
fault("signer-serial-of-22-bytes", "not named by issuer", lambda t, d: signer(d)[1][1].__setitem__(1, [2, b"\x11" * 22]))
fault("signature-no-octets", SYNTAX, lambda t, d: signer(d).__setitem__(5, [3, b"\0" * 9]))
fault("signature-missing", SYNTAX, lambda t, d: signer(d).pop())
fault("something-after-the-signature", SYNTAX, lambda t, d: signer(d).append(INT(1)))
fault("attributes-empty", "signed attribute 1.2.840.113549.1.9.3", lambda t, d: signer(d)[3].__setitem__(1, []))
attribute = lambda d, oid: next(a for a in signer(d)[3][1] if a[1][0][1] == bytes.fromhex("2a864886f70d0109") + bytes([oid]))
for oid, name in [(3, "content-type"), (4, "message-digest")]:
    text = f"signed attribute 1.2.840.113549.1.9.{oid}"
    fault(f"{name}-missing", text, lambda t, d, oid=oid: signer(d)[3][1].remove(attribute(d, oid)))
    fault(f"{name}-without-a-value", text, lambda t, d, oid=oid: attribute(d, oid)[1][1].__setitem__(1, []))
    fault(f"{name}-of-another-type", text, lambda t, d, oid=oid: attribute(d, oid)[1][1].__setitem__(1, [INT(1)]))
    fault(f"{name}-twice", text, lambda t, d, oid=oid: signer(d)[3][1].append(copy.deepcopy(attribute(d, oid))))
    fault(f"{name}-with-two-values", text, lambda t, d, oid=oid: attribute(d, oid)[1][1].__setitem__(1, attribute(d, oid)[1][1][1] * 2))
fault("signing-time-no-time", "signed attribute 1.2.840.113549.1.9.5", lambda t, d: attribute(d, 5)[1][1].__setitem__(1, [[0x17, b"991399000000Z"]]))
fault("attribute-of-three", SYNTAX, lambda t, d: signer(d)[3][1][0][1].append(INT(1)))
fault("attributes-endless", "signed attribute", lambda t, d: signer(d)[3][1].extend([0x30, [[6, bytes([0x2A, n])], [0x31, [INT(1)]]]] for n in range(40)))

certificate = tree[1][1][1][0][1][3][1][0]
LIST = "not a master list in DER"
entry = lambda *parts: write([0x30, list(parts)]).hex()
one = [0x31, [certificate]]
lists = [
    {"name": "version-1", "error": "unknown version", "der": entry(INT(1), one)},
    {"name": "no-version", "error": LIST, "der": entry(one)},
    {"name": "no-set", "error": LIST, "der": entry(INT(0), [0x30, [certificate]])},
    {"name": "nothing-on-it", "error": "1 to 8192", "der": entry(INT(0), [0x31, []])},
    {"name": "not-a-sequence-in-it", "error": LIST, "der": entry(INT(0), [0x31, [INT(7)]])},
    {"name": "something-after-it", "error": LIST, "der": entry(INT(0), one, INT(1))},
]
SOUND = "made by make.py: a message signed by openssl with a throw-away key"


def put(path, row):
    path.write_text(json.dumps(row, indent=1) + "\n")


put(Path("sound.json"), {"source": SOUND, "message": base.hex(), "master_list": entry(INT(0), one)})
folder = Path("malformed")
folder.mkdir(exist_ok=True)
for old in folder.glob("*.json"):
    old.unlink()
for kind, rows in (("message", faults), ("master-list", lists)):
    for row in rows:
        put(folder / f"{kind}-{row['name']}.json", {
            "source": SOUND + ", with one fault",
            "kind": kind,
            "error": row["error"],
            "hex": row["der"],
        })
