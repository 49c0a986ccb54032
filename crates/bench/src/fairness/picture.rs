//! One picture of a run: how many jobs of each kind of tenant were claimed by when.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::load::tenant;

use super::case::Case;
use super::run::Ran;

const LEFT: f64 = 70.0;
const WIDTH: f64 = 560.0;
const TOP: f64 = 84.0;
const HEIGHT: f64 = 260.0;
/// Points of a line.
const POINTS: usize = 120;

/// Readable on a light page as on a dark one; a viewer that knows no media queries shows the light
/// one.
const STYLE: &str = "\
.card{fill:#fff}.ink{fill:#0f172a}.soft{fill:#475569}.axis{stroke:#94a3b8}
.l0{stroke:#0369a1}.l1{stroke:#c2410c}.l2{stroke:#15803d}.l3{stroke:#7e22ce}.l4{stroke:#a16207}
@media (prefers-color-scheme:dark){.card{fill:#0f172a}.ink{fill:#f1f5f9}.soft{fill:#cbd5e1}
.l0{stroke:#38bdf8}.l1{stroke:#fb923c}.l2{stroke:#4ade80}.l3{stroke:#c084fc}.l4{stroke:#facc15}}";

/// A kind of tenants, and after how many claimed jobs each of them had how many, on average.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

/// The picture as SVG.
pub(super) fn of(scenario: &str, case: &Case, ran: &Ran) -> String {
    let lines = lines(case, ran);
    let end = ran.served.len().max(1) as f64;
    let last = |line: &Line| line.points.last().map_or(0.0, |point| point.1);
    let most = lines.iter().map(last).fold(1.0, f64::max);
    let at = |x: f64, y: f64| (LEFT + WIDTH * x / end, TOP + HEIGHT * (1.0 - y / most));
    let mut drawn = String::new();
    for part in 0..=4 {
        let share = f64::from(part) / 4.0;
        let (x, y) = at(end * share, most * share);
        let bottom = TOP + HEIGHT;
        drawn.push_str(&text(x, bottom + 20.0, "middle", "soft", 12, &number(end * share)));
        drawn.push_str(&text(LEFT - 8.0, y + 4.0, "end", "soft", 12, &number(most * share)));
    }
    // lines that end close together have their names below each other
    let mut ends: Vec<(usize, f64)> =
        lines.iter().enumerate().map(|(place, line)| (place, at(end, last(line)).1)).collect();
    ends.sort_by(|one, other| one.1.total_cmp(&other.1));
    let mut lowest = f64::NEG_INFINITY;
    for (place, y) in ends {
        lowest = y.max(lowest + 18.0);
        let line = &lines[place];
        let path: Vec<String> = line
            .points
            .iter()
            .map(|point| at(point.0, point.1))
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        // thinner ones lie on thicker ones, so that lines over each other can be told apart
        let (path, colour, thick) = (path.join(" "), place % 5, 6.0 - 1.1 * (place % 5) as f64);
        drawn.push_str(&format!(
            "<polyline class=\"l{colour}\" points=\"{path}\" fill=\"none\" stroke-width=\"{thick:.1}\"/>\n"
        ));
        let (x, middle) = (LEFT + WIDTH + 12.0, lowest);
        drawn.push_str(&format!(
            "<path class=\"l{colour}\" d=\"M{x:.1} {middle:.1}h18\" stroke-width=\"4\"/>\n"
        ));
        drawn.push_str(&text(x + 24.0, middle + 4.0, "start", "ink", 13, &line.name));
    }
    framed(scenario, case, ran, &drawn)
}

fn framed(scenario: &str, case: &Case, ran: &Ran, drawn: &str) -> String {
    let (bottom, right) = (TOP + HEIGHT, LEFT + WIDTH);
    let (width, height) = (right + 250.0, bottom + 52.0);
    let title = text(20.0, 34.0, "start", "ink", 17, &format!("{scenario}: {}", case.name));
    let what = format!("Claimed jobs of one tenant (mean of its kind), {}", ran.combination);
    let caption = text(20.0, 58.0, "start", "soft", 13, &what);
    let below = text(right, bottom + 40.0, "end", "soft", 12, "jobs claimed in all");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" font-family=\"Helvetica, Arial, sans-serif\">\n\
         <title>{scenario}: {}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"card\" width=\"{width}\" height=\"{height}\" rx=\"10\"/>\n{title}{caption}\
         <path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\"/>\n{drawn}{below}</svg>\n",
        case.name
    )
}

/// Names come from our own scenarios: none holds what XML would read otherwise.
fn text(x: f64, y: f64, anchor: &str, class: &str, size: u32, words: &str) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\" font-size=\"{size}\">\
         {words}</text>\n"
    )
}

/// A number of jobs, with spaces between thousands.
fn number(value: f64) -> String {
    let digits = if value < 10.0 && value.fract() > 0.0 {
        return format!("{value:.1}");
    } else {
        format!("{value:.0}")
    };
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push('\u{2009}');
        }
        grouped.push(digit);
    }
    grouped
}

fn lines(case: &Case, ran: &Ran) -> Vec<Line> {
    let mut kinds: Vec<(String, HashSet<Uuid>)> = case
        .groups
        .iter()
        .map(|group| (group.name.clone(), group.tenants.clone().map(tenant).collect()))
        .collect();
    if !ran.arrivals.is_empty() {
        let newcomers = ran.arrivals.iter().map(|(who, _)| *who).collect();
        kinds.push(("a newcomer".to_owned(), newcomers));
    }
    let mut kind_of = HashMap::new();
    for (kind, (_, tenants)) in kinds.iter().enumerate() {
        kind_of.extend(tenants.iter().map(|who| (*who, kind)));
    }
    let mut counts = vec![0_u64; kinds.len()];
    let mut lines: Vec<Line> = kinds
        .iter()
        .map(|(name, _)| Line { name: name.clone(), points: vec![(0.0, 0.0)] })
        .collect();
    let step = ran.served.len().div_ceil(POINTS).max(1);
    for (place, who) in ran.served.iter().enumerate() {
        if let Some(kind) = kind_of.get(who) {
            counts[*kind] += 1;
        }
        if (place + 1) % step == 0 || place + 1 == ran.served.len() {
            for (kind, line) in lines.iter_mut().enumerate() {
                let mean = counts[kind] as f64 / kinds[kind].1.len().max(1) as f64;
                line.points.push(((place + 1) as f64, mean));
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_spaces_between_thousands() {
        let found = [0.0, 2.5, 999.0, 1_000.0, 1_234_567.0].map(number);
        let wanted = ["0", "2.5", "999", "1\u{2009}000", "1\u{2009}234\u{2009}567"];
        assert_eq!(found, wanted);
    }
}
