//! A chart of speed over message size, as SVG.

use std::fmt::Write;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
const COLOURS: [&str; 10] =
    ["#c0392b", "#e67e22", "#d4a017", "#7f8c8d", "#2980b9", "#16a085", "#8e44ad", "#2c3e50", "#27ae60", "#ff69b4"];

/// Speeds of one implementation, in GB/s, one for each size.
pub struct Line {
    /// What it is called.
    pub name: String,
    /// One speed for each size.
    pub gbps: Vec<f64>,
}

/// Draws `lines` over `sizes`, in bytes.
#[must_use]
pub fn svg(title: &str, sizes: &[usize], lines: &[Line]) -> String {
    let highest = lines.iter().flat_map(|line| &line.gbps).copied().fold(1.0, f64::max).ceil();
    let x = |index: usize| LEFT + (WIDTH - LEFT - RIGHT) * index as f64 / (sizes.len() - 1).max(1) as f64;
    let y = |gbps: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * gbps / highest;
    let mut svg = String::new();
    let mut put = |text: String| svg.push_str(&text);
    put(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{title}</text>\n"
    ));
    let mut tick = 0.0;
    while tick <= highest {
        let at = y(tick);
        put(format!(
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\n\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{tick}</text>\n",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
        ));
        tick += 2.0;
    }
    for (index, &size) in sizes.iter().enumerate() {
        let (at, below) = (x(index), HEIGHT - BOTTOM + 20.0);
        put(format!("<text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{}</text>\n", size_name(size)));
    }
    // Labels at the right end, from the top down, not on top of each other.
    let mut order: Vec<usize> = (0..lines.len()).collect();
    let last = |line: &Line| line.gbps.last().copied().unwrap_or_default();
    order.sort_by(|&a, &b| last(&lines[b]).total_cmp(&last(&lines[a])));
    let mut label = 0.0;
    for index in order {
        let (line, colour) = (&lines[index], COLOURS[index % COLOURS.len()]);
        let mut points = String::new();
        for (i, &gbps) in line.gbps.iter().enumerate() {
            let _ = write!(points, "{:.1},{:.1} ", x(i), y(gbps));
        }
        let width = if index == 0 { 3.0 } else { 1.5 };
        label = (y(last(line)) + 4.0).max(label + 15.0);
        put(format!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>\n\
             <text x=\"{}\" y=\"{label:.1}\" fill=\"{colour}\">{}</text>\n",
            WIDTH - RIGHT + 8.0,
            line.name,
        ));
    }
    put("</svg>\n".into());
    svg
}

fn size_name(size: usize) -> String {
    match size {
        0..1024 => format!("{size} B"),
        1024..1_048_576 => format!("{} KiB", size >> 10),
        _ => format!("{} MiB", size >> 20),
    }
}
