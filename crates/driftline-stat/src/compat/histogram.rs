//! numpy's histograms: their edges, and what counts into which bin.

/// `n + 1` equally spaced edges from `first` to `last`, rounded as `numpy.linspace` rounds them.
pub(super) fn linspace(first: f64, last: f64, n: usize) -> Vec<f64> {
    let step = (last - first) / n as f64;
    let mut edges: Vec<f64> = (0..=n).map(|i| i as f64 * step + first).collect();
    edges[n] = last;
    edges
}

/// The outer edges of `numpy.histogram_bin_edges`: a range of nothing is widened by one half on either side.
pub(super) fn outer_edges(values: &[f64]) -> (f64, f64) {
    let first = values.iter().copied().fold(f64::INFINITY, f64::min);
    let last = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if first == last {
        (first - 0.5, last + 0.5)
    } else {
        (first, last)
    }
}

/// Edges of bins of about this width.
fn edges_of_width(values: &[f64], width: f64) -> Vec<f64> {
    let (first, last) = outer_edges(values);
    let bins = match width > 0.0 {
        true => ((last - first) / width).ceil().max(1.0) as usize,
        false => 1,
    };
    linspace(first, last, bins)
}

fn spread(values: &[f64]) -> f64 {
    let (first, last) = outer_edges(values);
    let constant = values.windows(2).all(|pair| pair[0] == pair[1]);
    if constant { 0.0 } else { last - first }
}

/// `numpy.histogram_bin_edges(values, "sturges")`: log₂ n + 1 bins, rounded up.
pub(super) fn sturges_edges(values: &[f64]) -> Vec<f64> {
    let width = spread(values) / ((values.len() as f64).log2() + 1.0);
    edges_of_width(values, width)
}

/// `numpy.histogram_bin_edges(values, "doane")`: more bins the more skewed the values are.
pub(super) fn doane_edges(values: &[f64]) -> Vec<f64> {
    let n = values.len() as f64;
    let (mean, deviation) = moments(values);
    if values.len() <= 2 || deviation <= 0.0 {
        return edges_of_width(values, 0.0);
    }
    let skewness = values
        .iter()
        .map(|v| ((v - mean) / deviation).powi(3))
        .sum::<f64>()
        / n;
    let error = (6.0 * (n - 2.0) / ((n + 1.0) * (n + 3.0))).sqrt();
    let bins = 1.0 + n.log2() + (1.0 + skewness.abs() / error).log2();
    edges_of_width(values, spread(values) / bins)
}

/// Mean and standard deviation with n in the denominator, as `numpy.std` has it.
pub(super) fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    (mean, (squares / n).sqrt())
}

/// `numpy.histogram(values, edges)`: bins closed below, the last one closed above too; values outside count nowhere.
pub(super) fn counts(values: &[f64], edges: &[f64]) -> Vec<u64> {
    let mut counts = vec![0; edges.len() - 1];
    let last = edges[edges.len() - 1];
    for &v in values.iter().filter(|&&v| v >= edges[0] && v <= last) {
        let bin = edges.partition_point(|&edge| edge <= v).saturating_sub(1);
        counts[bin.min(edges.len() - 2)] += 1;
    }
    counts
}
