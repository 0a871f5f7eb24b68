//! The join against an oracle that compares everything with everything.

use std::time::Duration;

use driftline_engine::{JoinTally, ModelSet};
use driftline_sim::Rng;
use driftline_sim::join::{
    JoinPlan, JoinSchedule, join, join_models, join_oracle, join_oracle_of_sets, land, schedule,
};

const SEEDS: u64 = 1_000;

fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

fn plan(seed: u64) -> JoinPlan {
    JoinPlan {
        cuts: seed,
        seed,
        crash: 0.0,
        partials_partitions: 1 + (seed % 3) as u32,
        bytes_max: usize::MAX,
    }
}

/// What a schedule had in it.
struct Seen {
    crashes: u64,
    spilled: u64,
    tally: JoinTally,
}

/// Joins what has landed three times: quietly, with joiners that are killed, and with a table that nearly always spills.
/// The bytes must be the same, and their sum the oracle's.
fn check(seed: u64, schedule: &JoinSchedule, models: &ModelSet, by_sets: bool) -> Seen {
    let mut rng = Rng::new(seed);
    let partitions = 1 + rng.below(3) as u32;
    let crash = [0.0, 0.2, 0.5][rng.below(3) as usize];
    let logs = land(schedule, models, partitions, crash, seed);
    let oracle = join_oracle(schedule, models, &logs);
    if by_sets {
        let sets = join_oracle_of_sets(schedule, models);
        assert!(oracle == sets, "seed {seed}: the oracles disagree");
    }
    let quiet = join(models, &logs, plan(seed));
    assert_eq!(quiet.violations, [], "seed {seed}");
    let sums = quiet.sums(models);
    for (key, summary) in &oracle.outcomes {
        assert_eq!(
            sums.outcomes.get(key),
            Some(summary),
            "seed {seed}, {key:?}"
        );
    }
    assert!(
        sums == oracle,
        "seed {seed}: the join has what the oracle has not"
    );
    let killed = JoinPlan {
        crash: 0.4,
        ..plan(seed)
    };
    let killed = join(models, &logs, killed);
    assert_eq!(killed.violations, [], "seed {seed}");
    assert!(
        killed.batches == quiet.batches,
        "seed {seed}: killed joiners differ"
    );
    assert_eq!(killed.tally, quiet.tally, "seed {seed}");
    let spilling = JoinPlan {
        bytes_max: 12_000,
        ..plan(seed)
    };
    let spilling = join(models, &logs, spilling);
    assert!(
        spilling.batches == quiet.batches,
        "seed {seed}: spilling differs"
    );
    Seen {
        crashes: killed.crashes,
        spilled: u64::from(spilling.has_spilled),
        tally: quiet.tally,
    }
}

#[test]
fn the_join_equals_the_oracle_on_a_thousand_schedules() {
    // Labels live for 16 or 32 minutes, or for longer than any schedule lasts.
    let sampled = [1.0, 0.6];
    let models: Vec<ModelSet> = [16, 32, 10_080]
        .into_iter()
        .flat_map(|ttl| sampled.map(|rate| join_models(minutes(ttl), rate)))
        .collect();
    let mut seen = [0_u64; 10];
    for seed in 0..SEEDS {
        let mut rng = Rng::new(seed);
        let models = &models[rng.below(6) as usize];
        let ttl = models.specs()[0].labels.as_ref().map(|l| l.ttl);
        let nothing_expires = ttl == Some(minutes(10_080));
        let ids = 3 + rng.below(20) as u32;
        let schedule = schedule(seed, ids, 20 + rng.below(100), nothing_expires);
        let of_seed = check(seed, &schedule, models, nothing_expires);
        let tally = of_seed.tally;
        let counts = [
            of_seed.crashes,
            of_seed.spilled,
            tally.joined,
            tally.corrections,
            tally.duplicate_predictions + tally.duplicate_labels,
            tally.unreadable,
            tally.expired,
            tally.too_late,
            tally.unlabelled,
            tally.unmatched,
        ];
        seen.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
    }
    println!(
        "seeds 0..{SEEDS}: joiners killed, schedules spilled, joined, corrected, duplicates, unreadable, expired, too \
         late, unlabelled, unmatched: {seen:?}"
    );
    assert!(
        seen.iter().all(|n| *n > 100),
        "the schedules lack something"
    );
}
