//! The records of both topics, from a seed.

use driftline_event::Timestamp;

use crate::Rng;

/// A prediction of a schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictionSample {
    /// The id, which other versions and models may share.
    pub id: String,
    /// Which of the models.
    pub layout: u32,
    /// When it was made.
    pub at: Timestamp,
    /// What was predicted.
    pub score: f64,
    /// The segment field's value.
    pub region: Option<&'static str>,
}

/// A label of a schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelSample {
    /// The id of its prediction.
    pub id: String,
    /// The model and the version that it is about.
    pub scope: (Option<&'static str>, Option<&'static str>),
    /// When it was observed.
    pub at: Timestamp,
    /// The class as a text, or a number.
    pub value: Result<f64, &'static str>,
    /// How much it counts.
    pub weight: f64,
    /// Higher ones replace lower ones.
    pub revision: i64,
}

/// A record of one of the topics.
#[derive(Clone, Debug, PartialEq)]
pub enum JoinEvent {
    /// Of the predictions.
    Prediction(PredictionSample),
    /// Of the labels.
    Label(LabelSample),
}

impl JoinEvent {
    /// The prediction's id.
    pub fn id(&self) -> &str {
        match self {
            Self::Prediction(p) => &p.id,
            Self::Label(l) => &l.id,
        }
    }

    /// Its time.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Prediction(p) => p.at,
            Self::Label(l) => l.at,
        }
    }
}

/// The partitions of both topics; a record's offset is its index.
#[derive(Clone, Debug, Default)]
pub struct JoinSchedule {
    /// Of the predictions topic.
    pub predictions: Vec<Vec<JoinEvent>>,
    /// Of the labels topic.
    pub labels: Vec<Vec<JoinEvent>>,
}

/// Where schedules begin: whole hours, so that bounds of buckets are met exactly now and then.
const START: i64 = 1_700_000_000 / 3_600 * 3_600;
const REGIONS: [Option<&str>; 3] = [None, Some("north"), Some("far east")];
const SCOPES: [(Option<&str>, Option<&str>); 6] = [
    (None, None),
    (Some("fraud"), None),
    (Some("fraud"), Some("1")),
    (Some("fraud"), Some("2")),
    (Some("fares"), None),
    (Some("fares"), Some("any")),
];

/// Makes the schedule of a seed: `ids` requests over about `minutes`.
///
/// If it is `clean`, what comes twice is the same both times, and every label of a request has another revision.
/// Otherwise ids are used again, and duplicates may contradict each other.
pub fn schedule(seed: u64, ids: u32, minutes: u64, clean: bool) -> JoinSchedule {
    let mut rng = Rng::new(seed);
    let mut arrivals: Vec<(i64, JoinEvent)> = Vec::new();
    for i in 0..ids {
        let id = if clean || rng.chance(0.9) { i } else { i / 2 };
        request(&format!("id{id}"), minutes, clean, &mut rng, &mut arrivals);
    }
    // A stable sort: what arrives at once arrives in the order of its making.
    arrivals.sort_by_key(|(arrival, _)| *arrival);
    let mut schedule = JoinSchedule {
        predictions: vec![Vec::new(); 1 + rng.below(3) as usize],
        labels: vec![Vec::new(); 1 + rng.below(3) as usize],
    };
    for (_, event) in arrivals {
        let partitions = match &event {
            JoinEvent::Prediction(_) => &mut schedule.predictions,
            JoinEvent::Label(_) => &mut schedule.labels,
        };
        let partition = rng.below(partitions.len() as u64) as usize;
        partitions[partition].push(event);
    }
    schedule
}

/// The predictions and labels of one request, each with when it arrives.
fn request(
    id: &str,
    minutes: u64,
    clean: bool,
    rng: &mut Rng,
    arrivals: &mut Vec<(i64, JoinEvent)>,
) {
    let seconds = 60 * minutes;
    let made = START + rng.below(seconds) as i64;
    let mut send = |event: JoinEvent, at: i64, rng: &mut Rng| {
        // Lost, or up to three times, in time or far too late.
        let copies = [0, 1, 1, 1, 1, 1, 1, 2, 2, 3][rng.below(10) as usize];
        for _ in 0..copies {
            let late = match rng.below(10) {
                0 => rng.below(seconds / 2),
                1..4 => rng.below(300),
                _ => rng.below(5),
            };
            arrivals.push((at + late as i64, event.clone()));
        }
    };
    let layouts = [1, 2, 4, 3, 5, 7, 6, 1][rng.below(8) as usize];
    for layout in (0..3).filter(|l| layouts >> l & 1 == 1) {
        let at = made + rng.below(3) as i64;
        let sample = PredictionSample {
            id: id.to_owned(),
            layout,
            at: Timestamp::from_seconds(at),
            score: rng.below(100) as f64 / 100.0,
            region: REGIONS[rng.below(3) as usize],
        };
        if !clean && rng.chance(0.1) {
            let other = PredictionSample {
                at: Timestamp::from_seconds(at + 60 * rng.below(20) as i64),
                score: 0.25,
                ..sample.clone()
            };
            send(JoinEvent::Prediction(other), at, rng);
        }
        send(JoinEvent::Prediction(sample), at, rng);
    }
    for revision in 0..[0, 1, 1, 1, 2, 3, 4][rng.below(7) as usize] {
        let delay = match rng.below(10) {
            0 => -(rng.below(900) as i64),
            1..4 => rng.below(60) as i64,
            4..9 => rng.below(seconds / 3) as i64,
            _ => rng.below(2 * seconds) as i64,
        };
        let at = made + delay;
        let revision = if clean || rng.chance(0.7) {
            revision
        } else {
            0
        };
        let sample = LabelSample {
            id: id.to_owned(),
            scope: SCOPES[rng.below(6) as usize],
            at: Timestamp::from_seconds(at),
            value: match rng.below(12) {
                0 => Err("perhaps"),
                1..5 => Err("yes"),
                5..8 => Err("no"),
                8 => Err("0.5"),
                _ => Ok(rng.below(3) as f64 / 2.0),
            },
            weight: [1.0, 1.0, 0.5][rng.below(3) as usize],
            revision,
        };
        send(JoinEvent::Label(sample), at, rng);
    }
}
