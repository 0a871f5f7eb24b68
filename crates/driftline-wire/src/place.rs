//! From the values of a message to the columns of its model.
//!
//! A message is read before it is known whose it is. Then its model and version give the layout, and a plan,
//! made once per shape and layout, moves the values to their columns. Keys of maps are guessed from what
//! stood at the same position last time, so a steady producer costs one comparison a key and no look-up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use driftline_event::{Catalog, ColumnKind, ColumnRole, DropReason, Layout, LayoutId, Row, Value};

use crate::reject::{Fault, Reject};
use crate::sink::{Entry, Scalar, Scratch};
use crate::target::{Head, Rest, Role, Target};
use crate::text::decimal;

/// What a compiled reader gives: values whose names are known, and groups of values that bring their keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    pub(crate) slots: Vec<Target>,
    pub(crate) rests: Vec<Rest>,
}

/// Where a value of a layout goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Column(u32),
    Segment(u32),
}

/// The names of one layout.
#[derive(Clone, Debug)]
struct Names {
    by_role: [BTreeMap<String, Place>; Role::COUNT],
    numeric: Vec<bool>,
    columns: usize,
    segments: usize,
}

impl Names {
    fn new(layout: &Layout) -> Self {
        let mut by_role: [BTreeMap<String, Place>; Role::COUNT] = Default::default();
        for (i, column) in layout.columns.iter().enumerate() {
            let place = Place::Column(i as u32);
            let role = match column.role {
                ColumnRole::Feature => Role::Feature,
                ColumnRole::Output => Role::Output,
            };
            by_role[role as usize].insert(column.name.clone(), place);
            if let (Role::Output, Some(class)) = (role, column.name.strip_prefix("scores.")) {
                by_role[Role::Score as usize].insert(class.to_owned(), place);
            }
        }
        for (i, name) in layout.segments.iter().enumerate() {
            by_role[Role::Segment as usize].insert(name.clone(), Place::Segment(i as u32));
        }
        let numeric = layout
            .columns
            .iter()
            .map(|c| c.kind == ColumnKind::Numeric)
            .collect();
        Self {
            by_role,
            numeric,
            columns: layout.columns.len(),
            segments: layout.segments.len(),
        }
    }

    fn place(&self, role: Role, name: &str) -> Option<Place> {
        self.by_role[role as usize].get(name).copied()
    }
}

/// How the values of one shape go to one layout.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    moves: Vec<(u32, Place)>,
    /// For each position of the entries, the key that stood there last and where its value went.
    guesses: Vec<Guess>,
}

#[derive(Clone, Debug)]
struct Guess {
    rest: u16,
    key: Box<str>,
    place: Option<Place>,
}

impl Plan {
    fn new(shape: &Shape, names: &Names) -> Self {
        let place = |(i, t): (usize, &Target)| Some((i as u32, names.place(t.role, &t.name)?));
        let moves = shape.slots.iter().enumerate().filter_map(place).collect();
        Self {
            moves,
            guesses: Vec::new(),
        }
    }

    /// Where `entry` goes; `position` is its position among the message's entries.
    fn find(
        &mut self,
        position: usize,
        entry: &Entry,
        key: &[u8],
        shape: &Shape,
        names: &Names,
    ) -> Result<Option<Place>, Fault> {
        if let Some(guess) = self.guesses.get(position)
            && guess.rest == entry.rest
            && guess.key.as_bytes() == key
        {
            return Ok(guess.place);
        }
        let key = std::str::from_utf8(key).map_err(|_| Fault::BadText)?;
        let place = shape
            .rests
            .get(usize::from(entry.rest))
            .and_then(|rest| names.place(rest.role, rest.name(key)?));
        let guess = Guess {
            rest: entry.rest,
            key: key.into(),
            place,
        };
        // Only as many guesses are kept as a steady producer of this model may need.
        if let Some(old) = self.guesses.get_mut(position) {
            if key.len() <= GUESSED_KEY_BYTES_MAX {
                *old = guess;
            }
        } else if position == self.guesses.len() && position < GUESSES_MAX {
            let known = key.len() <= GUESSED_KEY_BYTES_MAX;
            self.guesses.push(if known {
                guess
            } else {
                Guess {
                    key: "".into(),
                    ..guess
                }
            });
        }
        Ok(place)
    }
}

/// A guess costs memory for each shape and layout, so keys beyond these bounds are looked up instead.
const GUESSES_MAX: usize = 4_096;
const GUESSED_KEY_BYTES_MAX: usize = 128;

/// The plans of one shape, by layout.
pub(crate) type Plans = Vec<Option<Plan>>;

/// Finds the layout of a message and fills the row.
#[derive(Debug)]
pub(crate) struct Router {
    catalog: Arc<Catalog>,
    names: Vec<Names>,
    wanted: BTreeSet<Target>,
    model: Option<String>,
    version: Option<String>,
    /// Layouts of recent messages, by a cheap mix of the name's bytes.
    recent: Vec<Option<Recent>>,
}

#[derive(Clone, Debug)]
struct Recent {
    model: Box<[u8]>,
    version: Box<[u8]>,
    layout: LayoutId,
}

const RECENT: usize = 64;

impl Router {
    pub(crate) fn new(
        catalog: Arc<Catalog>,
        model: Option<String>,
        version: Option<String>,
    ) -> Self {
        let names: Vec<Names> = catalog
            .iter()
            .map(|(_, layout)| Names::new(layout))
            .collect();
        let mut wanted = BTreeSet::new();
        for layout in &names {
            for role in [Role::Feature, Role::Output, Role::Score, Role::Segment] {
                let names = layout.by_role[role as usize].keys();
                wanted.extend(names.map(|name| Target {
                    role,
                    name: name.clone(),
                }));
            }
        }
        Self {
            catalog,
            names,
            wanted,
            model,
            version,
            recent: vec![None; RECENT],
        }
    }

    /// Whether any layout has a place for this value.
    pub(crate) fn wants(&self, target: &Target) -> bool {
        self.wanted.contains(target)
    }

    /// Gives the row its layout and its values.
    pub(crate) fn fill(
        &mut self,
        shape: &Shape,
        plans: &mut Plans,
        scratch: &Scratch,
        payload: &[u8],
        row: &mut Row,
    ) -> Result<(), Reject> {
        let layout = self.route(scratch, payload)?;
        let names = &self.names[layout.index()];
        row.start(layout, names.columns, names.segments);
        plans.resize(self.names.len(), None);
        let plan = plans[layout.index()].get_or_insert_with(|| Plan::new(shape, names));
        for &(slot, place) in &plan.moves {
            let value = scratch
                .slots
                .get(slot as usize)
                .copied()
                .unwrap_or_default();
            set(row, names, place, value);
        }
        for (position, entry) in scratch.entries.iter().enumerate() {
            let key = scratch.bytes(entry.key, payload);
            let place = plan
                .find(position, entry, key, shape, names)
                .map_err(Fault::reject)?;
            if let Some(place) = place {
                set(row, names, place, entry.value);
            }
        }
        Ok(())
    }

    fn route(&mut self, scratch: &Scratch, payload: &[u8]) -> Result<LayoutId, Reject> {
        let mut digits = ([0_u8; 20], [0_u8; 20]);
        let model = name(
            Head::Model,
            "model",
            &self.model,
            scratch,
            payload,
            &mut digits.0,
        )?
        .ok_or_else(|| {
            Reject::missing("the record has no model; map `model` to a path or a constant")
        })?;
        let version = name(
            Head::Version,
            "version",
            &self.version,
            scratch,
            payload,
            &mut digits.1,
        )?;
        let slot = mix(model, version.unwrap_or(b""));
        if let Some(recent) = &self.recent[slot]
            && *recent.model == *model
            && *recent.version == *version.unwrap_or(b"")
        {
            return Ok(recent.layout);
        }
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| Fault::BadText.reject());
        let (model_name, version_name) = (text(model)?, text(version.unwrap_or(b""))?);
        let Some(layout) = self.catalog.resolve(model_name, version_name) else {
            return Err(match version {
                None => Reject::missing(
                    "the record has no version; map `version` to a path or a constant, or monitor version `*`",
                ),
                Some(_) => Reject::Drop(
                    DropReason::UnknownModel,
                    format!("model `{model_name}` version `{version_name}` is not configured"),
                ),
            });
        };
        let version = version.unwrap_or(b"");
        self.recent[slot] = Some(Recent {
            model: model.into(),
            version: version.into(),
            layout,
        });
        Ok(layout)
    }
}

/// The bytes of a name: a constant, a text or an integer of the record.
fn name<'a>(
    head: Head,
    field: &str,
    constant: &'a Option<String>,
    scratch: &'a Scratch,
    payload: &'a [u8],
    digits: &'a mut [u8; 20],
) -> Result<Option<&'a [u8]>, Reject> {
    if let Some(constant) = constant {
        return Ok(Some(constant.as_bytes()));
    }
    match scratch.head(head) {
        Scalar::Missing => Ok(None),
        Scalar::Text(raw) => Ok(Some(scratch.bytes(raw, payload))),
        Scalar::Long(n) => Ok(Some(decimal(n, digits).as_bytes())),
        _ => Err(Reject::missing(format!(
            "`{field}` is neither a text nor an integer"
        ))),
    }
}

fn mix(model: &[u8], version: &[u8]) -> usize {
    let part = |bytes: &[u8]| match (bytes.first(), bytes.last()) {
        (Some(&a), Some(&b)) => usize::from(a) * 7 + usize::from(b) * 31 + bytes.len(),
        _ => 0,
    };
    (part(model).wrapping_mul(5) + part(version)) % RECENT
}

#[inline]
fn set(row: &mut Row, names: &Names, place: Place, value: Value) {
    match place {
        Place::Column(column) => {
            let column = column as usize;
            let value = match value {
                Value::Text(range) if names.numeric[column] => {
                    special_number(row.text(range)).map_or(value, Value::Double)
                }
                value => value,
            };
            row.set_value(column, value);
        }
        Place::Segment(segment) => set_segment(row, segment as usize, value),
    }
}

fn set_segment(row: &mut Row, segment: usize, value: Value) {
    let mut digits = [0; 20];
    let text = match value {
        Value::Text(range) => Some(range),
        Value::Bool(b) => Some(row.push_text(if b { "true" } else { "false" })),
        Value::Long(n) => Some(row.push_text(decimal(n, &mut digits))),
        Value::Missing | Value::Double(_) | Value::Unsupported => None,
    };
    row.set_segment(segment, text);
}

/// JSON has no numbers for these, so producers write them as texts.
fn special_number(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}
