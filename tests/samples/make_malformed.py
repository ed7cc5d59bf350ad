#!/usr/bin/env python3
"""Writes malformed/*.json: one sound application, spoiled in one way per file.

    python3 tests/samples/make_malformed.py

Needs Pillow. Each file is named for its fault; `src/document/application/tests.rs`
says which fault it must give.
"""

import copy
import io
import json
import struct
import zlib
from pathlib import Path

import draw_portraits
from PIL import Image

FOLDER = Path(__file__).parent / "malformed"
CASES = {}


def case(change):
    """Registers a change under its function's name."""
    CASES[change.__name__.replace("_", "-")] = change
    return change


def portrait(picture):
    return draw_portraits.embedded("image/jpeg", draw_portraits.jpeg(picture, 6 * 1024))


def face(size=(240, 320)):
    return draw_portraits.face("malformed", 30, "F", size)


def sound():
    return {
        "format": 1,
        "reference": "APP-2026-900001",
        "kind": "id-card",
        "source": "counter",
        "holder": {
            "surname": "Kļūdaina",
            "given_names": "Neviena",
            "personal_code": "120190-12318",
            "birth_date": "1990-01-12",
            "sex": "F",
            "nationality": "LVA",
            "birth_place": "Rīga",
        },
        "portrait": portrait(face()),
        "office": "RIGA-1",
        "priority": "normal",
        "certificates_consent": True,
    }


def setting(path, value):
    """Returns a change that sets the field at a path."""

    def change(a):
        *parents, last = path.split(".")
        for parent in parents:
            a = a[parent]
        a[last] = value

    return change


def removing(path):
    def change(a):
        *parents, last = path.split(".")
        for parent in parents:
            a = a[parent]
        del a[last]

    return change


for name, change in {
    "unsupported-format": setting("format", 2),
    "format-as-text": setting("format", "1"),
    "missing-format": removing("format"),
    "missing-surname": removing("holder.surname"),
    "missing-holder": removing("holder"),
    "missing-portrait-data": removing("portrait.data"),
    "unknown-field": setting("shoe_size", 42),
    "unknown-field-of-holder": setting("holder.patronymic", "Jāņa"),
    "reference-with-space": setting("reference", "APP 2026"),
    "office-too-long": setting("office", "RIGA-1-2-3-4-5-6-7"),
    "unknown-kind": setting("kind", "library-card"),
    "unknown-source": setting("source", "vehicle-register"),
    "unknown-priority": setting("priority", "soon"),
    "unknown-sex": setting("holder.sex", "W"),
    "consent-as-text": setting("certificates_consent", "yes"),
    "holder-as-list": setting("holder", []),
    "birth-place-null": setting("holder.birth_place", None),
    "surname-empty": setting("holder.surname", ""),
    "surname-too-long": setting("holder.surname", "A" * 33),
    "given-names-too-long": setting("holder.given_names", "Ā" * 37),
    "surname-decomposed": setting("holder.surname", "Kl\u0327u\u0304daina"),
    "surname-cyrillic": setting("holder.surname", "Ошибка"),
    "surname-typographic-apostrophe": setting("holder.surname", "O\u2019Kļūda"),
    "given-names-trailing-space": setting("holder.given_names", "Neviena "),
    "birth-place-bad-character": setting("holder.birth_place", "Rīga <LV>"),
    "personal-code-form": setting("holder.personal_code", "120190-1231"),
    "personal-code-no-date": setting("holder.personal_code", "310290-12318"),
    "personal-code-no-century": setting("holder.personal_code", "120190-42318"),
    "personal-code-check-digit": setting("holder.personal_code", "120190-12312"),
    "birth-date-not-of-personal-code": setting("holder.birth_date", "1990-01-21"),
    "birth-date-form": setting("holder.birth_date", "12.01.1990"),
    "birth-date-no-such-day": setting("holder.birth_date", "1990-02-30"),
    "nationality-form": setting("holder.nationality", "lv"),
    "nationality-unknown": setting("holder.nationality", "SUN"),
    "nationality-not-for-kind": setting("holder.nationality", "EST"),
    "portrait-not-base64": setting("portrait.data", "not base64!"),
    "portrait-gif": setting("portrait", draw_portraits.embedded("image/jpeg", b"GIF89a" + bytes(40))),
    "portrait-unknown-media-type": setting("portrait.media_type", "image/gif"),
    "portrait-media-type-mismatch": setting("portrait.media_type", "image/png"),
}.items():
    CASES[name] = change


@case
def birth_date_in_future(a):
    a["holder"].update(personal_code="329999-12345", birth_date="2999-01-01")


@case
def birth_date_too_long_ago(a):
    a["holder"].update(personal_code="329999-12345", birth_date="1899-12-31")


@case
def alien_card_for_a_citizen(a):
    a["kind"] = "alien-id-card"


@case
def portrait_too_small(a):
    a["portrait"] = portrait(face((239, 320)))


@case
def portrait_too_many_pixels(a):
    a["portrait"] = draw_portraits.embedded("image/png", png_header(100_000, 200_000))


@case
def portrait_lying(a):
    a["portrait"] = portrait(face().rotate(90, expand=True).resize((400, 320)))


@case
def portrait_cut_off(a):
    whole = draw_portraits.jpeg(face(), 6 * 1024)
    a["portrait"] = draw_portraits.embedded("image/jpeg", whole[: len(whole) // 2])


@case
def portrait_arithmetic_jpeg(a):
    whole = draw_portraits.jpeg(face(), 6 * 1024)
    a["portrait"] = draw_portraits.embedded("image/jpeg", whole.replace(b"\xff\xc0\x00\x11", b"\xff\xc9\x00\x11"))


@case
def signature_too_small(a):
    out = io.BytesIO()
    Image.new("L", (60, 20), 255).save(out, "PNG")
    a["signature"] = draw_portraits.embedded("image/png", out.getvalue())


@case
def signature_too_large(a):
    out = io.BytesIO()
    Image.new("L", (400, 120), 255).save(out, "PNG")
    whole = out.getvalue()
    padding = png_chunk(b"teSt", bytes(128 * 1024))
    a["signature"] = draw_portraits.embedded("image/png", whole[:-12] + padding + whole[-12:])


def finger(position):
    images = json.loads((FOLDER.parent.parent / "vectors/images/images.json").read_text(encoding="utf-8"))
    print_of = next(image for image in images if image["media_type"] == "image/x-wsq" and image["width"] >= 125)
    return {"finger": position, **draw_portraits.embedded(print_of["media_type"], bytes.fromhex(print_of["hex"]))}


@case
def fingerprints_three(a):
    a["fingerprints"] = [finger("right-index"), finger("left-index"), finger("left-thumb")]


@case
def fingerprints_of_one_finger(a):
    a["fingerprints"] = [finger("right-index"), finger("right-index")]


@case
def fingerprint_of_no_finger(a):
    a["fingerprints"] = [finger("nose")]


@case
def fingerprint_jpeg(a):
    a["fingerprints"] = [{"finger": "right-index", **a["portrait"]}]


@case
def fingerprints_as_text(a):
    a["fingerprints"] = "none"


@case
def many_faults(a):
    a["reference"] = "?"
    a["kind"] = "library-card"
    a["shoe_size"] = 42
    a["holder"].update(
        surname="", given_names=7, personal_code="120190-12312", birth_date="2999-01-01", nationality="SUN"
    )
    a["portrait"]["data"] = "?"
    del a["office"]
    a["certificates_consent"] = None


def png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(b""))
        + png_chunk(b"IEND", b"")
    )


def main():
    FOLDER.mkdir(exist_ok=True)
    base = sound()
    whole = draw_portraits.text_of(base)
    files = {
        "not-json": whole[: len(whole) // 2],
        "not-an-object": "[]\n",
        "duplicate-field": whole.replace('"office"', '"office": "RIGA-2",\n  "office"'),
    }
    for name, change in CASES.items():
        spoiled = copy.deepcopy(base)
        change(spoiled)
        files[name] = draw_portraits.text_of(spoiled)
    for path in FOLDER.glob("*.json"):
        path.unlink()
    for name, text in files.items():
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")
    print(len(files), "files")


if __name__ == "__main__":
    main()
