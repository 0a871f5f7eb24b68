//! The indicator-bank e-detector: drift alarms on a budget of N false ones a month, for a whole model.
//!
//! **What it watches.** A stream is a column's distribution, or its quality rates. It is read as a family of 0/1 events
//! Aᵢ, the [`Indicators`]: cuts of the distribution function, central and adjacent intervals, categories, rates. A step
//! gives xᵢ hits in nᵢ trials of each. Shares are compared on Cohen's scale φ(p) = 2·asin √p, on which the change
//! h = φ(p) − φ(q) from the reference's share q is about as hard to see whatever q is.
//!
//! **Formula.** With h₀ the tolerance, z sigmas of reference error, m trials in the reference and dispersion ϕ:
//!
//! ```text
//! h0 = max(tolerance, band) + z/√(m/ϕ)           θ0 = φ⁻¹(φ(q) ± h0)       θ1 = φ⁻¹(φ(q) ± (h0 + Δ))
//! ℓ  = [x·ln(θ1/θ0) + (n − x)·ln((1 − θ1)/(1 − θ0))] / ϕ                    for Δ in BankOptions::shifts
//! M  ← (M + g·w)·exp(ℓ)      in each component (indicator, direction, Δ); Σ w = 1 over the stream's components
//! g  = min(1, c/10·n·E[−ℓ])   E for one trial at the reference's own share
//! S  = Σₖ ωₖ·Mₖ              Mₖ the stream's sum of its components' M, Σ ωₖ = 1 over all streams of the model
//! alarm when S ≥ c = T/N     T steps in a month of 30 days, N alarms allowed in it
//! ```
//!
//! Where hits or misses of the reference are few, z/√(m/ϕ) is replaced by the exact limit of Clopper and Pearson at the
//! same one-sided level, which is larger. A component whose θ1 is no share does not exist; the others share its weight.
//! An indicator without trials in a step keeps its evidence and gets no w. Between g = 1, the textbook's Shiryaev–Roberts,
//! and less there is only a difference where a step teaches next to nothing, by few events, a large ϕ or long steps: there
//! the starts alone would add up to c with nothing having happened. They now stay below about c/10.
//!
//! Of a numeric column's weight the even cuts have 61 %, those of the tails 2 %, the central intervals 34 % and the adjacent
//! ones 3 %; of the even cuts those near the median have the most, and of the central intervals those that leave out 2 to
//! 20 % on either side. Among the shifts Δ, 0.175 and 0.335 weigh most. Weights change delays by a few per cent and
//! nothing about the promise.
//!
//! [`BankState::evidence`] is Mₖ, [`decide`] the alarm with its attribution, [`threshold`] is c, and [`Latch`] the life of
//! an alert: a stream that an alarm is about leaves the sum until the evidence of its return,
//! R ← max(R, 1)·LR(q against the edge of the tolerance), is large enough.
//!
//! **What it promises.** Over any period of τ steps the expected number of false alarms is at most τ/c, that is, N a
//! month; for any dependence between indicators, columns and segments, for any number of events in a step, whatever one
//! looks at, and at every time one may choose to stop. Proof:
//!
//! 1. *A step's factor has a mean of at most one.* Let every event's conditional probability, given all before it, be
//!    p ≤ θ0 < θ1. Then its ratio has the mean 1 + (p − θ0)(θ1 − θ0)/(θ0(1 − θ0)) ≤ 1, and so has the product over a step;
//!    p may differ from event to event and react to the past. Downwards it is the same with misses. For a bounded
//!    fractional hit z the ratio θᶻ(1 − θ)¹⁻ᶻ is convex in z, so its mean is at most that of a coin with the mean of z. With
//!    ϕ > 1, E[X^(1/ϕ)] ≤ (E X)^(1/ϕ) ≤ 1 by Jensen.
//! 2. *Hence E[Sₜ | past] ≤ Sₜ₋₁ + 1*: each component's mean grows by at most its w, as g ≤ 1 depends on no outcome, and
//!    weighted sums need no independence.
//! 3. *An alarm pays for itself.* Let A be the number of alarms so far. An alarm takes streams of at least c out of S. So
//!    V = S + c·A − t never rises in mean: it is a supermartingale, V₀ = 0, and S ≥ 0 gives c·E[A] ≤ E[t] at every bounded
//!    stopping time.
//! 4. *Latching and resets only take away.* A latched stream stands at zero in S, a reset of a stream to zero lowers S, and
//!    a stream that comes back does so from zero. Stepping with another reference of the same indicators (an hour of the
//!    day, a trailing window) is covered as well, if which one is known before the step: w comes with the step.
//!
//! **What it assumes.** Without drift every indicator's rate stays within h0 of the reference's; it may move as it likes
//! inside. Events of a step are conditionally independent, or their counts' variance is ϕ times as large.
//!
//! **What it does not promise.**
//!
//! - With ϕ > 1 because events come in bursts, ℓ/ϕ is right in the normal approximation, not exactly (quasi-likelihood).
//!   Counting one event for each user and step would be exact.
//! - A reference that is not representative, or a band from a history without holidays, makes real changes that nobody
//!   minds into alarms. The reference's own sampling error is covered only to z sigmas for each indicator: at z = 4 and the
//!   least favourable truth, 3 in 100,000 for each direction of each.
//! - The month's budget is an expectation, not a limit for each month; an alarm names at least one stream, often several.
//! - A change within the tolerance is not seen, by design, however long it lasts.
//! - The return of a stream is decided by its own evidence and is outside the budget; it is no alarm.
//!
//! **Arithmetic.** ℓ is formed as (x − n·q)·slope + n·drift, in binary logarithms, so that no large terms cancel; `exp` is a
//! polynomial. State is `f32` and capped at 1e30, above any threshold. Each operation that could round upwards is set off by a
//! margin of 2^-20, so a computed M is never above the exact one and the promise survives rounding. Nothing but IEEE
//! additions, multiplications and comparisons takes part in a step, and only `libm`'s functions in a bank: every machine
//! computes the same bits.
//!
//! ```
//! use std::time::Duration;
//! use driftline_detect::bank::{Bank, BankOptions, BankState, Indicators, Tally, decide, threshold};
//!
//! let reference = [500_u64; 100];
//! let indicators = Indicators::ordered(&reference);
//! let mut tally = Tally::default();
//! indicators.read(&reference, &mut tally);
//! let bank = Bank::new(&indicators, &tally, &BankOptions::default());
//! let mut state = BankState::new(&bank);
//!
//! let c = threshold(1.0, Duration::from_secs(60));
//! indicators.read(&[2_u64; 100], &mut tally);
//! for _ in 0..1_000 {
//!     state.step(&bank, &tally);
//! }
//! assert!(decide(&[state.evidence()], c).is_empty(), "as the reference, it stays quiet");
//! let mut shifted = [2_u64; 100];
//! (shifted[0], shifted[60]) = (0, 22);
//! indicators.read(&shifted, &mut tally);
//! let minutes = (1..100).find(|_| {
//!     state.step(&bank, &tally);
//!     !decide(&[state.evidence()], c).is_empty()
//! });
//! assert!(minutes.is_some_and(|n| n < 5), "a tenth of the values at one place");
//! ```
//!
//! **Papers.** J. Shin, A. Ramdas, A. Rinaldo, "E-detectors: a nonparametric framework for sequential change detection",
//! NEJSDS 2024 (the e-SR recursion and its average run length). S. Dandapanthula, A. Ramdas, "Multiple testing in
//! multi-stream sequential change detection", arXiv 2501.04130 (errors over patience). S. R. Howard, A. Ramdas and others,
//! "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 2021 (the effect's interval).
//! J. Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988 (h).

mod cohen;
mod decide;
mod effect;
mod evidence;
mod indicators;
mod null;
mod passage;

pub use cohen::{arcsine, normal_shift, share};
pub use decide::{Latch, LatchEvent, StreamEvidence, decide, threshold};
pub use effect::EffectSize;
pub use evidence::BankState;
pub use indicators::{INDICATORS_MAX, Indicator, Indicators, Tally};
pub use null::{Bank, BankOptions, ComponentId, Direction, RateBounds, SHIFTS};
pub use passage::Passage;
