use driftline_sketch::{ProfileOptions, ReferenceBuilder};

use super::labels::{LabelStreamEntry, LevelEntry};
use super::*;

fn profile() -> ReferenceProfile {
    let mut builder = ReferenceBuilder::new("fares", "1", ProfileOptions::default());
    let km = (0..100).map(f64::from).collect();
    builder.numeric("km", ColumnRole::Feature, km).unwrap();
    let zones = ["a", "b", "a", "c"].into_iter().cycle().take(100).map(Some);
    builder
        .categorical("zone", ColumnRole::Feature, zones)
        .unwrap();
    builder.build().unwrap()
}

fn entry(profile: &ReferenceProfile) -> VersionEntry {
    let counts: Vec<ColumnSummary> = profile
        .columns
        .iter()
        .map(|c| c.profile.reference())
        .collect();
    let stream = |dispersion| StreamEntry {
        dispersion,
        band: 0.075,
        dropped: vec!["2013-01-14".to_owned()],
    };
    let column = |name: &str| ColumnEntry {
        column: name.to_owned(),
        role: ColumnRole::Feature,
        shape: stream(1.25),
        quality: stream(1.0),
    };
    let columns = vec![column("km"), column("zone")];
    let mut slots = vec![Some(encode_slot(&counts, profile)); 24];
    slots[4] = None;
    VersionEntry {
        model: "fares".into(),
        version: "1".into(),
        reference: profile.id().to_owned(),
        history: HistoryEntry {
            from: Timestamp::from_seconds(0),
            until: Timestamp::from_seconds(14 * 86_400),
            days: 14,
            events: 100_000,
        },
        short: false,
        season: Season::HourOfDay,
        alarms: None,
        columns: columns.clone(),
        slots: slots.clone(),
        segments: BTreeMap::from([("zone=a".to_owned(), SegmentEntry { columns, slots })]),
        labels: None,
    }
}

fn file(entry: VersionEntry) -> CalibrationFile {
    CalibrationFile {
        driftline_calibration: FORMAT,
        versions: vec![entry],
    }
}

#[test]
fn what_is_written_is_read() {
    let profile = profile();
    let mut entry = entry(&profile);
    entry.alarms = Some(AlarmsEntry {
        budget: 1.0,
        months: 100,
        alarms: 3,
        per_month: 0.03,
        interval: (0.006, 0.088),
        at_most: 0.078,
    });
    let file = file(entry);
    let text = file.to_yaml().unwrap();
    assert!(
        text.starts_with("# Written by") && text.contains("season: hour_of_day"),
        "{text}"
    );
    assert_eq!(CalibrationFile::from_yaml(&text), Ok(file));
}

#[test]
fn the_engine_gets_the_counts_back() {
    let profile = profile();
    let calibration = entry(&profile).to_calibration(&profile).unwrap();
    assert_eq!(calibration.check(&profile), Ok(()));
    let slot = calibration.all.slots[3].as_ref().unwrap();
    assert!(
        slot.iter()
            .zip(&profile.columns)
            .all(|(s, c)| *s == c.profile.reference())
    );
    assert!(calibration.all.slots[4].is_none());
    assert!(calibration.slice(Some("zone=a")).is_some());
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    type Spoil = fn(&mut VersionEntry);
    let profile = profile();
    let cases: [(Spoil, &str); 6] = [
        (|e| e.reference.push('0'), "it was made with the reference"),
        (|e| e.columns.reverse(), "its columns are not those"),
        (
            |e| e.slots[0] = Some("§".into()),
            "slot 0: its counts are not base64",
        ),
        (|e| e.slots[1] = Some("AAAA".into()), "slot 1: column `km`"),
        (
            |e| e.slots[2].as_mut().unwrap().insert_str(0, "AAAA"),
            "slot 2: column `km`",
        ),
        (
            |e| e.segments.get_mut("zone=a").unwrap().columns.clear(),
            "segment `zone=a`: its columns",
        ),
    ];
    for (spoil, message) in cases {
        let mut entry = entry(&profile);
        spoil(&mut entry);
        let problem = entry.to_calibration(&profile).unwrap_err();
        assert!(problem.starts_with(message), "{problem}");
    }
}

#[test]
fn a_file_says_what_is_wrong_with_it() {
    let profile = profile();
    let text = file(entry(&profile)).to_yaml().unwrap();
    let newer = text.replace("driftline_calibration: 1", "driftline_calibration: 2");
    assert!(
        CalibrationFile::from_yaml(&newer)
            .unwrap_err()
            .contains("format 2")
    );
    let unknown = text.replace("short", "shore").replace("season:", "saison:");
    assert!(
        CalibrationFile::from_yaml(&unknown)
            .unwrap_err()
            .contains("saison")
    );
    let path = std::env::temp_dir().join(format!("driftline-calibration-{}", std::process::id()));
    std::fs::write(&path, &text).unwrap();
    assert!(read(&path, "fares", "1", &profile).is_ok());
    let other = read(&path, "fares", "2", &profile).unwrap_err();
    assert!(other.contains("no version `2` of model `fares`"), "{other}");
    std::fs::remove_file(&path).unwrap();
    assert!(
        read(&path, "fares", "1", &profile)
            .unwrap_err()
            .contains("cannot be read")
    );
}

fn labels() -> LabelsEntry {
    let stream = |band| {
        Some(LabelStreamEntry {
            dispersion: 9.5,
            band,
            dropped: Vec::new(),
            sees: Some("wrong: 20 % → 29 % after about 4 days".to_owned()),
        })
    };
    let level = LevelEntry {
        after: "1d".to_owned(),
        error: stream(0.2),
        calibration: None,
        label: stream(0.1),
    };
    LabelsEntry {
        step: "6h".to_owned(),
        from: Timestamp::from_seconds(0),
        until: Timestamp::from_seconds(20 * 86_400),
        days: 20,
        labels: 12_345,
        short: false,
        alarms: None,
        levels: vec![level.clone()],
        segments: BTreeMap::from([("zone=a".to_owned(), vec![level])]),
    }
}

#[test]
fn labels_are_read_and_a_file_without_them_is_as_before() {
    let profile = profile();
    let without = entry(&profile);
    let text = file(without.clone()).to_yaml().unwrap();
    assert!(!text.contains("\n  labels:") && !text.contains("    labels:"));
    assert_eq!(without.to_calibration(&profile).unwrap().labels, None);
    let with = VersionEntry {
        labels: Some(labels()),
        ..without
    };
    let text = file(with.clone()).to_yaml().unwrap();
    assert_eq!(CalibrationFile::from_yaml(&text), Ok(file(with.clone())));
    let found = with.to_calibration(&profile).unwrap();
    assert_eq!(found.check(&profile), Ok(()));
    let found = found.labels.unwrap();
    let hours = |n: u64| std::time::Duration::from_secs(3_600 * n);
    assert_eq!((found.step, found.days), (hours(6), 20));
    for segment in [None, Some("zone=a")] {
        let level = found.level(segment, hours(24)).unwrap();
        assert_eq!(
            level.error.map(|s| (s.dispersion, s.band)),
            Some((9.5, 0.2))
        );
        assert_eq!(level.calibration, None);
    }
}

#[test]
fn labels_that_cannot_be_are_refused() {
    let profile = profile();
    let with = |labels| VersionEntry {
        labels: Some(labels),
        ..entry(&profile)
    };
    let mut odd = labels();
    odd.step = "a while".to_owned();
    let problem = with(odd).to_calibration(&profile).unwrap_err();
    assert!(problem.starts_with("labels: step: `a while` is no duration"));
    let mut odd = labels();
    odd.levels[0].after = String::new();
    assert!(with(odd).to_calibration(&profile).is_err());
    let mut odd = labels();
    if let Some(error) = &mut odd.levels[0].error {
        error.dispersion = 0.5;
    }
    let problem = with(odd).to_calibration(&profile).unwrap();
    assert!(problem.check(&profile).is_err());
}
