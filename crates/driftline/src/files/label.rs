//! Labels from a file.

use driftline_event::DropReason;
use driftline_wire::{LabelRow, LabelValue};

use super::columns::position;
use super::error::FileError;
use super::input::Input;
use super::prediction::time_of;
use super::record::{Cell, Record, RecordReader};

const ID_NAMES: &[&str] = &["prediction_id", "id"];
const TIME_NAMES: &[&str] = &["observed_at", "label_ts", "ts", "time", "timestamp"];
const LABEL_NAMES: &[&str] = &["label", "value", "target", "actual", "y"];
const MODEL_NAMES: &[&str] = &["model_id", "model"];
const VERSION_NAMES: &[&str] = &["model_version", "version"];
const WEIGHT_NAMES: &[&str] = &["weight"];
const REVISION_NAMES: &[&str] = &["revision"];

/// What a record of the file is.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelStep {
    /// A label.
    Label(LabelRow),
    /// A record that does not count, with the reason and the detail.
    Dropped(DropReason, String),
}

/// Where the parts of a label stand in the file.
#[derive(Clone, Debug)]
struct Places {
    id: usize,
    label: usize,
    time: Option<usize>,
    model: Option<usize>,
    version: Option<usize>,
    weight: Option<usize>,
    revision: Option<usize>,
}

/// Reads labels in the order of the file. Records that cannot be used are steps of their own.
#[derive(Debug)]
pub struct LabelFile {
    reader: RecordReader,
    record: Record,
    places: Places,
}

impl LabelFile {
    /// Opens `input` and finds its columns: those with the names of the label schema; the label is `label_column` or,
    /// without a column that is called so, the only one that is nothing else.
    ///
    /// # Errors
    /// When the file cannot be read, or has no column of ids or of labels.
    pub fn open(input: &Input, label_column: Option<&str>) -> Result<Self, FileError> {
        let reader = RecordReader::open(input)?;
        let (file, names) = (reader.file(), reader.columns());
        let find = |candidates: &[&str]| {
            candidates
                .iter()
                .find_map(|name| names.iter().position(|n| n == name))
        };
        let Some(id) = find(ID_NAMES) else {
            let error = FileError::new(file, "no column holds the ids of the predictions");
            return Err(error.with_hint("name it prediction_id or id"));
        };
        let mut places = Places {
            id,
            label: id,
            time: find(TIME_NAMES),
            model: find(MODEL_NAMES),
            version: find(VERSION_NAMES),
            weight: find(WEIGHT_NAMES),
            revision: find(REVISION_NAMES),
        };
        let taken = [
            Some(id),
            places.time,
            places.model,
            places.version,
            places.weight,
            places.revision,
        ];
        let mut rest = (0..names.len()).filter(|i| !taken.contains(&Some(*i)));
        let only = rest.next().filter(|_| rest.next().is_none());
        places.label = match label_column {
            Some(name) => position(file, names, name)?,
            None => find(LABEL_NAMES).or(only).ok_or_else(|| {
                let error = FileError::new(file, "it is not clear which column holds the labels");
                error.with_hint("name it `label`, or name it with --label-column")
            })?,
        };
        Ok(Self {
            record: Record::default(),
            places,
            reader,
        })
    }

    /// Whether the file says when its labels came.
    #[must_use]
    pub fn has_times(&self) -> bool {
        self.places.time.is_some()
    }

    /// Reads the next record; none at the end of the file.
    ///
    /// # Errors
    /// When the file itself is broken there.
    pub fn read(&mut self) -> Result<Option<LabelStep>, FileError> {
        if !self.reader.read(&mut self.record)? {
            return Ok(None);
        }
        Ok(Some(match self.label() {
            Ok(label) => LabelStep::Label(label),
            Err((reason, detail)) => {
                let place = format!("{}:{}", self.reader.file(), self.record.line());
                LabelStep::Dropped(reason, format!("{place}: {detail}"))
            }
        }))
    }

    fn label(&self) -> Result<LabelRow, (DropReason, String)> {
        let missing = |what: &str| (DropReason::MissingField, format!("{what} is missing"));
        let cell = |place: Option<usize>| place.map(|i| self.record.cells()[i]);
        let text = |place| {
            let text = self.record.category(cell(place)?)?;
            Some(text.into_owned())
        };
        let id = text(Some(self.places.id)).ok_or_else(|| missing("the prediction's id"))?;
        let label = match self.record.cells()[self.places.label] {
            Cell::Double(x) if x.is_finite() => LabelValue::Number(x),
            other => {
                let text = self.record.category(other);
                LabelValue::Text(text.ok_or_else(|| missing("the label"))?.into_owned())
            }
        };
        let observed_at = match cell(self.places.time) {
            None => driftline_event::Timestamp::MIN,
            Some(time) => time_of(&self.record, time).ok_or_else(|| {
                let detail = "the label's time is missing or not a time".to_owned();
                (DropReason::InvalidTimestamp, detail)
            })?,
        };
        let weight = match text(self.places.weight) {
            None => 1.0,
            Some(text) => match text.trim().parse::<f64>() {
                Ok(weight) if weight.is_finite() => weight,
                _ => return Err((DropReason::Malformed, "the weight is not a number".into())),
            },
        };
        let revision = match text(self.places.revision) {
            None => 0,
            Some(text) => text.trim().parse().map_err(|_| {
                let detail = "the revision is not a whole number".to_owned();
                (DropReason::Malformed, detail)
            })?,
        };
        Ok(LabelRow {
            id,
            model: text(self.places.model),
            version: text(self.places.version),
            observed_at,
            label,
            weight,
            revision,
        })
    }
}

#[cfg(test)]
mod tests {
    use driftline_event::Timestamp;

    use super::*;

    fn read(csv: &'static str, label_column: Option<&str>) -> Result<Vec<LabelStep>, FileError> {
        let input = Input::Bytes {
            name: "labels.csv",
            bytes: csv.as_bytes(),
        };
        let mut file = LabelFile::open(&input, label_column)?;
        std::iter::from_fn(|| file.read().transpose()).collect()
    }

    #[test]
    fn the_only_other_column_is_the_label() {
        let steps = read(
            "id,label_ts,late\na,1700000000,1\nb,,0\n,1700000000,1\n",
            None,
        )
        .unwrap();
        let LabelStep::Label(first) = &steps[0] else {
            panic!("{steps:?}")
        };
        assert_eq!(first.id, "a");
        assert_eq!(first.observed_at, Timestamp::from_seconds(1_700_000_000));
        assert_eq!(first.label, LabelValue::Text("1".into()));
        assert_eq!((first.weight, first.revision), (1.0, 0));
        let dropped = |step: &LabelStep, said: &str| match step {
            LabelStep::Dropped(_, detail) => detail.contains(said),
            LabelStep::Label(_) => false,
        };
        assert!(dropped(&steps[1], "labels.csv:3: the label's time"));
        assert!(dropped(&steps[2], "labels.csv:4: the prediction's id"));
    }

    #[test]
    fn revisions_weights_and_versions_are_read() {
        let csv = "prediction_id,observed_at,label,weight,revision,model_version\n\
                   a,1700000000,yes,2.5,3,v2\nb,1700000000,no,x,0,v2\n";
        let steps = read(csv, None).unwrap();
        let LabelStep::Label(first) = &steps[0] else {
            panic!("{steps:?}")
        };
        assert_eq!((first.weight, first.revision), (2.5, 3));
        assert_eq!(first.version.as_deref(), Some("v2"));
        assert!(matches!(
            &steps[1],
            LabelStep::Dropped(DropReason::Malformed, _)
        ));
    }

    #[test]
    fn what_is_not_clear_is_asked_for() {
        let error = read("id,a,b\n1,2,3\n", None).unwrap_err();
        assert!(error.hint.is_some_and(|h| h.contains("--label-column")));
        assert!(read("id,a,b\n1,2,3\n", Some("b")).is_ok());
        let error = read("a,b\n1,2\n", None).unwrap_err();
        assert!(error.message.contains("ids"));
    }
}
