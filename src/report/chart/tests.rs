use super::*;
use crate::wire::Label;

fn about() -> About {
    About {
        id: "c1".into(),
        title: "A chart".into(),
        desc: "What it shows.".into(),
    }
}

fn axis(scale: Scale) -> Axis {
    Axis {
        title: "clients".into(),
        scale,
        write: |v| format!("{v}"),
        range: None,
    }
}

fn line(n: usize, dashed: bool) -> Line {
    let points = [1.0, 10.0, 100.0, 1_000.0].map(|x| (x, x * (n + 1) as f64));
    Line {
        name: format!("technique {n}"),
        fill: Fill::Technique(n),
        points: points.to_vec(),
        dashed,
        steps: false,
    }
}

/// The number of an element's opening tags.
fn count(svg: &str, element: &str) -> usize {
    svg.matches(&format!("<{element} ")).count()
}

#[test]
fn a_line_has_a_point_for_each_value_and_is_named() {
    let data = [line(0, false), line(0, true), line(1, false), line(1, true)];
    let marks = [Mark {
        at: 30.0,
        name: "they cross at 30".into(),
    }];
    let svg = lines(&about(), &axis(Scale::Log), &axis(Scale::Log), &data, &marks, 700);
    assert_eq!(count(&svg, "circle"), 4 + 1, "four points and the key's");
    assert_eq!(count(&svg, "path"), 4 + 1, "squares");
    for text in [
        "technique 0",
        "technique 1",
        "they cross at 30",
        "clients",
        "1000",
    ] {
        assert!(svg.contains(&format!(">{text}</text>")), "{text}\n{svg}");
    }
    assert_eq!(
        svg.matches(">predicted</text>").count(),
        1,
        "one key for all\n{svg}"
    );
}

#[test]
fn what_has_no_logarithm_is_left_out() {
    let mut data = line(0, false);
    data.points.push((2_000.0, 0.0));
    data.points.push((f64::NAN, 1.0));
    let svg = lines(&about(), &axis(Scale::Log), &axis(Scale::Log), &[data], &[], 700);
    assert_eq!(count(&svg, "circle"), 5);
    let svg = lines(&about(), &axis(Scale::Log), &axis(Scale::Linear), &[], &[], 700);
    assert!(svg.contains("<title"), "nothing to draw is drawn");
}

#[test]
fn a_bar_is_as_long_as_its_value() {
    let row = |values: &[f64]| Row {
        name: "ws".into(),
        segments: values
            .iter()
            .enumerate()
            .map(|(i, v)| Segment {
                value: *v,
                fill: Fill::Label([Label::Payload, Label::Head][i]),
            })
            .collect(),
        predicted: Some(100.0),
        note: "100 B".into(),
        apart: false,
    };
    let mut bytes = axis(Scale::Linear);
    bytes.range = Some((0.0, 100.0));
    let key = [
        ("payload".to_string(), Fill::Label(Label::Payload)),
        ("head".to_string(), Fill::Label(Label::Head)),
    ];
    let svg = bars(
        &about(),
        &bytes,
        &key,
        &[row(&[75.0, 25.0]), row(&[0.0, 50.0])],
        700,
    );
    let widths = |fill: Fill| -> Vec<f64> {
        let [light, _] = fill.ink().css();
        let bars = svg
            .lines()
            .filter(|l| l.starts_with("<rect") && l.contains(&light));
        let width = |l: &str| l.split("width=\"").nth(1)?.split('"').next()?.parse().ok();
        bars.filter_map(width).filter(|w| *w != 16.0).collect()
    };
    let (payload, head) = (
        widths(Fill::Label(Label::Payload)),
        widths(Fill::Label(Label::Head)),
    );
    assert_eq!((payload.len(), head.len()), (1, 2), "what is 0 has no bar");
    assert!((payload[0] / head[0] - 3.0).abs() < 0.05 && (head[1] / head[0] - 2.0).abs() < 0.05);
    assert!(svg.contains(">predicted</text>"));
}

#[test]
fn a_tick_at_the_edge_keeps_its_words_inside() {
    let row = Spread {
        name: "sse".into(),
        fill: Fill::Technique(0),
        quantiles: vec![1_000_000.0, 10_000_000.0],
        mean: 3_000_000.0,
        predicted: None,
        note: String::new(),
        brief: String::new(),
    };
    let exact = Axis {
        range: Some((1_000_000.0, 10_000_000.0)),
        ..axis(Scale::Log)
    };
    let svg = spread(&about(), &exact, &[row], 320);
    let (before, _) = svg.split_once(">1000000</text>").unwrap();
    let (_, tick) = before.rsplit_once('<').unwrap();
    // Half of seven characters of 8 pixels.
    assert!(tick.starts_with("text x=\"28\""), "{tick}");
}

#[test]
fn the_last_value_below_lines_keeps_its_words_inside() {
    let exact = Axis {
        range: Some((1_000_000.0, 10_000_000.0)),
        ..axis(Scale::Log)
    };
    let svg = lines(&about(), &exact, &axis(Scale::Log), &[line(0, false)], &[], 320);
    let (before, _) = svg.split_once(">10000000</text>").unwrap();
    let (_, x) = before.rsplit_once("<text x=\"").unwrap();
    let x: u32 = x.split('"').next().unwrap().parse().unwrap();
    // Half of eight characters of 8 pixels.
    assert!(x + 32 <= 320, "{x}");
}

#[test]
fn a_spread_has_a_stroke_for_each_quantile() {
    let row = Spread {
        name: "poll".into(),
        fill: Fill::Technique(0),
        quantiles: vec![1.0, 10.0, 100.0],
        mean: 37.0,
        predicted: None,
        note: "37 ms".into(),
        brief: "37 ms".into(),
    };
    for width in [320, 900] {
        let svg = spread(&about(), &axis(Scale::Log), std::slice::from_ref(&row), width);
        assert_eq!(count(&svg, "rect"), 3);
        assert!(svg.contains(">poll</text>") && svg.contains(">37 ms</text>") && !svg.contains("predicted"));
    }
}
