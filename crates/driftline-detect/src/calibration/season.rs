//! Which season to follow.

use driftline_event::Season;

use super::{SeasonFit, StreamFit};

/// A season has to see shifts that are smaller by this factor than the simpler one's to be worth it.
const WORTH: f64 = 0.9;

/// The smallest shift that is seen within a day's events, Cohen's h: h0 + √(2ϕ·price/n), where the price, in nats, is the
/// logarithm of the threshold and of the number of components.
pub fn smallest_shift(stream: &StreamFit, fit: &SeasonFit, price: f64) -> f64 {
    let events = stream.events_per_day.max(1.0);
    fit.tolerance + (2.0 * fit.dispersion * price / events).sqrt()
}

/// The season that a version's streams follow together: the one that sees the smallest shifts within a day, on average over
/// the streams by weight. A cycle has to be better than every simpler one by a tenth.
///
/// Each item is a stream, its weight, and the price of an alarm in nats, see [`smallest_shift`]. A season that some stream
/// could not try is not chosen.
pub fn choose_season<'a>(
    streams: impl Iterator<Item = (&'a StreamFit, f64, f64)> + Clone,
) -> Season {
    let mean = |season: Season| -> Option<f64> {
        let (mut sum, mut weights) = (0.0, 0.0);
        for (stream, weight, price) in streams.clone() {
            let shift = smallest_shift(stream, stream.season(season)?, price);
            sum += weight * shift;
            weights += weight;
        }
        (weights > 0.0).then(|| sum / weights)
    };
    let mut best = (Season::None, mean(Season::None).unwrap_or(f64::INFINITY));
    for season in [Season::HourOfDay, Season::HourOfWeek] {
        if let Some(shift) = mean(season)
            && shift < WORTH * best.1
        {
            best = (season, shift);
        }
    }
    best.0
}

/// About how many events a change of size `h` takes to be seen where `tolerance` (h0) is tolerated, Cohen's h; infinite within
/// the tolerance. `price` is that of an alarm in nats, see [`smallest_shift`], and `shifts` are the bank's.
///
/// The same bound as [`Bank::detection_floor`](crate::bank::Bank::detection_floor), for the average slot. Where a whole
/// distribution moves, many indicators speak at once, and the median is about 0.6 of it.
pub fn events_to_see(h: f64, tolerance: f64, dispersion: f64, price: f64, shifts: &[f64]) -> f64 {
    let beyond = h.abs() - tolerance;
    let gain = shifts
        .iter()
        .map(|shift| beyond * shift - 0.5 * shift * shift);
    let gain = gain.fold(0.0, f64::max);
    if gain > 0.0 {
        price * dispersion / gain
    } else {
        f64::INFINITY
    }
}
