#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The chart in README.md: how many times as fast libmp is as CPython's multiprocessing, and how fast what
needs no library is, of a run that tests/bench/record has kept.

    chart.py record.tsv chart.svg
    chart.py --check record.tsv chart.svg     fails unless that is the chart
"""
import math
import sys

# What is done; the metric; libmp's subject, CPython's, and that without a library.
ROWS = [
    ("Start a process by spawn, and join it", "start_join", "libmp spawn", "spawn", "raw posix_spawn"),
    ("Start a process by fork server, and join it", "start_join", "libmp forkserver", "forkserver", "raw fork"),
    ("Take a free lock, and give it back", "lock_uncontended", "libmp Lock", "Lock", "pthread robust pshared mutex"),
    ("64 bytes through a pipe, and back", "rtt_64B", "libmp Pipe", "Pipe", "limit: shared-memory spin"),
    ("64 bytes after 64 bytes through a pipe", "stream_64B", "libmp Pipe", "Pipe", "limit: spinning SPSC ring"),
    ("64 bytes after 64 bytes through a queue", "stream_64B", "libmp Queue", "Queue", "limit: spinning SPSC ring"),
    ("1 GB through a pipe", "one_1GB", "libmp Pipe", "Pipe", "limit: memcpy once"),
    ("Pool: one task, and its result", "pool_apply_rtt", "libmp Pool(2)", "Pool(2)", None),
    ("Pool: map, each item a task", "pool_map_chunk1", "libmp Pool(2)", "Pool(2)", "OpenMP dynamic,1 (2 threads)"),
    ("Pool: map, items in chunks", "pool_map_auto", "libmp Pool(2)", "Pool(2)", "OpenMP static (2 threads)"),
    ("Pool: imap_unordered", "pool_imap_unordered", "libmp Pool(2)", "Pool(2)", None),
]
LEFT, RIGHT, TOP, HEIGHT, WIDTH = 300, 900, 92, 34, 1000
MOST = 10000  # times


def read(path):
    notes, figures = [], {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("#"):
                notes.append(line[1:].strip())
                continue
            metric, subject, value, unit = line.rstrip("\n").split("\t")
            if subject.startswith("CPython "):
                subject = "CPython " + subject.split(" ", 2)[2]
            figures[metric, subject, unit] = float(value)
    return notes, figures


def find(figures, metric, subject):
    for (of, by, unit), value in figures.items():
        if (of, by) == (metric, subject):
            return value, unit
    sys.exit(f"chart.py: {metric} of {subject} was not measured")


def shown(value, unit):
    for limit, factor, name in ((1e6, 1e6, "M"), (1e3, 1e3, "k")):
        if unit.endswith("/s") and unit != "GB/s" and value >= limit:
            return f"{value / factor:.3g} {name} {unit.replace('msg', 'messages')}"
    if unit == "ns" and value >= 1000:
        return shown(value / 1000, "µs")
    if unit in ("us", "µs") and value >= 1000:
        return f"{value / 1000:.3g} ms"
    return f"{value:.3g} {unit.replace('us', 'µs')}"


def times(value, other, unit):
    """How many times as fast the first is."""
    return value / other if unit.endswith("/s") else other / value


def place(ratio):
    return LEFT + (RIGHT - LEFT) * math.log10(min(max(ratio, 1), MOST)) / math.log10(MOST)


def text(x, y, content, kind="plain", anchor="start"):
    content = content.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" class="{kind}">{content}</text>'


def draw(notes, figures):
    bottom = TOP + HEIGHT * len(ROWS)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 62}" font-family="sans-serif" font-size="13">',
        "<style>.plain{fill:#000}.small{font-size:11px;fill:#666}.value{font-size:12px;fill:#333}"
        ".title{font-size:17px;font-weight:bold}</style>",
        f'<rect width="{WIDTH}" height="{bottom + 62}" fill="#fff"/>',
        text(20, 30, "Times as fast as CPython's multiprocessing", "title"),
        f'<rect x="20" y="44" width="22" height="11" fill="#2f6db5"/>{text(48, 54, "libmp", "value")}',
        f'<rect x="108" y="41" width="3" height="17" fill="#d9822b"/>{text(118, 54, "what it takes without a library, at its best", "value")}',
    ]
    for power in range(5):
        x = place(10**power)
        lines.append(f'<line x1="{x:.0f}" y1="{TOP - 8}" x2="{x:.0f}" y2="{bottom}" stroke="#ddd"/>')
        lines.append(text(x, TOP - 14, f"{10**power:,}×".replace(",", " "), "small", "middle"))
    for i, (title, metric, own, python, by_hand) in enumerate(ROWS):
        y = TOP + HEIGHT * i
        value, unit = find(figures, metric, own)
        other, _ = find(figures, metric, "CPython " + python)
        ratio = times(value, other, unit)
        end = place(ratio)
        lines.append(text(LEFT - 12, y + 15, title, "plain", "end"))
        lines.append(text(LEFT - 12, y + 28, f"{shown(value, unit)}, CPython {shown(other, unit)}", "small", "end"))
        lines.append(f'<rect x="{LEFT}" y="{y + 5}" width="{end - LEFT:.0f}" height="18" fill="#2f6db5"/>')
        if by_hand:
            hand, _ = find(figures, metric, by_hand)
            mark = place(times(hand, other, unit))
            lines.append(f'<rect x="{mark - 1:.0f}" y="{y + 2}" width="3" height="24" fill="#d9822b"/>')
            end = max(end, mark)
        lines.append(text(end + 8, y + 19, f"{ratio:.0f}×" if ratio >= 10 else f"{ratio:.1f}×", "value"))
    for i, note in enumerate(notes):
        lines.append(text(20, bottom + 26 + 18 * i, note, "small"))
    return "\n".join([*lines, "</svg>"]) + "\n"


def main(*arguments):
    check = arguments[:1] == ("--check",)
    record, chart = arguments[1:] if check else arguments
    drawn = draw(*read(record))
    with open(chart, "r" if check else "w", encoding="utf-8") as file:
        if not check:
            file.write(drawn)
        elif file.read() != drawn:
            sys.exit(f"chart.py: {chart} is not the chart of {record}")


if __name__ == "__main__":
    main(*sys.argv[1:])
