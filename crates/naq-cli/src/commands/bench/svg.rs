//! Line charts as SVG: a few evenly spaced positions, a few series, a legend above the plot.

use std::fmt::Write;

/// Outer size, and the plot inside it: left, top, right, bottom.
const SIZE: (f64, f64) = (720.0, 400.0);
const PLOT: (f64, f64, f64, f64) = (84.0, 84.0, 696.0, 336.0);
/// Lines of the grid.
const STEPS: u32 = 5;
/// Colours that can be told apart without colour vision, and on dark ground.
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

/// A chart.
#[derive(Debug)]
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) x_label: &'a str,
    pub(super) y_label: &'a str,
    /// The positions, from left to right.
    pub(super) ticks: Vec<String>,
    pub(super) series: Vec<Series<'a>>,
}

/// One line of it: a value for each position.
#[derive(Debug)]
pub(super) struct Series<'a> {
    pub(super) name: &'a str,
    pub(super) values: Vec<f64>,
}

impl Chart<'_> {
    /// The picture.
    pub(super) fn render(&self) -> String {
        let (width, height) = SIZE;
        let (left, top, right, bottom) = PLOT;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
        );
        let middle = f64::midpoint(left, right);
        text(
            &mut svg,
            (middle, 26.0),
            "middle",
            self.title,
            "font-size=\"16\" font-weight=\"bold\"",
        );
        text(
            &mut svg,
            (middle, height - 12.0),
            "middle",
            self.x_label,
            "",
        );
        text(
            &mut svg,
            (left, top - 12.0),
            "start",
            self.y_label,
            "font-size=\"12\"",
        );
        let most = self
            .series
            .iter()
            .flat_map(|s| &s.values)
            .copied()
            .fold(0.0, f64::max);
        let full = nice(most);
        for step in 0..=STEPS {
            let share = f64::from(step) / f64::from(STEPS);
            let y = bottom - share * (bottom - top);
            line(&mut svg, (left, y), (right, y), "#dddddd", 1.0);
            text(
                &mut svg,
                (left - 8.0, y + 4.0),
                "end",
                &short(full * share),
                "",
            );
        }
        for (index, tick) in self.ticks.iter().enumerate() {
            text(&mut svg, (self.x(index), bottom + 20.0), "middle", tick, "");
        }
        for (number, series) in self.series.iter().enumerate() {
            self.draw(&mut svg, number, series, full);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn draw(&self, svg: &mut String, number: usize, series: &Series<'_>, full: f64) {
        let (left, top, right, bottom) = PLOT;
        let colour = COLOURS[number % COLOURS.len()];
        let points: Vec<_> = series
            .values
            .iter()
            .enumerate()
            .map(|(index, value)| (self.x(index), bottom - value / full * (bottom - top)))
            .collect();
        for pair in points.windows(2) {
            line(svg, pair[0], pair[1], colour, 2.0);
        }
        for (x, y) in &points {
            put(
                svg,
                format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>\n"),
            );
        }
        // The legend: one line above the plot, a place for each series.
        let place = (right - left) / as_f64(self.series.len().max(1));
        let x = left + place * as_f64(number);
        line(svg, (x, 46.0), (x + 20.0, 46.0), colour, 2.0);
        text(svg, (x + 26.0, 50.0), "start", series.name, "");
    }

    fn x(&self, index: usize) -> f64 {
        let (left, _, right, _) = PLOT;
        let place = (right - left) / as_f64(self.ticks.len().max(1));
        left + place * (as_f64(index) + 0.5)
    }
}

/// The next of 1, 2, 2.5, 5 times a power of ten.
fn nice(most: f64) -> f64 {
    let power = 10_f64.powf(most.max(1e-9).log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    steps
        .iter()
        .map(|step| step * power)
        .find(|step| *step >= most)
        .unwrap_or(most)
}

/// `120000` as `120k`.
fn short(value: f64) -> String {
    match value {
        1000.0.. => format!("{}k", value / 1000.0),
        _ => format!("{value}"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "places in a picture")]
fn as_f64(number: usize) -> f64 {
    number as f64
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
    let ((x1, y1), (x2, y2)) = (from, to);
    put(
        svg,
        format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>\n"
        ),
    );
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, words: &str, more: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    put(
        svg,
        format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#222222\" {more}>{words}</text>\n"
        ),
    );
}

fn put(svg: &mut String, element: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ignored = svg.write_fmt(element);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_lies_inside_the_plot_and_texts_are_escaped() {
        let chart = Chart {
            title: "a < b & c",
            x_label: "x",
            y_label: "y",
            ticks: vec!["1".into(), "10".into()],
            series: vec![Series {
                name: "raw",
                values: vec![0.0, 123_456.0],
            }],
        };
        let svg = chart.render();
        assert!(svg.contains("a &lt; b &amp; c"), "{svg}");
        assert!(
            svg.contains("200k"),
            "the axis ends at a round number: {svg}"
        );
        let heights = svg.match_indices("cy=\"").map(|(at, found)| {
            let rest = &svg[at + found.len()..];
            rest[..rest.find('"').unwrap()].parse::<f64>().unwrap()
        });
        assert!(heights.clone().count() == 2);
        for y in heights {
            assert!((PLOT.1..=PLOT.3).contains(&y), "{y}");
        }
    }
}
