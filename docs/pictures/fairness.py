"""Draws docs/pictures/fairness.svg from a run of the demo.

    fairclaim demo --keep    # prints the URL of its server, which goes on running
    cd docs/pictures
    psql -qXAtF ' ' -f fairness.sql "$URL" | python3 fairness.py > fairness.svg

The query gives a line for each tenant: its jobs, and the seconds from the first job of the run that
was done to the tenant's own first and last one. The grey bars are not measured: they are the places of
the same jobs in the order of their dispatch (the flood first), at the run's own rate.
"""

import sys

rows = sorted(
    ([int(n), float(first), float(last)] for n, first, last in map(str.split, sys.stdin)),
    reverse=True,
)
flood, small = rows[0], sorted(rows[1:], key=lambda row: row[2])
total, end = sum(row[0] for row in rows), max(row[2] for row in rows)
rate = total / end
SHOWN, LEFT, WIDTH, TOP, STEP = 6, 176, 690, 104, 30
picked = [small[round(i * (len(small) - 1) / (SHOWN - 1))] for i in range(SHOWN)]


def x(seconds):
    return LEFT + WIDTH * seconds / end


def text(at, y, words, anchor="start", size=13, fill="#334155", weight=400):
    return (
        f'<text x="{at:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{fill}" '
        f'font-weight="{weight}">{words}</text>'
    )


def bar(first, last, y, fill):
    return f'<rect x="{x(first):.1f}" y="{y}" width="{max(x(last) - x(first), 4):.1f}" height="14" rx="4" fill="{fill}"/>'


out, y = [], TOP
out.append(
    text(
        20,
        34,
        f"{len(small)} small tenants beside one that floods the queue",
        size=17,
        fill="#0f172a",
        weight=700,
    )
)
out.append(
    text(
        20,
        56,
        f"From the first job done to the last, in seconds since the very first. "
        f"{total:,} jobs, the {flood[0]:,} of the flood dispatched first.",
    )
)
out.append(
    text(LEFT - 12, y + 12, "the flood", "end", fill="#0f172a", weight=700)
    + bar(flood[1], flood[2], y, "#f97316")
)
out.append(text(x(end) + 8, y + 12, f"{end:.1f} s", fill="#0f172a"))
y += STEP + 8
place = flood[0]
for number, row in enumerate(picked):
    name = ("first small tenant done", "", "", "", "", "last small tenant done")[number]
    if name:
        out.append(text(LEFT - 12, y + 12, name, "end", size=12))
    begin = (place + row[0] * round(number * (len(small) - 1) / (SHOWN - 1))) / rate
    out.append(bar(begin, begin + row[0] / rate, y, "#94a3b8") + bar(row[1], row[2], y, "#0284c7"))
    out.append(text(x(row[2]) + 10, y + 12, f"{row[2]:.2f} s", fill="#0f172a"))
    y += STEP - 6
out.append(f'<path d="M{LEFT} {TOP - 12} V{y + 2} H{LEFT + WIDTH}" fill="none" stroke="#94a3b8"/>')
step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 1000) if end / step <= 10)
for second in range(0, int(end) + 1, step):
    out.append(text(x(second), y + 20, f"{second} s", "middle", size=12))
y += 48
for at, fill, words in (
    (20, "#0284c7", "a small tenant, with fairclaim"),
    (270, "#94a3b8", "the same, by order of arrival at the same rate (computed)"),
):
    out.append(
        f'<rect x="{at}" y="{y - 11}" width="22" height="12" rx="3" fill="{fill}"/>'
        + text(at + 30, y, words)
    )
out.append(text(930, y, "fairclaim demo", "end", size=12, fill="#64748b"))
description = (
    f"All {len(small)} small tenants are done {small[-1][2]:.2f} s after the first job of all; the flood of "
    f"{flood[0]:,} jobs ends after {end:.1f} s."
)
print(
    f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 950 {y + 16}" width="950" height="{y + 16}" role="img" """
    f"""aria-labelledby="t d" font-family="Helvetica, Arial, sans-serif">
<title id="t">Small tenants beside a flood</title>
<desc id="d">{description}</desc>
<rect width="950" height="{y + 16}" rx="10" fill="#ffffff"/>
""" + "\n".join(out) + "\n</svg>"
)
