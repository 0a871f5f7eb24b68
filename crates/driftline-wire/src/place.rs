//! From the values of a message to the columns of its model.
//!
//! A message is read before it is known whose it is. Then its model and version give the layout, and a plan,
//! made once per shape and layout, moves the values to their columns. Keys of maps are guessed from what
//! stood at the same position last time, so a steady producer costs one comparison a key and no look-up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use driftline_event::{
    Catalog, ColumnKind, ColumnRole, DropReason, Layout, LayoutId, Row, Value, decimal,
};

use crate::reject::{Fault, Reject};
use crate::sink::{Entry, Scalar, Scratch};
use crate::target::{Head, Rest, Role, Target};

/// What a compiled reader gives: values whose names are known, and groups of values that bring their keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    pub(crate) slots: Vec<Target>,
    pub(crate) rests: Vec<Rest>,
}

/// Where a value of a layout goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Nowhere,
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
                // Labels have a topic of their own: no field of a prediction is one.
                ColumnRole::Label => continue,
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

    fn place(&self, role: Role, name: &str) -> Place {
        let place = self.by_role[role as usize].get(name);
        place.copied().unwrap_or(Place::Nowhere)
    }
}

/// Slots that go to as many columns in the same order.
#[derive(Clone, Copy, Debug)]
struct Run {
    slot: usize,
    column: usize,
    count: usize,
}

/// How the values of one shape go to one layout.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    runs: Vec<Run>,
    /// Slots that go to segment fields.
    segments: Vec<(usize, usize)>,
    /// For each position of the entries, the key that stood there last and where its value went.
    guesses: Vec<Guess>,
}

#[derive(Clone, Debug)]
struct Guess {
    key: Box<str>,
    /// The bytes of a short key, and which of them count; what no bytes are for other keys.
    short: u128,
    mask: u128,
    len: u32,
    rest: u16,
    place: Place,
}

impl Guess {
    fn new(key: &str, rest: u16, place: Place) -> Self {
        let mut short = [0; 16];
        let mut mask = [0; 16];
        if let (Some(short), Some(mask)) = (short.get_mut(..key.len()), mask.get_mut(..key.len())) {
            short.copy_from_slice(key.as_bytes());
            mask.fill(0xff);
        } else {
            short.fill(0xff);
        }
        Self {
            key: key.into(),
            short: u128::from_le_bytes(short),
            mask: u128::from_le_bytes(mask),
            len: key.len() as u32,
            rest,
            place,
        }
    }

    /// Whether the entry surely has the key that was guessed: a short one is compared in one step.
    #[inline(always)]
    fn is_surely(&self, entry: &Entry, payload: &[u8]) -> bool {
        let bytes = payload.get(entry.key.start as usize..);
        match bytes.and_then(<[u8]>::first_chunk) {
            Some(chunk) => {
                self.len == entry.key.len
                    && self.rest == entry.rest
                    && u128::from_le_bytes(*chunk) & self.mask == self.short
            }
            None => false,
        }
    }
}

impl Plan {
    fn new(shape: &Shape, names: &Names) -> Self {
        let mut plan = Self {
            runs: Vec::new(),
            segments: Vec::new(),
            guesses: Vec::new(),
        };
        for (slot, target) in shape.slots.iter().enumerate() {
            match names.place(target.role, &target.name) {
                Place::Nowhere => {}
                Place::Column(column) => plan.join(slot, column as usize),
                Place::Segment(segment) => plan.segments.push((slot, segment as usize)),
            }
        }
        plan
    }

    fn join(&mut self, slot: usize, column: usize) {
        match self.runs.last_mut() {
            Some(run) if (run.slot + run.count, run.column + run.count) == (slot, column) => {
                run.count += 1;
            }
            _ => self.runs.push(Run {
                slot,
                column,
                count: 1,
            }),
        }
    }

    /// Moves the slots to their columns and segment fields.
    #[inline]
    fn place_slots(&self, slots: &[Value], row: &mut Row) {
        let columns = row.values_mut();
        for run in &self.runs {
            let from = slots.get(run.slot..run.slot + run.count);
            let to = columns.get_mut(run.column..run.column + run.count);
            if let (Some(from), Some(to)) = (from, to) {
                to.copy_from_slice(from);
            }
        }
        for &(slot, segment) in &self.segments {
            set_segment(row, segment, slots.get(slot).unwrap_or(&Value::Missing));
        }
    }

    /// Moves the entries to their columns and segment fields.
    #[inline]
    fn place_entries(
        &mut self,
        scratch: &Scratch,
        payload: &[u8],
        shape: &Shape,
        names: &Names,
        row: &mut Row,
    ) -> Result<(), Fault> {
        let mut position = 0;
        loop {
            let entries = scratch.entries.get(position..).unwrap_or(&[]);
            let guesses = self.guesses.get(position..).unwrap_or(&[]);
            position += place_guessed(entries, guesses, payload, row);
            let Some(entry) = scratch.entries.get(position) else {
                return Ok(());
            };
            let key = scratch.key(entry.key, payload);
            let place = self.look_up(position, entry.rest, key, shape, names)?;
            put(row, place, &entry.value);
            position += 1;
        }
    }

    /// Where the value under `key` goes, which the entry at this position is now guessed to have again.
    #[inline(never)]
    fn look_up(
        &mut self,
        position: usize,
        rest: u16,
        key: &[u8],
        shape: &Shape,
        names: &Names,
    ) -> Result<Place, Fault> {
        if let Some(guess) = self.guesses.get(position)
            && (guess.rest, guess.key.as_bytes()) == (rest, key)
        {
            return Ok(guess.place);
        }
        let key = std::str::from_utf8(key).map_err(|_| Fault::BadText)?;
        let place = shape
            .rests
            .get(usize::from(rest))
            .and_then(|rest| Some(names.place(rest.role, rest.name(key)?)))
            .unwrap_or(Place::Nowhere);
        // Only as many guesses are kept as a steady producer of this model may need.
        let known = key.len() <= GUESSED_KEY_BYTES_MAX;
        if let Some(old) = self.guesses.get_mut(position) {
            if known {
                *old = Guess::new(key, rest, place);
            }
        } else if position == self.guesses.len() && position < GUESSES_MAX {
            self.guesses.push(if known {
                Guess::new(key, rest, place)
            } else {
                Guess::new("", NO_REST, Place::Nowhere)
            });
        }
        Ok(place)
    }
}

/// Moves the entries that surely have the keys that were guessed, up to the first that may not. Gives how
/// many those were.
#[inline(always)]
fn place_guessed(entries: &[Entry], guesses: &[Guess], payload: &[u8], row: &mut Row) -> usize {
    let mut placed = 0;
    for (entry, guess) in entries.iter().zip(guesses) {
        if !guess.is_surely(entry, payload) {
            break;
        }
        put(row, guess.place, &entry.value);
        placed += 1;
    }
    placed
}

#[inline(always)]
fn put(row: &mut Row, place: Place, value: &Value) {
    match place {
        Place::Nowhere => {}
        Place::Column(column) => row.set_value(column as usize, *value),
        Place::Segment(segment) => set_segment(row, segment as usize, value),
    }
}

/// A guess costs memory for each shape and layout, so keys beyond these bounds are looked up instead.
const GUESSES_MAX: usize = 4_096;
const GUESSED_KEY_BYTES_MAX: usize = 128;
/// The number of no rest, for a guess that is never right.
const NO_REST: u16 = u16::MAX;

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
    model: Box<str>,
    version: Box<str>,
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

    /// Gives the row its layout and its values. Its texts are those of the message already.
    pub(crate) fn fill(
        &mut self,
        shape: &Shape,
        plans: &mut Plans,
        scratch: &Scratch,
        payload: &[u8],
        row: &mut Row,
    ) -> Result<(), Reject> {
        let layout = self.route(scratch, row)?;
        let names = &self.names[layout.index()];
        row.start(layout, names.columns, names.segments);
        if plans.len() <= layout.index() {
            plans.resize(self.names.len(), None);
        }
        let plan = plans[layout.index()].get_or_insert_with(|| Plan::new(shape, names));
        plan.place_slots(&scratch.slots, row);
        plan.place_entries(scratch, payload, shape, names, row)
            .map_err(Fault::reject)?;
        if scratch.texts.names_number() {
            read_special_numbers(names, row);
        }
        Ok(())
    }

    #[inline]
    fn route(&mut self, scratch: &Scratch, row: &Row) -> Result<LayoutId, Reject> {
        let mut digits = ([0_u8; 20], [0_u8; 20]);
        let model = name(scratch.head(Head::Model), &self.model, row, &mut digits.0)
            .ok_or_else(|| no_name("model"))?
            .ok_or_else(|| {
                Reject::missing("the record has no model; map `model` to a path or a constant")
            })?;
        let version = name(
            scratch.head(Head::Version),
            &self.version,
            row,
            &mut digits.1,
        )
        .ok_or_else(|| no_name("version"))?;
        let version_name = version.unwrap_or("");
        let slot = mix(model.as_bytes(), version_name.as_bytes());
        if let Some(recent) = &self.recent[slot]
            && *recent.model == *model
            && *recent.version == *version_name
        {
            return Ok(recent.layout);
        }
        let layout = self.resolve(model, version)?;
        self.recent[slot] = Some(Recent {
            model: model.into(),
            version: version_name.into(),
            layout,
        });
        Ok(layout)
    }

    #[inline(never)]
    fn resolve(&self, model: &str, version: Option<&str>) -> Result<LayoutId, Reject> {
        let version_name = version.unwrap_or("");
        let layout = self.catalog.resolve(model, version_name);
        layout.ok_or_else(|| {
            match version {
                None => Reject::missing(
                    "the record has no version; map `version` to a path or a constant, or monitor version `*`",
                ),
                Some(_) => Reject::Drop(
                    DropReason::UnknownModel,
                    format!("model `{model}` version `{version_name}` is not configured"),
                ),
            }
        })
    }
}

/// A name: a constant, or a text or an integer of the record. The outer none is a value of another kind.
#[inline]
fn name<'a>(
    head: Scalar,
    constant: &'a Option<String>,
    row: &'a Row,
    digits: &'a mut [u8; 20],
) -> Option<Option<&'a str>> {
    if let Some(constant) = constant {
        return Some(Some(constant));
    }
    match head {
        Scalar::Plain(Value::Text(range)) => Some(Some(row.text(range))),
        Scalar::Plain(Value::Missing) => Some(None),
        Scalar::Plain(Value::Long(n)) => Some(Some(decimal(n, digits))),
        _ => None,
    }
}

#[cold]
fn no_name(field: &str) -> Reject {
    Reject::missing(format!("`{field}` is neither a text nor an integer"))
}

fn mix(model: &[u8], version: &[u8]) -> usize {
    let part = |bytes: &[u8]| match (bytes.first(), bytes.last()) {
        (Some(&a), Some(&b)) => usize::from(a) * 7 + usize::from(b) * 31 + bytes.len(),
        _ => 0,
    };
    (part(model).wrapping_mul(5) + part(version)) % RECENT
}

/// JSON has no numbers for these, so producers write them as texts.
#[inline(never)]
fn read_special_numbers(names: &Names, row: &mut Row) {
    for (column, _) in names.numeric.iter().enumerate().filter(|(_, n)| **n) {
        if let Some(&Value::Text(range)) = row.values().get(column)
            && let Some(x) = special_number(row.text(range))
        {
            row.set_value(column, Value::Double(x));
        }
    }
}

#[inline(never)]
fn set_segment(row: &mut Row, segment: usize, value: &Value) {
    let mut digits = [0; 20];
    let text = match *value {
        Value::Text(range) => Some(range),
        Value::Bool(b) => Some(row.push_text(if b { "true" } else { "false" })),
        Value::Long(n) => Some(row.push_text(decimal(n, &mut digits))),
        Value::Missing | Value::Double(_) | Value::Unsupported => None,
    };
    row.set_segment(segment, text);
}

fn special_number(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}
