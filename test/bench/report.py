# SPDX-License-Identifier: MIT
"""What was measured, as a table, beside the bars, and as a picture."""

import statistics

COLOURS = {"direct": "#9aa5b1", "kernel NAT": "#616e7c", "relay": "#cbd2d9",
           "slirp4netns": "#e3b341", "pasta": "#d9822b", "PASTA": "#b35900",
           "slipway": "#2470c7", "vhost-user": "#17497f",
           "QEMU stream": "#7fb2e5", "with rules": "#a9cbee"}


class Results:
    """{row: {contender: [dict or None, ...]}}, and medians of it."""

    def __init__(self):
        self.runs = {}

    def add(self, row, contender, sample):
        self.runs.setdefault(row, {}).setdefault(contender, []).append(sample)

    def values(self, row, contender, key="value"):
        return [s[key] for s in self.runs.get(row, {}).get(contender, [])
                if s and s.get(key) is not None]

    def median(self, row, contender, key="value"):
        found = self.values(row, contender, key)
        return statistics.median(found) if found else None

    def ratio(self, row, of, to, key="value"):
        a, b = self.median(row, of, key), self.median(row, to, key)
        return a / b if a is not None and b else None


def show(value, digits=2):
    return "-" if value is None else f"{value:.{digits}f}"


def print_table(results, rows, names):
    """Medians; the last column is how far slipway's runs lie apart."""
    width = max(len(r.name) for r in rows) + 1
    print(" " * width + f"{'':7}" + "".join(f"{n:>12}" for n in names)
          + f"{'spread':>14}")
    for row in rows:
        if row.name not in results.runs:
            continue
        ours = results.values(row.name, "slipway")
        spread = (f"{show(min(ours), row.digits)}-"
                  f"{show(max(ours), row.digits)}" if ours else "")
        print(f"{row.name:{width}}{row.unit:7}" + "".join(
            f"{show(results.median(row.name, n), row.digits):>12}"
            for n in names) + f"{spread:>14}")


def bars(results):
    """(what, wanted, seen or None, met), one for each bar."""
    def ratio(row, to, key="value", of="slipway"):
        return results.ratio(row, of, to, key)

    def least(what, wanted, seen, unit="x"):
        return (what, f">= {wanted:g} {unit}", seen,
                None if seen is None else seen >= wanted)

    def most(what, wanted, seen, unit="x"):
        return (what, f"<= {wanted:g} {unit}", seen,
                None if seen is None else seen <= wanted)

    def each_way(pattern):
        for way in ("up", "down"):
            yield way, pattern.format(way)

    for way, row in each_way("link of a guest, {}, MTU 1500"):
        yield least(f"vhost-user {way}, of the tap", 1.2,
                    ratio(row, "slipway", of="vhost-user"))
    for way, row in each_way("link of a guest, {}, MTU 65520"):
        yield least(f"QEMU's stream {way}", 8,
                    results.median(row, "QEMU stream"), "Gbit/s")
    rr = "link of a guest, request/response, p50"
    taps, machines = (results.median(rr, of)
                      for of in ("slipway", "vhost-user"))
    yield most("vhost-user's request/response, beyond the tap's", 10,
               None if taps is None or machines is None else
               machines - taps, "µs")
    for way, row in each_way("TCP 1 stream {}, MTU 1500"):
        yield least(f"one stream {way}, of kernel NAT", 0.45,
                    ratio(row, "kernel NAT"))
        yield least(f"one stream {way}, of the relay", 0.85,
                    ratio(row, "relay"))
        yield least(f"one stream {way}, of pasta", 7, ratio(row, "pasta"))
        big = results.median(f"TCP 1 stream {way}, MTU 65520", "pasta")
        ours = results.median(row, "slipway")
        yield least(f"one stream {way}, of pasta at 65520", 1,
                    ours / big if ours and big else None)
    for way, row in each_way("TCP 8 streams {}, MTU 1500"):
        nat = results.median(row, "kernel NAT")
        ours = results.median(row, "slipway")
        yield least(f"eight streams {way}, of kernel NAT", 0.45,
                    ours / nat if ours and nat else None)
    for what, row in (("one stream up", "TCP 1 stream up, MTU 1500"),
                      ("one stream down", "TCP 1 stream down, MTU 1500"),
                      ("connect/request/close, one CPU",
                       "TCP connect/request/close, one CPU")):
        yield least(f"{what}, with 10,000 rules", 0.95,
                    ratio(row, "slipway", of="with rules"))
    for row in ("TCP up over 100 ms", "TCP down over 100 ms",
                "TCP up, 0.1 % lost over 20 ms"):
        yield least(f"{row}, of direct", 0.9, ratio(row, "direct"))
    for way, row in each_way("TCP 1 stream {}, MTU 65520"):
        yield least(f"one stream {way} at 65520, of the relay", 0.85,
                    ratio(row, "relay"))
        peers = [m for m in (results.median(row, n) for n in
                             ("pasta", "slirp4netns", "PASTA")) if m]
        ours = results.median(row, "slipway")
        yield least(f"one stream {way} at 65520, of the best peer", 1,
                    ours / max(peers) if ours and peers else None)
        yield most(f"CPU per GiB {way} at 65520, of pasta", 0.8,
                   ratio(row, "pasta", "cpu_s_per_gib"))
    for where in ("", ", one CPU"):
        row = "TCP connect/request/close" + where
        yield least(f"connect/request/close{where}, of kernel NAT", 0.6,
                    ratio(row, "kernel NAT"))
        yield least(f"connect/request/close{where}, of pasta", 1.3,
                    ratio(row, "pasta"))
    row = "TCP request/response, one CPU, p50"
    yield most("request/response, of kernel NAT", 2, ratio(row, "kernel NAT"))
    yield most("request/response, of pasta", 0.95, ratio(row, "pasta"))
    yield least("UDP up, of pasta", 1.2, ratio("UDP 1400 bytes up", "pasta"))
    yield least("UDP down, of pasta", 2, ratio("UDP 1400 bytes down",
                                               "pasta"))
    for way in ("to", "from"):
        yield least(f"localhost {way} the guest, of pasta", 1,
                    ratio(f"localhost {way} the guest", "pasta"))
    row = "a guest for `true`"
    yield most("start-up", 15, results.median(row, "slipway"), "ms")
    yield most("start-up, of pasta", 0.4, ratio(row, "pasta"))
    yield most("own memory, idle", 1536,
               results.median("own memory, idle", "slipway"), "KiB")
    yield most("own memory per idle flow", 600, results.median(
        "own memory per flow, 10000 idle", "slipway"), "bytes")
    row = "own memory per flow, 15000 idle"
    yield least("15,000 flows at once, answered", 15000,
                results.median(row, "slipway", "answered"), "")
    first = results.median(row, "slipway", "first_per_s")
    last = results.median(row, "slipway", "last_per_s")
    yield least("connects per second at 15,000, of the first 500", 0.8,
                last / first if first and last else None)
    for way, row in each_way("1000 streams {}, most of least"):
        yield most(f"1000 streams {way}, most of least", 2,
                   results.median(row, "slipway"))
    row = "the same beside a bulk stream, p99"
    idle = results.median(row, "slipway", "idle_p99_us")
    yield most("p99 beside a bulk stream", 3 * idle + 1000 if idle else 0,
               results.median(row, "slipway"), "µs")


def print_bars(results):
    print(f"\n{'bar':52}{'wanted':>14}{'seen':>10}")
    for what, wanted, seen, met in bars(results):
        if met is not None:
            print(f"{what:52}{wanted:>14}{show(seen):>10}  "
                  f"{'met' if met else 'MISSED'}")


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


def write_svg(path, results, rows, names, title):
    """One group of bars a row, each as long as its share of the row's best."""
    left, wide, bar, y = 300, 460, 13, 64
    parts = []
    for row in rows:
        shown = [(n, results.median(row.name, n)) for n in names]
        shown = [(n, v) for n, v in shown if v is not None]
        if not shown:
            continue
        top = max(v for _, v in shown) or 1
        parts.append(f'<text x="{left - 12}" y="{y + bar * len(shown) / 2 + 4}"'
                     f' text-anchor="end">{escape(row.name)}</text>')
        if not row.unit.endswith("/s"):
            parts.append(f'<text x="{left - 12}" class="n" text-anchor="end"'
                         f' y="{y + bar * len(shown) / 2 + 15}">'
                         'less is better</text>')
        for n, v in shown:
            parts.append(
                f'<rect x="{left}" y="{y}" width="{max(1, wide * v / top):.1f}"'
                f' height="{bar - 2}" fill="{COLOURS[n]}"/>'
                f'<text x="{left + max(1, wide * v / top) + 5:.1f}"'
                f' y="{y + bar - 4}" class="n">{show(v, row.digits)}'
                f' {row.unit}</text>')
            y += bar
        y += 12 if len(shown) > 1 else 22       # two lines of text
    legend, x = [], left
    for n in names:
        legend.append(f'<rect x="{x}" y="36" width="11" height="11" '
                      f'fill="{COLOURS[n]}"/><text x="{x + 15}" y="46">'
                      f'{escape(n)}</text>')
        x += 26 + 7 * len(n)
    with open(path, "w", encoding="utf-8") as f:
        f.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="900" '
                f'height="{y}" viewBox="0 0 900 {y}" '
                'font-family="sans-serif" font-size="12" fill="#1f2933">'
                '<style>.n { font-size: 10px; fill: #52606d }</style>'
                f'<rect width="900" height="{y}" fill="#fff"/>'
                f'<text x="{left}" y="22" font-size="15">{escape(title)}'
                '</text>' + "".join(legend) + "\n" + "\n".join(parts)
                + "</svg>\n")
