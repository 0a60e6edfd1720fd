"""Draws small charts with logarithmic axes, by hand: no library is needed to look at a few lines."""

from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 380, 250
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 30, 40
# Seen well on white and on black.
GREY = '#888888'
COLOURS = ['#3b82f6', '#e8590c', '#2f9e44', '#9c36b5']


@dataclass(frozen=True)
class Point:
    x: float
    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class Panel:
    title: str
    x_label: str
    y_label: str
    lines: dict  # name: its points
    x_ticks: tuple = ()  # else powers of ten
    linear: bool = False  # the x axis


def nice(value):
    """1234 as 1.2k; 0.05 as it is."""
    for unit, size in (('M', 1 << 20), ('k', 1 << 10)) if value >= 1024 and value % 1024 == 0 else (('M', 1e6), ('k', 1e3)):
        if value >= size:
            return f'{value / size:.3g}{unit}'
    return f'{value:.3g}'


def ticks(low, high):
    """1, 2 and 5 of each power of ten between them, or powers of ten alone where those are enough."""
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    tens = [10.0 ** p for p in powers if low <= 10.0 ** p <= high]
    return tens if len(tens) >= 3 else [m * 10.0 ** p for p in powers for m in (1, 2, 5) if low <= m * 10.0 ** p <= high]


class _Axis:
    def __init__(self, values, start, end, linear=False, margin=1.0):
        self.scale = float if linear else log10
        low, high = min(values) / margin, max(values) * margin
        if linear:
            low, high = low - 0.5, high + 0.5
        elif low == high:
            low, high = low / 2, high * 2
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value):
        part = (self.scale(value) - self.scale(self.low)) / (self.scale(self.high) - self.scale(self.low))
        return round(self.start + part * (self.end - self.start), 1)


def _text(x, y, words, anchor='middle', more=''):
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{more}>{escape(words)}</text>'


def _panel(panel, colours):
    points = [point for line in panel.lines.values() for point in line]
    x = _Axis([p.x for p in points], LEFT, WIDTH - RIGHT, panel.linear)
    y = _Axis([v for p in points for v in (p.low, p.high) if v > 0], HEIGHT - BOTTOM, TOP, margin=1.25)
    out = [_text(WIDTH / 2, 16, panel.title, more=' font-weight="bold"'),
           _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, panel.x_label),
           _text(12, (TOP + HEIGHT - BOTTOM) / 2, panel.y_label, more=f' transform="rotate(-90 12 {(TOP + HEIGHT - BOTTOM) / 2})"')]
    for value in panel.x_ticks or ticks(x.low, x.high):
        out.append(f'<path d="M{x(value)} {TOP}V{HEIGHT - BOTTOM}" stroke="{GREY}" stroke-opacity=".25"/>')
        out.append(_text(x(value), HEIGHT - BOTTOM + 14, nice(value)))
    for value in ticks(y.low, y.high):
        out.append(f'<path d="M{LEFT} {y(value)}H{WIDTH - RIGHT}" stroke="{GREY}" stroke-opacity=".25"/>')
        out.append(_text(LEFT - 5, y(value) + 4, nice(value), 'end'))
    out.append(f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" stroke="{GREY}" fill="none"/>')
    for name, line in panel.lines.items():
        colour = colours[name]
        where = ' '.join(f'{x(p.x)},{y(p.middle)}' for p in line)
        out.append(f'<polyline points="{where}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for p in line:
            if 0 < p.low < p.high:
                out.append(f'<path d="M{x(p.x)} {y(p.low)}V{y(p.high)}" stroke="{colour}" stroke-opacity=".5" stroke-width="3"/>')
            out.append(f'<circle cx="{x(p.x)}" cy="{y(p.middle)}" r="2.5" fill="{colour}"/>')
    return out


def draw(panels, caption):
    """All panels in one picture, two in a line, with one legend above them."""
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    colours = dict(zip(names, COLOURS))
    head = 28
    width, height = 2 * WIDTH, head + HEIGHT * ceil(len(panels) / 2) + 22
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
           f'font-family="sans-serif" font-size="11" fill="{GREY}" role="img">', f'<title>{escape(caption)}</title>']
    for i, name in enumerate(names):
        at = LEFT + 110 * i
        out.append(f'<path d="M{at} 15h22" stroke="{colours[name]}" stroke-width="3"/>')
        out.append(_text(at + 28, 19, name, 'start', ' font-size="13"'))
    for i, panel in enumerate(panels):
        out.append(f'<g transform="translate({i % 2 * WIDTH} {head + i // 2 * HEIGHT})">')
        out += _panel(panel, colours)
        out.append('</g>')
    out.append(_text(width / 2, height - 6, caption, more=' font-size="10"'))
    out.append('</svg>')
    return '\n'.join(out) + '\n'
