#!/usr/bin/env python3
"""Draws the portraits and signatures of the sample applications, and embeds them.

    python3 tests/samples/draw_portraits.py            rewrites applications/*.json
    python3 tests/samples/draw_portraits.py --check    tells whether they would change

Needs Pillow. Every drawing follows from the file's name alone, so the same
Pillow always gives the same bytes; the people and the faces are invented.
"""

import base64
import hashlib
import io
import json
import math
import random
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

HERE = Path(__file__).parent
SIZE = (300, 400)
SCALE = 3  # drawn larger, then reduced, for smooth edges
LARGEST = 12 * 1024

SKIN = ["#f3d3bd", "#ecc2a3", "#d9a27e", "#b97f5a", "#8d5a3b", "#f7dfcf"]
HAIR = ["#2a1c14", "#5b3a1f", "#9a6b36", "#d8b365", "#b3491e", "#1a1a1f"]
EYES = ["#4a6b8a", "#5a4632", "#4f6b4a", "#6f6f6f"]
CLOTHES = ["#27425f", "#5b2f3a", "#3c5a45", "#404048", "#7a6a52", "#6a5a86"]
BACKGROUND = ["#d8dde2", "#dfe3dc", "#e3e0da", "#d5dbe3"]


def seeded(name):
    return random.Random(hashlib.sha256(name.encode()).digest())


def oval(draw, x, y, rx, ry, **kw):
    draw.ellipse([s * SCALE for s in (x - rx, y - ry, x + rx, y + ry)], **kw)


def shade(colour, factor):
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return tuple(max(0, min(255, round(p * factor))) for p in parts)


def face(name, age, sex, size=SIZE):
    """Returns a drawn face: simple, frontal, with both eyes open."""
    r = seeded(name)
    width, height = SIZE
    picture = Image.new("RGB", (width * SCALE, height * SCALE), r.choice(BACKGROUND))
    draw = ImageDraw.Draw(picture)
    child = max(0.0, min(1.0, (16 - age) / 16))

    skin = r.choice(SKIN)
    hair = "#b9b9b9" if age > 60 else r.choice(HAIR)
    cx, cy = width / 2, 185 + 14 * child
    rx = r.uniform(74, 84) + 6 * child
    ry = r.uniform(100, 112) - 14 * child
    long_hair = sex == "F" or r.random() < 0.12

    if long_hair:
        oval(draw, cx, cy + 18, rx + 24, ry + r.uniform(24, 50), fill=hair)
    # Shoulders and neck.
    oval(draw, cx, 420, 138 - 22 * child, 92 - 16 * child, fill=r.choice(CLOTHES))
    draw.rounded_rectangle(
        [s * SCALE for s in (cx - 34, cy + ry - 38, cx + 34, cy + ry + 42)],
        radius=24 * SCALE,
        fill=shade(skin, 0.9),
    )
    # Ears, head, hair.
    for side in (-1, 1):
        oval(draw, cx + side * rx, cy + 6, 12, 22, fill=shade(skin, 0.93))
    oval(draw, cx, cy - 16, rx + 8, ry + 8, fill=hair)
    oval(draw, cx, cy, rx, ry, fill=skin)
    # The fringe: the part of the head's oval above a line across the forehead.
    low = r.uniform(28, 48)
    outline = [
        (cx + (rx + 3) * math.cos(t), cy + (ry + 10) * math.sin(t))
        for t in (math.pi + math.radians(low) + i * (math.pi - 2 * math.radians(low)) / 40 for i in range(41))
    ]
    draw.polygon([(x * SCALE, y * SCALE) for x, y in outline], fill=hair)

    eye_y, apart = cy + 4 + 12 * child, rx * r.uniform(0.40, 0.46)
    iris = r.choice(EYES)
    brow = r.uniform(-4, 4)
    for side in (-1, 1):
        x = cx + side * apart
        oval(draw, x, eye_y, 15, 8.5 + 2 * child, fill="#fbfbf8", outline=shade(skin, 0.6), width=SCALE)
        oval(draw, x, eye_y, 7.5 + child, 7.5 + child, fill=iris)
        oval(draw, x, eye_y, 3.4, 3.4, fill="#111111")
        oval(draw, x + 2.2, eye_y - 2.6, 1.4, 1.4, fill="#ffffff")
        draw.line(
            [s * SCALE for s in (x - 17, eye_y - 19 + side * brow, x + 17, eye_y - 19 - side * brow)],
            fill=shade(hair, 0.8),
            width=round((4 + (sex == "M") * 2 - 2 * child) * SCALE),
        )
    if age >= 40 and r.random() < 0.6:
        for side in (-1, 1):
            oval(draw, cx + side * apart, eye_y, 25, 20, outline="#333333", width=2 * SCALE)
        draw.line([s * SCALE for s in (cx - apart + 25, eye_y, cx + apart - 25, eye_y)], fill="#333333", width=2 * SCALE)

    nose = r.uniform(34, 44) - 14 * child
    draw.line(
        [s * SCALE for s in (cx - 2, eye_y + 8, cx - 9, eye_y + nose, cx + 8, eye_y + nose)],
        fill=shade(skin, 0.72),
        width=3 * SCALE,
        joint="curve",
    )
    mouth_y, mouth = eye_y + nose + r.uniform(24, 32) - 6 * child, r.uniform(22, 32)
    draw.line(
        [
            (SCALE * (cx + mouth * t), SCALE * (mouth_y + 3 * (1 - t * t)))
            for t in [i / 8 for i in range(-8, 9)]
        ],
        fill="#a6524f" if sex == "F" else shade(skin, 0.62),
        width=5 * SCALE,
        joint="curve",
    )
    if sex == "M" and age > 25 and r.random() < 0.5:
        draw.arc(
            [s * SCALE for s in (cx - rx + 4, mouth_y - 70, cx + rx - 4, cy + ry)],
            15,
            165,
            fill=shade(hair, 0.95),
            width=14 * SCALE,
        )
        draw.line([s * SCALE for s in (cx - mouth, mouth_y - 13, cx + mouth, mouth_y - 13)], fill=hair, width=7 * SCALE)
    if age > 60:
        for line in range(3):
            y = cy - ry * 0.52 + line * 9
            draw.line([s * SCALE for s in (cx - 34, y, cx + 34, y)], fill=shade(skin, 0.86), width=SCALE)

    return picture.filter(ImageFilter.GaussianBlur(1.4)).resize(size, Image.Resampling.LANCZOS)


def jpeg(picture, largest=LARGEST):
    """Returns the best JPEG of at most `largest` bytes."""
    for quality in range(90, 20, -5):
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=quality, optimize=True, subsampling=2)
        if len(out.getvalue()) <= largest:
            return out.getvalue()
    raise SystemExit("the drawing does not fit")


def signature(name):
    """Returns a drawn scribble as PNG, black on white."""
    r = seeded("signature of " + name)
    picture = Image.new("L", (800, 240), 255)
    draw = ImageDraw.Draw(picture)
    a, b, c = r.uniform(2, 4), r.uniform(7, 11), r.uniform(0, math.tau)
    points = []
    for step in range(400):
        t = step / 399
        swing = 70 * (1 - 0.6 * t)
        x = 50 + 690 * t + 26 * math.sin(b * math.tau * t)
        y = 120 + swing * math.sin(b * math.tau * t + c) * math.cos(a * math.tau * t)
        points.append((x, y))
    draw.line(points, fill=0, width=6, joint="curve")
    draw.line([(60, 200), (r.uniform(500, 720), r.uniform(180, 215))], fill=0, width=4)
    picture = picture.resize((400, 120), Image.Resampling.LANCZOS).quantize(8)
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def embedded(media_type, data):
    return {"media_type": media_type, "data": base64.b64encode(data).decode()}


def text_of(application):
    return json.dumps(application, ensure_ascii=False, indent=2) + "\n"


def main():
    check = "--check" in sys.argv
    changed = []
    for path in sorted((HERE / "applications").glob("*.json")):
        before = path.read_text(encoding="utf-8")
        application = json.loads(before)
        holder = application["holder"]
        age = 2026 - int(holder["birth_date"][:4])
        drawn = face(path.stem, age, holder["sex"] if holder["sex"] != "X" else "F")
        application["portrait"] = embedded("image/jpeg", jpeg(drawn))
        if "signature" in application:
            application["signature"] = embedded("image/png", signature(path.stem))
        after = text_of(application)
        if after != before:
            changed.append(path.name)
            if not check:
                path.write_text(after, encoding="utf-8")
    print("changed:", ", ".join(changed) if changed else "nothing")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
