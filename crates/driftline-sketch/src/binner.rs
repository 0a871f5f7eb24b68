//! From a number to its bin: a table over an order-preserving key, then a short exact search.

/// Slots of the table, a power of two; half of them for each side of the centre.
const SLOTS: usize = 1_024;
const HALF: u64 = SLOTS as u64 / 2;
/// Marks a slot that holds more than two bounds, so that two comparisons do not settle the bin.
const CROWDED: u16 = 1 << 15;
/// After so many steps from the table's bin a binary search goes on.
const STEPS_MAX: usize = 4;
/// Values whose slots are found at a time.
const TILE: usize = 64;

/// Finds the bin of a number among ascending upper bounds.
///
/// The bits of a positive f64, read as an integer, grow with the number: they are a piecewise
/// linear logarithm. Taken of `1 + |value − centre| / scale` they are linear near the centre and
/// logarithmic in the tails, so that a small table resolves bell-shaped, skewed and heavy-tailed
/// columns alike. A key's slot tells the first bin that it can be in; as every step from value to
/// slot is monotone, stepping up from that bin while the value is above the bound ends at the exact
/// one. Centre, scale and resolution change the speed and nothing else.
#[derive(Clone, Debug)]
pub(crate) struct Binner {
    /// The bounds, and once more +∞, so that each has a neighbour.
    upper: Vec<f64>,
    starts: Box<[u16; SLOTS]>,
    key: Key,
}

impl Binner {
    /// `upper` is strictly ascending, ends with +∞ and has at most 2^15 bounds. `counts`, how many
    /// values to expect in each bin, decides what the table resolves best.
    pub(crate) fn new(mut upper: Vec<f64>, counts: &[u64]) -> Self {
        let finite = upper.len().saturating_sub(1);
        let key = Key::best(&upper[..finite], counts);
        let mut starts = Box::new([0_u16; SLOTS]);
        let mut below = 0;
        for (slot, start) in starts.iter_mut().enumerate() {
            let first = below;
            while below < finite && key.slot(upper[below]) <= slot {
                below += 1;
            }
            *start = first as u16 | if below - first > 2 { CROWDED } else { 0 };
        }
        upper.push(f64::INFINITY);
        Self { upper, starts, key }
    }

    pub(crate) fn upper_bounds(&self) -> &[f64] {
        &self.upper[..self.upper.len() - 1]
    }

    pub(crate) fn into_upper_bounds(mut self) -> Vec<f64> {
        self.upper.pop();
        self.upper
    }

    /// Counts finite values in their bins.
    #[inline]
    pub(crate) fn count(&self, values: &[f64], counts: &mut [u64]) {
        // Two loops, so that the first has nothing but arithmetic and runs several lanes at a time.
        let mut slots = [0_u32; TILE];
        for tile in values.chunks(TILE) {
            for (slot, value) in slots.iter_mut().zip(tile) {
                *slot = self.key.slot(*value) as u32;
            }
            for (slot, value) in slots.iter().zip(tile) {
                counts[self.bin_in_slot(*slot as usize, *value)] += 1;
            }
        }
    }

    /// The number of bounds below `value`, which is finite.
    #[inline]
    pub(crate) fn bin(&self, value: f64) -> usize {
        self.bin_in_slot(self.key.slot(value), value)
    }

    /// The number of bounds below `value`, whose slot is `slot`.
    #[inline(always)]
    fn bin_in_slot(&self, slot: usize, value: f64) -> usize {
        let entry = self.starts[slot & (SLOTS - 1)];
        let start = usize::from(entry & !CROWDED);
        // Both comparisons at once: an atom puts two bounds side by side, and a branch would be
        // guessed wrong.
        let above = |bound: usize| usize::from(value > self.upper[bound]);
        let bin = start + above(start) + above(start + 1);
        if entry & CROWDED == 0 {
            bin
        } else {
            self.bin_from(bin, value)
        }
    }

    /// The number of bounds below `value`, which is at least `bin`.
    #[inline(never)]
    fn bin_from(&self, bin: usize, value: f64) -> usize {
        let further = &self.upper[bin..];
        let near = further
            .iter()
            .take(STEPS_MAX)
            .take_while(|bound| value > **bound)
            .count();
        match near {
            STEPS_MAX => bin + further.partition_point(|bound| value > *bound),
            _ => bin + near,
        }
    }
}

/// A monotone map from finite numbers to slots.
#[derive(Clone, Copy, Debug)]
struct Key {
    centre: f64,
    per_scale: f64,
    shift: u32,
    /// The largest number that stays within the table.
    limit: f64,
}

impl Key {
    fn new(centre: f64, per_scale: f64, shift: u32) -> Self {
        let limit = f64::from_bits(1.0_f64.to_bits() + (HALF << shift) - 1);
        Self {
            centre,
            per_scale,
            shift,
            limit,
        }
    }

    /// The slot of a finite value.
    #[inline(always)]
    fn slot(&self, value: f64) -> usize {
        let distance = (value - self.centre) * self.per_scale;
        let size = 1.0 + distance.abs();
        let size = if size < self.limit { size } else { self.limit };
        let key = size.to_bits() - 1.0_f64.to_bits();
        let outward = key >> self.shift;
        let mirror = ((distance.to_bits() as i64) >> 63) as u64;
        ((HALF + outward) ^ mirror) as usize & (SLOTS - 1)
    }

    /// The key under which the expected values need the fewest steps.
    fn best(bounds: &[f64], counts: &[u64]) -> Self {
        let (Some(low), Some(high)) = (bounds.first(), bounds.last()) else {
            return Self::new(0.0, 1.0, 48);
        };
        let n = bounds.len();
        let spread = (bounds[n * 3 / 4] - bounds[n / 4]).max((high / 2.0 - low / 2.0) * 1e-6);
        let unit = if spread.is_normal() { spread } else { 1.0 };
        let mut best = (f64::INFINITY, Self::new(0.0, 1.0, 48));
        for centre in [0.0, bounds[n / 2], *low] {
            for power in [-6, -4, -2, 0] {
                let per_scale =
                    (1.0 / (unit * 2.0_f64.powi(power))).clamp(f64::MIN_POSITIVE, f64::MAX);
                for shift in 44..=48 {
                    let key = Self::new(centre, per_scale, shift);
                    let steps = key.expected_steps(bounds, counts);
                    if steps < best.0 {
                        best = (steps, key);
                    }
                }
            }
        }
        best.1
    }

    /// The mean number of steps when values are spread evenly over the slots of their bins.
    fn expected_steps(&self, bounds: &[f64], counts: &[u64]) -> f64 {
        let mut steps = 0.0;
        let (mut lower, mut first_in_slot) = (0, 0);
        for (bin, (bound, count)) in bounds.iter().zip(counts).enumerate() {
            let upper = self.slot(*bound);
            steps += *count as f64 * (bin - first_in_slot) as f64 / (upper - lower + 1) as f64;
            if upper > lower {
                (lower, first_in_slot) = (upper, bin);
            }
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bounds(mut upper: Vec<f64>) -> Vec<f64> {
        upper.retain(|bound| (-f64::MAX..f64::MAX).contains(bound));
        upper.iter_mut().for_each(|bound| *bound += 0.0);
        upper.sort_unstable_by(f64::total_cmp);
        upper.dedup();
        upper.push(f64::INFINITY);
        upper
    }

    /// Every bound, both its neighbours, and `others` fall where a plain search puts them.
    fn agrees(upper: &[f64], counts: &[u64], others: &[f64]) {
        let binner = Binner::new(upper.to_vec(), counts);
        let near = upper
            .iter()
            .flat_map(|b| [b.next_down(), *b, b.next_up(), -b]);
        let extremes = [
            0.0,
            -0.0,
            f64::MIN,
            f64::MAX,
            5e-324,
            -5e-324,
            f64::MIN_POSITIVE,
        ];
        for value in near
            .chain(extremes)
            .chain(others.iter().copied())
            .filter(|v| v.is_finite())
        {
            let expected = upper.partition_point(|bound| *bound < value);
            assert_eq!(binner.bin(value), expected, "{value:e} in {upper:?}");
        }
    }

    #[test]
    fn hostile_bounds_are_searched_exactly() {
        let clusters = |around: f64| {
            let next = |bound: &f64| Some(bound.next_up());
            std::iter::successors(Some(around), next)
                .take(300)
                .collect::<Vec<f64>>()
        };
        let hostile = [
            vec![],
            vec![0.0],
            vec![f64::MIN],
            vec![f64::MAX.next_down()],
            vec![f64::MIN, f64::MAX.next_down()],
            clusters(1.0),
            clusters(-1e308),
            clusters(-5e-322),
            [
                clusters(1.0),
                clusters(1e300),
                clusters(-1e-300),
                vec![f64::MIN],
            ]
            .concat(),
            (-1_000..1_000).map(|e| 2.0_f64.powi(e)).collect(),
            (-1_000..1_000)
                .map(|e| -2.0_f64.powi(e))
                .chain([0.0, 1e308])
                .collect(),
            (0..4_000).map(f64::from).collect(),
        ];
        for upper in hostile {
            let upper = bounds(upper);
            agrees(&upper, &vec![1; upper.len()], &[]);
            agrees(&upper, &[], &[1.0, -1.0, 1e-3]);
            let mut one = vec![0; upper.len()];
            one[upper.len() / 2] = u64::MAX;
            agrees(&upper, &one, &[1.0, -1.0, 1e-3]);
        }
    }

    proptest! {
        #[test]
        fn bins_are_those_of_a_plain_search(
            upper in prop::collection::vec(any::<f64>(), 0..80),
            counts in prop::collection::vec(any::<u32>(), 0..80),
            others in prop::collection::vec(any::<f64>(), 0..80),
        ) {
            let counts: Vec<u64> = counts.into_iter().map(u64::from).collect();
            agrees(&bounds(upper), &counts, &others);
        }

        #[test]
        fn so_are_those_of_close_bounds(
            upper in prop::collection::vec(-50_i32..50, 0..80),
            scale in -300_i32..300,
            others in prop::collection::vec(-60.0..60.0_f64, 0..80),
        ) {
            let scale = 10_f64.powi(scale);
            let upper: Vec<f64> = upper.into_iter().map(|x| f64::from(x) * scale).collect();
            let others: Vec<f64> = others.into_iter().map(|x| x * scale).collect();
            agrees(&bounds(upper), &[1; 81], &others);
        }
    }
}
