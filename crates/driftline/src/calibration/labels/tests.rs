use super::*;

#[test]
fn a_change_is_told_of_all_labels_or_of_the_part_in_the_middle() {
    let tally = |pairs: &[(f64, f64)]| Tally {
        hits: pairs.iter().map(|p| p.0).collect(),
        trials: pairs.iter().map(|p| p.1).collect(),
    };
    // Errors of two classes: overall first, then by decision.
    let parts = tally(&[(20.0, 100.0), (12.0, 25.0), (8.0, 75.0)]);
    assert_eq!(spoken(StreamKind::Error, &parts), (0, 0.2));
    assert_eq!(spoken(StreamKind::Calibration, &parts), (1, 0.48));
    let one = tally(&[(5.0, 100.0)]);
    assert_eq!(spoken(StreamKind::Label, &one), (0, 0.05));
    // The cuts of a distribution.
    let cuts = tally(&[(5.0, 100.0), (45.0, 100.0), (90.0, 100.0)]);
    assert_eq!(spoken(StreamKind::Label, &cuts), (1, 0.45));
    assert_eq!(spoken(StreamKind::Error, &Tally::default()), (0, 0.0));
}

#[test]
fn days_are_counted_once_and_can_be_forgotten() {
    let mut history = LabelHistory::default();
    for (segment, hours) in [(None, 48), (Some("a=b".to_owned()), 24)] {
        for hour in 0..hours {
            history.push(JudgedBucket {
                model: "m".to_owned(),
                version: "1".to_owned(),
                segment: segment.clone(),
                after: Duration::from_secs(3_600),
                start: Timestamp::from_seconds(3_600 * hour),
                labels: 2,
                tallies: Vec::new(),
            });
        }
    }
    assert_eq!((history.days(None), history.labels()), (vec![0, 1], 96));
    assert_eq!(history.segments(), [None, Some("a=b".to_owned())]);
    history.keep_from(1);
    assert_eq!((history.days(None), history.labels()), (vec![1], 48));
    assert!(history.days(Some("a=b")).is_empty());
}
