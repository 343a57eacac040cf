use crate::{
    Record,
    plot::{
        Plot,
        legible::{is_legible, texts},
        picture::Shape,
    },
    synthetic,
};

fn plots(record: &Record) -> Vec<Plot> {
    crate::judge(record).page.plots().cloned().collect()
}

#[test]
fn batch_sizes_are_drawn_legibly_for_every_class() {
    let all = plots(&synthetic::usual_batches());
    let names: Vec<&str> = all.iter().map(|plot| plot.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "speedup-small-events",
            "speedup-user-data",
            "speedup-joins",
            "speedup-updates"
        ]
    );
    all.iter().for_each(is_legible);
    let shown: Vec<&str> = texts(&all[0].picture).iter().map(|t| &*t.text).collect();
    for said in [
        "the guide: 500",
        "the guide: 2 to 10 times",
        "ringed: the knee",
    ] {
        assert!(shown.contains(&said), "{said} not in {shown:?}");
    }
    // Each line has a name at its end, in either lane.
    let ends = shown
        .iter()
        .filter(|text| **text == "10 ms, off, one transaction");
    assert_eq!(ends.count(), 2);
    for speedup in [0.2, 3.0, 4_000.0] {
        let classes = vec![
            synthetic::class("orders-of-a-customer-with-a-long-name.sql", true, None),
            synthetic::class("updates", true, Some(7_000)),
        ];
        let record = synthetic::batches(classes, 2, 1, 0.3, |_, _| speedup);
        let plots = plots(&record);
        assert_eq!(plots.len(), 2);
        plots.iter().for_each(is_legible);
    }
}

#[test]
fn a_commit_that_does_not_wait_is_dashed_and_the_rest_is_not() {
    let all = plots(&synthetic::usual_batches());
    let lines = |plot: &Plot| {
        let shapes = plot.picture.shapes.iter();
        shapes
            .filter(|shape| matches!(shape, Shape::Line { .. }))
            .count()
    };
    // Dashes are lines of their own; reads have none.
    assert!(lines(&all[0]) > 200, "{}", lines(&all[0]));
    assert!(lines(&all[2]) < 30, "{}", lines(&all[2]));
    let svg = all[2].svg().unwrap();
    assert_eq!(
        svg.matches("<polyline shape-rendering=").count(),
        lines(&all[2])
    );
}
