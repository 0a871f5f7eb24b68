//! scikit-learn's `StratifiedShuffleSplit(random_state=42)`, draw by draw.
//!
//! NannyML decides on ten such splits whether scores need calibration. The decision can only be repeated with the
//! same splits, and so with the same generator.

const STATE: usize = 624;
const SHIFT: usize = 397;

/// The Mersenne Twister MT19937, seeded as numpy's legacy `RandomState` seeds it.
///
/// Source: Matsumoto, Nishimura (1998), Mersenne Twister.
pub(super) struct Mt19937 {
    state: [u32; STATE],
    next: usize,
}

impl Mt19937 {
    pub(super) fn new(seed: u32) -> Self {
        let mut state = [0; STATE];
        let mut x = seed;
        for (word, i) in state.iter_mut().zip(1u32..) {
            *word = x;
            x = 1_812_433_253u32.wrapping_mul(x ^ (x >> 30)).wrapping_add(i);
        }
        Self { state, next: STATE }
    }

    fn refill(&mut self) {
        for i in 0..STATE {
            let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % STATE] & 0x7fff_ffff);
            let twist = if y & 1 == 0 { 0 } else { 0x9908_b0df };
            self.state[i] = self.state[(i + SHIFT) % STATE] ^ (y >> 1) ^ twist;
        }
        self.next = 0;
    }

    fn word(&mut self) -> u32 {
        if self.next == STATE {
            self.refill();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// A number from 0 to `max`, by rejection.
    fn up_to(&mut self, max: usize) -> usize {
        let max = u32::try_from(max).unwrap_or(u32::MAX);
        if max == 0 {
            return 0;
        }
        let mask = u32::MAX >> max.leading_zeros();
        loop {
            let value = self.word() & mask;
            if value <= max {
                return value as usize;
            }
        }
    }

    /// The numbers below `n` in random order.
    fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.up_to(i));
        }
        order
    }

    /// Draws what shuffling `n` values would draw.
    fn skip_shuffle(&mut self, n: usize) {
        for i in (1..n).rev() {
            self.up_to(i);
        }
    }
}

/// How often each class is drawn, close to its share; whom the rounding leaves over is drawn.
fn draws_by_class(classes: [usize; 2], draws: usize, random: &mut Mt19937) -> [usize; 2] {
    let all = (classes[0] + classes[1]) as f64;
    let wanted = classes.map(|n| n as f64 / all * draws as f64);
    let mut floored = wanted.map(|x| x as usize);
    let remainder = [wanted[0] - floored[0] as f64, wanted[1] - floored[1] as f64];
    match draws.saturating_sub(floored[0] + floored[1]) {
        0 => {}
        1 if remainder[0] == remainder[1] => floored[random.permutation(2)[0]] += 1,
        1 => floored[usize::from(remainder[1] > remainder[0])] += 1,
        _ => {
            if remainder[0] == remainder[1] {
                random.skip_shuffle(2);
            }
            floored = floored.map(|n| n + 1);
        }
    }
    floored
}

/// For each of `splits` splits, the rows of the test part, a tenth, in the order in which they are drawn; the others
/// are for training.
///
/// None when the rows are too few to have both classes in both parts.
pub(super) fn stratified(labels: &[bool], splits: usize, seed: u32) -> Option<Vec<Vec<usize>>> {
    let of =
        |class: bool| -> Vec<usize> { (0..labels.len()).filter(|i| labels[*i] == class).collect() };
    let rows = [of(false), of(true)];
    let counts = [rows[0].len(), rows[1].len()];
    let test = libm::ceil(0.1 * labels.len() as f64) as usize;
    let train = labels.len().saturating_sub(test);
    if counts.iter().any(|n| *n < 2) || train < 2 || test < 2 {
        return None;
    }
    let mut random = Mt19937::new(seed);
    let mut found = Vec::with_capacity(splits);
    for _ in 0..splits {
        let trained = draws_by_class(counts, train, &mut random);
        let left = [
            counts[0].saturating_sub(trained[0]),
            counts[1].saturating_sub(trained[1]),
        ];
        let tested = draws_by_class(left, test, &mut random);
        let mut test = Vec::with_capacity(tested[0] + tested[1]);
        for class in 0..2 {
            let order = random.permutation(counts[class]);
            let chosen = order.iter().skip(trained[class]).take(tested[class]);
            test.extend(chosen.map(|i| rows[class][*i]));
        }
        random.skip_shuffle(trained[0] + trained[1]);
        let order = random.permutation(test.len());
        found.push(order.into_iter().map(|i| test[i]).collect());
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutations_are_numpys() {
        // numpy.random.RandomState(42).permutation(10), twice.
        let mut random = Mt19937::new(42);
        assert_eq!(random.permutation(10), [8, 1, 5, 0, 7, 2, 9, 4, 3, 6]);
        assert_eq!(random.permutation(10), [0, 1, 8, 5, 3, 4, 7, 9, 6, 2]);
    }

    #[test]
    fn splits_are_scikit_learns() {
        // The last of ten test parts of labels (i * k) % n < k, by scikit-learn 1.9.1.
        let cases: [(usize, usize, &[usize]); 6] = [
            (37, 11, &[9, 18, 27, 35]),
            (25, 7, &[13, 18, 23]),
            (30, 15, &[0, 9, 14]),
            (50, 25, &[5, 29, 32, 39, 48]),
            (45, 9, &[1, 4, 10, 16, 39]),
            (61, 30, &[8, 11, 36, 37, 52, 57, 60]),
        ];
        for (n, k, expected) in cases {
            let labels: Vec<bool> = (0..n).map(|i| (i * k) % n < k).collect();
            let mut test = stratified(&labels, 10, 42).unwrap().pop().unwrap();
            test.sort_unstable();
            assert_eq!(test, expected, "{n} {k}");
        }
    }

    #[test]
    fn too_few_rows_are_not_split() {
        assert_eq!(stratified(&[], 10, 42), None);
        assert_eq!(stratified(&[true; 40], 10, 42), None);
        assert_eq!(stratified(&[true, false, true, false], 10, 42), None);
    }
}
