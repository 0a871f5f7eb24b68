//! What Driftline costs: seeded traffic, clocks of CPU time, and the figures that `hot_path` and
//! `end_to_end` print. Nothing here is linked into the product.
