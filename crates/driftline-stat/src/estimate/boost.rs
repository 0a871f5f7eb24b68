//! Gradient-boosted regression trees on binned features: small, exact, and the same everywhere.

/// The bin of what is missing, not a number, or a category that the fit has not seen.
const MISSING_BIN: u8 = 0;
/// So that a bin fits into a byte, with the one for missing values.
const BINS_MAX: usize = 254;

/// A column that trees may split on.
#[derive(Clone, Copy, Debug)]
pub enum Feature<'a> {
    /// Numbers; what is not finite is missing.
    Numbers(&'a [f64]),
    /// Codes of categories; a code that the fit has not seen is missing.
    Categories(&'a [u32]),
}

impl Feature<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Categories(codes) => codes.len(),
        }
    }
}

/// How many trees, and how careful.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoostOptions {
    /// Trees. Default 60.
    pub trees: usize,
    /// Splits from the root of a tree to a leaf, at most 8. Default 3.
    pub depth: usize,
    /// How much of each tree's correction is taken. Default 0.1.
    pub learning_rate: f64,
    /// Rows that a leaf must have. Default 50.
    pub leaf_rows_min: usize,
    /// Bins of a column, with equally many rows each; at most 254. Default 32.
    pub bins: usize,
    /// A category's mean is drawn to the overall mean as by this many rows. Default 20.
    pub category_prior_rows: f64,
}

impl Default for BoostOptions {
    fn default() -> Self {
        Self {
            trees: 60,
            depth: 3,
            learning_rate: 0.1,
            leaf_rows_min: 50,
            bins: 32,
            category_prior_rows: 20.0,
        }
    }
}

/// How a column's values become bins.
#[derive(Clone, Debug)]
struct Binning {
    /// Upper edges of all bins but the last, ascending.
    edges: Vec<f64>,
    /// The number that stands for each category, by code.
    categories: Option<Vec<Option<f64>>>,
}

#[derive(Clone, Copy, Debug)]
struct Split {
    feature: usize,
    /// Bins up to this one go left.
    bin: u8,
}

/// A complete tree: node `i` has the children `2i + 1` and `2i + 2`. Nodes without a split send all rows left.
#[derive(Clone, Debug)]
struct Tree {
    splits: Vec<Option<Split>>,
    leaves: Vec<f64>,
}

/// A regression by boosted trees, least squares.
///
/// Columns are cut into quantile bins; every tree is grown level by level on the residuals, each split the one
/// that lowers the squared error most (the first of equals, so the result does not depend on chance). A category
/// enters as the mean target of its rows. Linear in rows × columns × trees × depth.
///
/// Source: Friedman (2001), Greedy function approximation: a gradient boosting machine; the binning is LightGBM's
/// idea (Ke et al. 2017).
#[derive(Clone, Debug)]
pub struct BoostedTrees {
    base: f64,
    learning_rate: f64,
    depth: usize,
    binnings: Vec<Binning>,
    trees: Vec<Tree>,
}

impl BoostedTrees {
    /// Fits `targets` to `features`. Rows whose target is not finite do not count. None when none counts or the
    /// columns differ in length.
    #[must_use]
    pub fn fit(features: &[Feature<'_>], targets: &[f64], options: &BoostOptions) -> Option<Self> {
        if features.iter().any(|f| f.len() != targets.len()) {
            return None;
        }
        let rows: Vec<usize> = (0..targets.len())
            .filter(|i| targets[*i].is_finite())
            .collect();
        let mut residuals: Vec<f64> = rows.iter().map(|i| targets[*i]).collect();
        let base = mean(&residuals)?;
        let bins = options.bins.clamp(2, BINS_MAX);
        let binning = |feature: &Feature<'_>| {
            Binning::new(
                feature,
                &rows,
                targets,
                base,
                bins,
                options.category_prior_rows,
            )
        };
        let binnings: Vec<Binning> = features.iter().map(binning).collect();
        let columns: Vec<Vec<u8>> = features
            .iter()
            .zip(&binnings)
            .map(|(feature, binning)| rows.iter().map(|i| binning.bin(feature, *i)).collect())
            .collect();
        residuals.iter_mut().for_each(|r| *r -= base);
        let depth = options.depth.clamp(1, 8);
        let mut trees = Vec::with_capacity(options.trees);
        for _ in 0..options.trees {
            let (tree, leaves) = Tree::grow(&columns, &residuals, depth, options.leaf_rows_min);
            for (residual, leaf) in residuals.iter_mut().zip(leaves) {
                *residual -= options.learning_rate * tree.leaves[leaf];
            }
            trees.push(tree);
        }
        Some(Self {
            base,
            learning_rate: options.learning_rate,
            depth,
            binnings,
            trees,
        })
    }

    /// The fitted value of each row. None when the columns are not those of the fit.
    #[must_use]
    pub fn predict(&self, features: &[Feature<'_>]) -> Option<Vec<f64>> {
        let n = features.first().map_or(0, Feature::len);
        if features.len() != self.binnings.len() || features.iter().any(|f| f.len() != n) {
            return None;
        }
        let mut bins = vec![MISSING_BIN; features.len()];
        let value = |row: usize| {
            for ((bin, binning), feature) in bins.iter_mut().zip(&self.binnings).zip(features) {
                *bin = binning.bin(feature, row);
            }
            let sum: f64 = self
                .trees
                .iter()
                .map(|tree| tree.value(&bins, self.depth))
                .sum();
            self.base + self.learning_rate * sum
        };
        Some((0..n).map(value).collect())
    }
}

impl Binning {
    fn new(
        feature: &Feature<'_>,
        rows: &[usize],
        targets: &[f64],
        base: f64,
        bins: usize,
        prior: f64,
    ) -> Self {
        let categories = match feature {
            Feature::Numbers(_) => None,
            Feature::Categories(codes) => Some(category_means(codes, rows, targets, base, prior)),
        };
        let mut found = Self {
            edges: Vec::new(),
            categories,
        };
        let mut values: Vec<f64> = rows
            .iter()
            .filter_map(|i| found.number(feature, *i))
            .collect();
        values.sort_unstable_by(f64::total_cmp);
        let last = values.last().copied();
        for b in 1..bins {
            let edge = values.get(b * values.len() / bins).copied();
            // An edge at the largest value would leave nothing above it.
            if let Some(edge) = edge.filter(|e| Some(*e) < last && found.edges.last() != Some(e)) {
                found.edges.push(edge);
            }
        }
        found
    }

    fn number(&self, feature: &Feature<'_>, row: usize) -> Option<f64> {
        match (feature, &self.categories) {
            (Feature::Numbers(values), None) => Some(values[row]).filter(|x| x.is_finite()),
            (Feature::Categories(codes), Some(means)) => {
                means.get(codes[row] as usize).copied().flatten()
            }
            _ => None,
        }
    }

    fn bin(&self, feature: &Feature<'_>, row: usize) -> u8 {
        match self.number(feature, row) {
            Some(x) => u8::try_from(1 + self.edges.partition_point(|e| *e < x)).unwrap_or(u8::MAX),
            None => MISSING_BIN,
        }
    }
}

/// The mean target of each category's rows, drawn to the overall mean. Codes beyond a million are missing.
fn category_means(
    codes: &[u32],
    rows: &[usize],
    targets: &[f64],
    base: f64,
    prior: f64,
) -> Vec<Option<f64>> {
    const CODES_MAX: u32 = 1_000_000;
    let known = |code: &u32| *code < CODES_MAX;
    let most = rows
        .iter()
        .map(|i| codes[*i])
        .filter(known)
        .max()
        .unwrap_or(0);
    let mut sums = vec![(0.0, 0.0); most as usize + 1];
    for i in rows {
        if let Some(sum) = sums.get_mut(codes[*i] as usize) {
            *sum = (sum.0 + targets[*i], sum.1 + 1.0);
        }
    }
    let mean = |(sum, n): (f64, f64)| (n > 0.0).then(|| (sum + prior * base) / (n + prior));
    sums.into_iter().map(mean).collect()
}

/// Sum and number of residuals.
type Sum = (f64, f64);

impl Tree {
    /// Grows a tree, and says which leaf each row is in.
    fn grow(
        columns: &[Vec<u8>],
        residuals: &[f64],
        depth: usize,
        rows_min: usize,
    ) -> (Self, Vec<usize>) {
        let mut splits = vec![None; (1 << depth) - 1];
        // The place of each row's node within its level.
        let mut nodes = vec![0; residuals.len()];
        for level in 0..depth {
            let (first, width) = ((1 << level) - 1, 1 << level);
            let best = best_splits(columns, residuals, &nodes, width, rows_min);
            for (row, node) in nodes.iter_mut().enumerate() {
                let right = best[*node].is_some_and(|s: Split| columns[s.feature][row] > s.bin);
                *node = 2 * *node + usize::from(right);
            }
            splits[first..first + width].copy_from_slice(&best);
        }
        let mut sums: Vec<Sum> = vec![(0.0, 0.0); 1 << depth];
        for (leaf, residual) in nodes.iter().zip(residuals) {
            let sum = &mut sums[*leaf];
            *sum = (sum.0 + residual, sum.1 + 1.0);
        }
        let leaves = sums
            .iter()
            .map(|(sum, n)| if *n > 0.0 { sum / n } else { 0.0 })
            .collect();
        (Self { splits, leaves }, nodes)
    }

    fn value(&self, bins: &[u8], depth: usize) -> f64 {
        let mut node = 0;
        for _ in 0..depth {
            let right = self.splits[node].is_some_and(|s| bins[s.feature] > s.bin);
            node = 2 * node + 1 + usize::from(right);
        }
        self.leaves[node + 1 - (1 << depth)]
    }
}

/// The best split of each node of a level.
fn best_splits(
    columns: &[Vec<u8>],
    residuals: &[f64],
    nodes: &[usize],
    width: usize,
    rows_min: usize,
) -> Vec<Option<Split>> {
    let mut best: Vec<Option<(f64, Split)>> = vec![None; width];
    let mut sums: Vec<[Sum; 256]> = vec![[(0.0, 0.0); 256]; width];
    for (feature, column) in columns.iter().enumerate() {
        sums.iter_mut().for_each(|node| node.fill((0.0, 0.0)));
        for ((bin, node), residual) in column.iter().zip(nodes).zip(residuals) {
            let sum = &mut sums[*node][usize::from(*bin)];
            *sum = (sum.0 + residual, sum.1 + 1.0);
        }
        for (node, best) in sums.iter().zip(&mut best) {
            let Some((gain, bin)) = best_cut(node, rows_min as f64) else {
                continue;
            };
            if best.is_none_or(|(most, _)| gain > most) {
                *best = Some((gain, Split { feature, bin }));
            }
        }
    }
    best.into_iter()
        .map(|found| found.map(|(_, split)| split))
        .collect()
}

/// After which bin to cut so that the squared error falls most, and by how much.
fn best_cut(sums: &[Sum; 256], rows_min: f64) -> Option<(f64, u8)> {
    let all = sums
        .iter()
        .fold((0.0, 0.0), |a: Sum, b| (a.0 + b.0, a.1 + b.1));
    let mut left: Sum = (0.0, 0.0);
    let mut best: Option<(f64, u8)> = None;
    for (bin, sum) in (0u8..=254).zip(sums) {
        left = (left.0 + sum.0, left.1 + sum.1);
        let right = (all.0 - left.0, all.1 - left.1);
        if sum.1 == 0.0 || left.1 < rows_min || right.1 < rows_min || right.1 <= 0.0 {
            continue;
        }
        let gain = left.0 * left.0 / left.1 + right.0 * right.0 / right.1 - all.0 * all.0 / all.1;
        if gain > 1e-12 && best.is_none_or(|(most, _)| gain > most) {
            best = Some((gain, bin));
        }
    }
    best
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_in_two_columns_is_found() {
        let x: Vec<f64> = (0..1_000).map(|i| f64::from(i % 100)).collect();
        let kind: Vec<u32> = (0..1_000).map(|i| i / 100 % 3).collect();
        let truth = |x: f64, kind: u32| f64::from(u8::from(x > 40.0)) + f64::from(kind);
        let y: Vec<f64> = x.iter().zip(&kind).map(|(x, k)| truth(*x, *k)).collect();
        let features = [Feature::Numbers(&x), Feature::Categories(&kind)];
        let options = BoostOptions {
            bins: 100,
            leaf_rows_min: 10,
            ..BoostOptions::default()
        };
        let trees = BoostedTrees::fit(&features, &y, &options).unwrap();
        let found = trees.predict(&features).unwrap();
        let worst = found
            .iter()
            .zip(&y)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max);
        assert!(worst < 0.02, "{worst}");
        assert_eq!(
            found,
            BoostedTrees::fit(&features, &y, &options)
                .unwrap()
                .predict(&features)
                .unwrap()
        );
        let unseen = [Feature::Numbers(&[f64::NAN]), Feature::Categories(&[7])];
        assert!(trees.predict(&unseen).unwrap()[0].is_finite());
    }

    #[test]
    fn poor_input_is_refused_or_flat() {
        let options = BoostOptions::default();
        assert!(BoostedTrees::fit(&[Feature::Numbers(&[1.0])], &[], &options).is_none());
        assert!(BoostedTrees::fit(&[Feature::Numbers(&[1.0])], &[f64::NAN], &options).is_none());
        let flat =
            BoostedTrees::fit(&[Feature::Numbers(&[1.0, 2.0])], &[3.0, 5.0], &options).unwrap();
        assert_eq!(flat.predict(&[Feature::Numbers(&[9.0])]), Some(vec![4.0]));
        assert_eq!(flat.predict(&[]), None);
    }
}
